/**
 * The frame of every metadata object: magic, version, flags, lengths, payload, checksum (FORMAT.md, "Envelope").
 * A damaged frame or payload is `corrupt`; a version or flag this build does not know is `unsupported`.
 */
import { deflateSync, Inflate, inflateSync } from 'fflate';
import { ByteReader, ByteWriter } from '../bytes/index.js';
import { corrupt, ThetalogError } from '../errors.js';
import type { Hasher } from '../hash/index.js';
import { FORMAT_VERSION, PAYLOAD_BYTES_MAX } from './limits.js';

export const MAGIC = {
  root: 'TLRT',
  page: 'TLPG',
  manifest: 'TLMF',
  packFooter: 'TLPF',
  segment: 'TLSG',
  lease: 'TLLS',
} as const;

const FLAG_DEFLATED = 1;
/** What comes before the payload. */
export const ENVELOPE_HEADER_BYTES = 16;
const CHECKSUM_BYTES = 8;
/** Below this deflate rarely pays for itself. */
const DEFLATE_BYTES_MIN = 64;
/** Bytes that one byte of DEFLATE can stand for: 258 bytes take two bits at least. Guards memory against a length that lies. */
const INFLATION_MAX = 1032;
/** Deflated bytes that are inflated at a time; at worst 64 MiB come of them. */
const PIECE_BYTES = 64 * 1024;

/** Returns the framed payload, deflated where that is smaller. */
export function sealEnvelope(
  hasher: Hasher,
  magic: string,
  payload: Uint8Array,
  version = FORMAT_VERSION,
): Uint8Array {
  const packed = payload.length >= DEFLATE_BYTES_MIN ? deflateSync(payload, { level: 9 }) : payload;
  const deflated = packed.length < payload.length;
  const stored = deflated ? packed : payload;
  const writer = new ByteWriter(ENVELOPE_HEADER_BYTES + stored.length + CHECKSUM_BYTES);
  for (let index = 0; index < 4; index++) writer.u8(magic.charCodeAt(index));
  writer.u8(version);
  writer.u8(deflated ? FLAG_DEFLATED : 0);
  writer.u16(0);
  writer.u32(stored.length);
  writer.u32(payload.length);
  writer.bytes(stored);
  writer.bigU64(hasher.checksum(writer.written()));
  return writer.finish();
}

export interface OpenedEnvelope {
  version: number;
  payload: Uint8Array;
  /** Bytes of the whole frame, so also the offset of what follows it. */
  length: number;
}

/** Checks and opens the frame at the start of `bytes`, of a version up to `newest`; more bytes may follow it. */
export function openEnvelopeAt(
  hasher: Hasher,
  magic: string,
  bytes: Uint8Array,
  object: string,
  newest = FORMAT_VERSION,
): OpenedEnvelope {
  const reader = new ByteReader(bytes, object);
  const found = String.fromCharCode(...reader.view8(4));
  if (found !== magic) reader.fail('bad-magic', `does not start with ${magic}`, 0);
  const version = reader.u8();
  const flags = reader.u8();
  const reserved = reader.u16();
  if (version < 1 || version > newest || (flags & ~FLAG_DEFLATED) !== 0 || reserved !== 0) {
    const message = `${object}: format version ${version}, flags ${flags} are not known to this build`;
    throw new ThetalogError('unsupported', 'format-version', message, { object, hint: 'Upgrade thetalog.' });
  }
  const storedLength = reader.u32();
  const payloadLength = reader.u32();
  if (payloadLength > PAYLOAD_BYTES_MAX || storedLength > payloadLength) {
    reader.fail('bad-length', 'an impossible payload length', 8);
  }
  const stored = reader.view8(storedLength);
  const expected = hasher.checksum(bytes.subarray(0, reader.offset));
  if (reader.bigU64() !== expected)
    reader.fail('bad-checksum', 'the checksum does not match', reader.offset - 8);
  const payload = (flags & FLAG_DEFLATED) === 0 ? stored : inflateExactly(stored, payloadLength, object);
  if (payload.length !== payloadLength)
    reader.fail('bad-length', 'the payload has another length than stated', 12);
  return { version, payload, length: reader.offset };
}

/** Returns how long a frame is, from its header, of which only the length is looked at. */
export function envelopeLength(header: Uint8Array, object: string): number {
  const reader = new ByteReader(header, object);
  reader.view8(8);
  const storedLength = reader.u32();
  if (storedLength > PAYLOAD_BYTES_MAX) reader.fail('bad-length', 'an impossible payload length', 8);
  return ENVELOPE_HEADER_BYTES + storedLength + CHECKSUM_BYTES;
}

/** Opens a frame that must fill the whole object. */
export function openEnvelope(hasher: Hasher, magic: string, bytes: Uint8Array, object: string): Uint8Array {
  const { payload, length } = openEnvelopeAt(hasher, magic, bytes, object);
  if (length !== bytes.length) throw corrupt('trailing-bytes', 'has bytes after its end', object, length);
  return payload;
}

/**
 * Inflates to exactly `length` bytes; never allocates more, nor for a length that no deflated data of this size has, and
 * stops soon after that length, whatever the data goes on to.
 */
export function inflateExactly(stored: Uint8Array, length: number, object: string): Uint8Array {
  if (length > stored.length * INFLATION_MAX)
    throw corrupt('bad-length', 'deflated data cannot have the length that is stated', object);
  let inflated: Uint8Array | undefined;
  try {
    inflated = stored.length > PIECE_BYTES ? inflatePieces(stored, length) : inflateWhole(stored, length);
  } catch (cause) {
    throw new ThetalogError('corrupt', 'bad-deflate', `${object}: deflated data is damaged`, {
      object,
      cause,
    });
  }
  if (inflated !== undefined) return inflated;
  throw corrupt('bad-length', 'deflated data has another length than stated', object);
}

/** Undefined for another length. One byte more than wanted shows what is too long: fflate drops what does not fit. */
function inflateWhole(stored: Uint8Array, length: number): Uint8Array | undefined {
  const inflated = inflateSync(stored, { out: new Uint8Array(length + 1) });
  return inflated.length === length ? inflated : undefined;
}

/** The same, piece by piece, so that data which inflates to a thousand times its size is given up early. */
function inflatePieces(stored: Uint8Array, length: number): Uint8Array | undefined {
  const out = new Uint8Array(length);
  let end = 0;
  const stream = new Inflate((bytes) => {
    if (bytes.length <= length - end) out.set(bytes, end);
    end += bytes.length;
  });
  for (let at = 0; at < stored.length && end <= length; at += PIECE_BYTES)
    stream.push(stored.subarray(at, at + PIECE_BYTES), at + PIECE_BYTES >= stored.length);
  return end === length ? out : undefined;
}
