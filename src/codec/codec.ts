import { ByteReader } from '../bytes/index.js';
import type { Kernels } from '../kernels/index.js';
import type { DType } from '../tensor/index.js';
import { ByteStreamCoder, type StreamEffort } from './byte-stream.js';
import { CostModel } from './cost.js';
import { type DeflateLevel, decodeDeflate, encodeDeflate } from './deflate-record.js';
import { PlanesCoder, planesUseBase, unsupported } from './planes-record.js';
import { ENCODING } from './record-ids.js';

/** How hard to try: `fast` on the save path, `max` in the background. The level changes the size, never the meaning. */
export type Level = 'fast' | 'max';

export interface EncodedChunk {
  record: Uint8Array;
  /** Whether decoding the record needs the base it was encoded against. */
  usesBase: boolean;
}

export interface Codec {
  /**
   * Encodes the bytes of a chunk. `base` is the decoded bytes of the chunk it is predicted from: for a tensor it is
   * ignored unless it is as long as `raw`, for `bytes` it may have any length. The record is never more than one byte
   * longer than `raw` and depends on nothing but the arguments.
   */
  encode(raw: Uint8Array, dtype: DType, base: Uint8Array | undefined, level: Level): EncodedChunk;

  /**
   * Returns the `rawLength` bytes that a record stands for; `base` is what it was encoded against. Throws `corrupt` for a
   * damaged record and `unsupported` for an unknown encoding, naming `object` and the offset in the record. Damage that
   * still decodes gives other bytes: the caller compares the content hash.
   */
  decode(record: Uint8Array, rawLength: number, base: Uint8Array | undefined, object: string): Uint8Array;

  /** Returns whether decoding a record needs its base. */
  usesBase(record: Uint8Array): boolean;
}

/**
 * A delta must be this much smaller than the chunk on its own: a chunk that needs no base is restored without one, and
 * keeps nothing else alive.
 */
const DELTA_SHARE_MAX = 0.98;

/** How much smaller the slower forms of a stream must be: time counts on the save path, and only bytes behind it. */
const EFFORTS: Record<Level, StreamEffort> = {
  fast: { entropyShareMax: 1 - 1 / 64, sparseShareMax: 1 + 1 / 32 },
  max: { entropyShareMax: 1, sparseShareMax: 1 },
};

/** Opaque bytes up to this length get the best DEFLATE level in any case: skeletons and manifests are small. */
const DEFLATE_BEST_BYTES_MAX = 64 * 1024;

/** Opaque bytes of which a sample has more bits per byte than this are not worth deflating. */
const DEFLATE_BITS_MAX = 7.9;

/** A delta of opaque bytes below this share of them is taken at once: DEFLATE is slow and hardly ever gets there. */
const OPAQUE_DELTA_SHARE = 1 / 256;

/** Returns the codec over the given kernels. */
export function createCodec(kernels: Kernels): Codec {
  const cost = new CostModel();
  const planes = new PlanesCoder(kernels, new ByteStreamCoder(kernels, cost), cost);
  return {
    encode(raw, dtype, base, level) {
      const candidates =
        dtype === 'bytes'
          ? opaqueCandidates(planes, raw, base, level)
          : tensorCandidates(planes, raw, dtype, base, level);
      const record = smallest(raw, candidates);
      return { record, usesBase: usesBase(record) };
    },
    decode(record, rawLength, base, object) {
      return decodeRecord(planes, new ByteReader(record, object), rawLength, base);
    },
    usesBase,
  };
}

/** Records without and with a base; either may be missing. */
interface Candidates {
  readonly standalone?: Uint8Array;
  readonly delta?: Uint8Array;
}

function smallest(raw: Uint8Array, { standalone, delta }: Candidates): Uint8Array {
  const alone = standalone !== undefined && standalone.length <= raw.length ? standalone : undefined;
  const aloneLength = alone?.length ?? raw.length + 1;
  if (delta !== undefined && delta.length <= aloneLength * DELTA_SHARE_MAX) return delta;
  return alone ?? rawRecord(raw);
}

function rawRecord(raw: Uint8Array): Uint8Array {
  const record = new Uint8Array(raw.length + 1);
  record[0] = ENCODING.raw;
  record.set(raw, 1);
  return record;
}

function tensorCandidates(
  planes: PlanesCoder,
  raw: Uint8Array,
  dtype: DType,
  base: Uint8Array | undefined,
  level: Level,
): Candidates {
  const effort = EFFORTS[level];
  const isUsable = base !== undefined && base.length === raw.length;
  if (!isUsable) return { standalone: planes.encode(raw, dtype, undefined, effort) };
  if (level === 'fast') {
    const deltaBits = planes.sampledBits(raw, dtype, base);
    const standaloneBits = planes.sampledBits(raw, dtype, undefined);
    return deltaBits < standaloneBits * DELTA_SHARE_MAX
      ? { delta: planes.encode(raw, dtype, base, effort) }
      : { standalone: planes.encode(raw, dtype, undefined, effort) };
  }
  return {
    standalone: planes.encode(raw, dtype, undefined, effort),
    delta: planes.encode(raw, dtype, base, effort),
  };
}

function opaqueCandidates(
  planes: PlanesCoder,
  raw: Uint8Array,
  base: Uint8Array | undefined,
  level: Level,
): Candidates {
  if (raw.length === 0) return {};
  const effort = EFFORTS[level];
  const delta = base?.length === raw.length ? planes.encode(raw, 'bytes', base, effort) : undefined;
  if (delta !== undefined && delta.length <= raw.length * OPAQUE_DELTA_SHARE) return { delta };
  const deflateLevel: DeflateLevel = level === 'max' || raw.length <= DEFLATE_BEST_BYTES_MAX ? 9 : 6;
  const bits = planes.sampledBits(raw, 'bytes', undefined);
  const standalone =
    bits <= raw.length * DEFLATE_BITS_MAX ? encodeDeflate(raw, undefined, deflateLevel) : undefined;
  if (base === undefined || base.length === 0) return { standalone };
  const deflated = encodeDeflate(raw, base, deflateLevel);
  return { standalone, delta: delta !== undefined && delta.length < deflated.length ? delta : deflated };
}

function usesBase(record: Uint8Array): boolean {
  if (record[0] === ENCODING.planes) return planesUseBase(record);
  return record[0] === ENCODING.deflateWithDictionary;
}

function decodeRecord(
  planes: PlanesCoder,
  reader: ByteReader,
  rawLength: number,
  base: Uint8Array | undefined,
): Uint8Array {
  const raw = decodeBody(planes, reader, rawLength, base);
  if (reader.remaining !== 0) reader.fail('record-length', `${reader.remaining} bytes follow the record`);
  return raw;
}

function decodeBody(
  planes: PlanesCoder,
  reader: ByteReader,
  rawLength: number,
  base: Uint8Array | undefined,
): Uint8Array {
  const encoding = reader.u8();
  switch (encoding) {
    case ENCODING.raw:
      return reader.view8(rawLength).slice();
    case ENCODING.deflate:
      return decodeDeflate(reader, rawLength, undefined);
    case ENCODING.deflateWithDictionary:
      if (base === undefined) return reader.fail('record-base', 'needs a base and got none');
      return decodeDeflate(reader, rawLength, base);
    case ENCODING.planes:
      return planes.decode(reader, rawLength, base);
    default:
      throw unsupported(reader, 'record-encoding', 'encoding', reader.offset - 1);
  }
}
