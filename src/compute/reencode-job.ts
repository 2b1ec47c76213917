/** Encodes stored chunks anew: each in full or on any of the chunks that it may be based on, whichever is smallest. */
import type { Level, Prediction } from '../codec/index.js';
import type { ChunkId } from '../hash/index.js';
import type { DType } from '../tensor/index.js';
import { type ChunkTools, type DecodedChunks, placeForRecords, type StoredRecord } from './chunk-jobs.js';
import { copyBytes } from './copy-bytes.js';
import { decodeInTurn } from './decode-in-turn.js';

export interface ChunkToEncode {
  readonly id: ChunkId;
  readonly dtype: DType;
  /** Chunks to try as its base. */
  readonly bases: readonly ChunkId[];
}

export interface ReencodeJob {
  readonly kind: 'reencode';
  /** All that decoding the chunks and their bases reads, each after all that it reads itself. */
  readonly records: readonly StoredRecord[];
  readonly chunks: readonly ChunkToEncode[];
  readonly level: Level;
  /** Records are of no use if they take this much together: then the job may stop trying. */
  readonly bytesMax: number;
  /** Shared memory that new records are put into, one after the other: as many bytes as the chunks have, and one more for each. */
  readonly output: Uint8Array;
}

export interface NewRecord {
  readonly bytes: Uint8Array;
  /** What it is based on; null for one in full. */
  readonly base: ChunkId | null;
}

export interface ReencodeResult {
  /** In the order of the chunks. */
  readonly records: NewRecord[];
}

/** A record of level `fast` that takes so much more than is allowed has none of level `max` that does not (it saves 2 to 5 %). */
const HOPELESS_SHARE = 1.1;

/** A chunk is encoded as soon as it and its bases are decoded. */
export function reencodeChunks(tools: ChunkTools, job: ReencodeJob): ReencodeResult {
  const { records, chunks } = job;
  let { output } = job;
  const made: NewRecord[] = [];
  const place = placeForRecords(tools.kernels, Math.max(0, ...records.map(({ entry }) => entry.rawLength)));
  const needsOf = ({ id, bases }: ChunkToEncode): ChunkId[] => [id, ...bases];
  decodeInTurn(tools, records, chunks, needsOf, (chunk, decoded, at) => {
    const record = encodeWithin(tools, decoded, chunk, job, place);
    made[at] = { ...record, bytes: copyBytes(output, record.bytes) };
    output = output.subarray(record.bytes.length);
  });
  return { records: made };
}

/** Returns a record that may be of no use, if a quick one shows that none is. */
function encodeWithin(
  tools: ChunkTools,
  decoded: DecodedChunks,
  chunk: ChunkToEncode,
  { level, bytesMax }: ReencodeJob,
  place: Uint8Array | undefined,
): NewRecord {
  if (level === 'max' && bytesMax < Number.POSITIVE_INFINITY) {
    const quick = encodeOne(tools, decoded, chunk, 'fast', place);
    if (quick.bytes.length > bytesMax * HOPELESS_SHARE) return quick;
  }
  return encodeOne(tools, decoded, chunk, level, place);
}

function encodeOne(
  { codec }: ChunkTools,
  decoded: DecodedChunks,
  { id, dtype, bases }: ChunkToEncode,
  level: Level,
  place: Uint8Array | undefined,
): NewRecord {
  const baseOf = new Map<Prediction, ChunkId>();
  for (const base of bases) baseOf.set({ rule: { kind: 'base' }, inputs: [decoded.get(base)] }, base);
  const { record, prediction } = codec.encode(decoded.get(id), dtype, [...baseOf.keys()], level, place);
  return { bytes: record, base: (prediction && baseOf.get(prediction)) ?? null };
}
