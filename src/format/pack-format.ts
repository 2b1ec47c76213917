/**
 * Packs: encoded chunks back to back between two copies of their chunk table, so that no damage in one place takes the
 * index of what it leaves (FORMAT.md, "Pack").
 */
import { ByteReader, ByteWriter } from '../bytes/index.js';
import { corrupt, ThetalogError } from '../errors.js';
import type { Hasher } from '../hash/index.js';
import { type ChunkEntry, ChunkTable, writeChunkTable } from './chunk-table.js';
import { ENVELOPE_HEADER_BYTES, envelopeLength, MAGIC, openEnvelope, sealEnvelope } from './envelope.js';
import { FORMAT_VERSION } from './limits.js';

/** `TLPK`, the version, three zero bytes. What follows is a copy of the footer, then records. */
export const PACK_HEADER_BYTES = 8;
/** u64 offset of the footer, u32 its length, `TLPE`. */
export const PACK_TRAILER_BYTES = 16;

/** Returns the first bytes of every pack. */
export function packHeader(): Uint8Array {
  return Uint8Array.of(0x54, 0x4c, 0x50, 0x4b, FORMAT_VERSION, 0, 0, 0);
}

/** How often the length of the zeros in front of the first record is tried: it changes that of the copy, which tells it. */
const ALIGNMENT_ATTEMPTS = 4;

/**
 * Returns what is in front of the records of a pack: header, a copy of its footer and zeros, if need be, so that the first record
 * lies at a multiple of `alignment`, a power of two; in rare cases it does not. The offsets of `entries` count from that record.
 */
export function encodePackFront(
  hasher: Hasher,
  entries: readonly ChunkEntry[],
  alignment: number,
): Uint8Array {
  const copyWith = (zeros: number) => encodeFooter(hasher, entries, PACK_HEADER_BYTES + zeros);
  const missing = (copy: Uint8Array) => -(PACK_HEADER_BYTES + copy.length) & (alignment - 1);
  let zeros = 0;
  let copy = copyWith(zeros);
  for (let attempt = 0; missing(copy) !== zeros; attempt++) {
    zeros = attempt < ALIGNMENT_ATTEMPTS ? missing(copy) : 0;
    copy = copyWith(zeros);
    if (zeros === 0) break;
  }
  const front = new Uint8Array(PACK_HEADER_BYTES + copy.length + zeros);
  front.set(packHeader());
  front.set(copy, PACK_HEADER_BYTES);
  return front;
}

function encodeFooter(hasher: Hasher, entries: readonly ChunkEntry[], start: number): Uint8Array {
  const table = new ByteWriter(64 * entries.length + 16);
  writeChunkTable(table, entries, start);
  return sealEnvelope(hasher, MAGIC.packFooter, table.written());
}

/** Returns the footer and the trailer that end a pack whose records end at `recordsEnd`. */
export function encodePackEnd(
  hasher: Hasher,
  entries: readonly ChunkEntry[],
  recordsEnd: number,
): Uint8Array {
  const footer = encodeFooter(hasher, entries, 0);
  const writer = new ByteWriter(footer.length + PACK_TRAILER_BYTES);
  writer.bytes(footer);
  writer.u64(recordsEnd);
  writer.u32(footer.length);
  writer.bytes(Uint8Array.of(0x54, 0x4c, 0x50, 0x45));
  return writer.finish();
}

/** Checks the first bytes of a pack. */
export function checkPackHeader(bytes: Uint8Array, object: string): void {
  if (bytes.length < PACK_HEADER_BYTES || String.fromCharCode(...bytes.subarray(0, 4)) !== 'TLPK') {
    throw corrupt('bad-magic', 'does not start as a pack', object, 0);
  }
  if (bytes[4] !== FORMAT_VERSION) {
    const message = `${object}: pack version ${bytes[4]} is not known to this build`;
    throw new ThetalogError('unsupported', 'format-version', message, { object, hint: 'Upgrade thetalog.' });
  }
}

/** Reads where the footer of a pack of `packBytes` lies, from the trailer's 16 bytes. */
export function decodePackTrailer(
  trailer: Uint8Array,
  packBytes: number,
  object: string,
): { offset: number; length: number } {
  const reader = new ByteReader(trailer, object, 0, trailer.length, packBytes - trailer.length);
  const offset = reader.u64();
  const length = reader.u32();
  if (String.fromCharCode(...reader.view8(4)) !== 'TLPE')
    reader.fail('bad-magic', 'does not end as a pack', 12);
  if (offset < PACK_HEADER_BYTES || offset + length + PACK_TRAILER_BYTES !== packBytes) {
    reader.fail('bad-length', 'the footer is not where the trailer says', 0);
  }
  return { offset, length };
}

/** Checks a pack's footer and reads its table; all records must lie before it. */
export function decodePackFooter(
  hasher: Hasher,
  footer: Uint8Array,
  recordsEnd: number,
  pack: string,
  object: string,
): ChunkTable {
  const payload = openEnvelope(hasher, MAGIC.packFooter, footer, object);
  const reader = new ByteReader(payload, object);
  const table = new ChunkTable(reader, pack);
  if (reader.remaining > 0) reader.fail('trailing-bytes', 'the footer has bytes after its end');
  const isInside = table.recordsStart >= PACK_HEADER_BYTES && table.recordsEnd <= recordsEnd;
  if (table.count > 0 && !isInside)
    throw corrupt('bad-offset', 'the footer names a record outside the pack', object);
  return table;
}

/** Bytes at the start of a pack that say where its records start. */
export const PACK_HEAD_BYTES = PACK_HEADER_BYTES + ENVELOPE_HEADER_BYTES;

/** Returns where the records of a pack start, behind the copy of its footer if it has one; no record begins like that. */
export function decodeRecordsStart(head: Uint8Array, object: string): number {
  const copy = head.subarray(PACK_HEADER_BYTES);
  const hasCopy = String.fromCharCode(...copy.subarray(0, 4)) === MAGIC.packFooter;
  return PACK_HEADER_BYTES + (hasCopy ? envelopeLength(copy, object) : 0);
}

/** Checks the copy of a footer and decodes its entries. The records need not be there any more. */
export function* decodeFooterCopy(
  hasher: Hasher,
  copy: Uint8Array,
  pack: string,
  object: string,
): Generator<ChunkEntry> {
  for (const entry of decodePackFooter(hasher, copy, Number.MAX_SAFE_INTEGER, pack, object))
    yield { ...entry, offset: entry.offset + copy.length };
}
