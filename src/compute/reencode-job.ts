/** Encodes stored chunks anew: each in full or on any of the chunks that it may be based on, whichever is smallest. */
import type { Level, Prediction } from '../codec/index.js';
import type { ChunkId } from '../hash/index.js';
import type { DType } from '../tensor/index.js';
import { type ChunkTools, DecodedChunks, type StoredRecord } from './chunk-jobs.js';

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
  /** Memory that new records are put into where it has room. */
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

/** A chunk is encoded as soon as it and its bases are decoded; nothing is kept longer than it is needed. */
export function reencodeChunks(tools: ChunkTools, job: ReencodeJob): ReencodeResult {
  const { records, chunks, level } = job;
  let { output } = job;
  const decoded = new DecodedChunks(tools, records, true);
  const position = new Map(records.map(({ entry }, at) => [entry.id, at]));
  const uses = new Map<ChunkId, number>();
  const count = (ids: readonly ChunkId[], by: number): void => {
    for (const id of ids) {
      const left = (uses.get(id) ?? 0) + by;
      uses.set(id, left);
      if (left === 0) decoded.release(id);
    }
  };
  const due = new Map<number, number[]>();
  for (const [at, { id, bases }] of chunks.entries()) {
    const last = Math.max(...[id, ...bases].map((needed) => position.get(needed) ?? 0));
    due.set(last, [...(due.get(last) ?? []), at]);
    count([id, ...bases], 1);
  }
  for (const { entry } of records) count([entry.id, ...entry.references], 1);
  const made: NewRecord[] = [];
  for (const [now, { entry }] of records.entries()) {
    decoded.get(entry.id);
    count(entry.references, -1);
    for (const at of due.get(now) ?? []) {
      made[at] = encodeOne(tools, decoded, chunks[at], level, output);
      if (made[at].bytes.buffer === output.buffer) output = output.subarray(made[at].bytes.length);
      count([chunks[at].id, ...chunks[at].bases], -1);
    }
    count([entry.id], -1);
  }
  return { records: made };
}

function encodeOne(
  { codec }: ChunkTools,
  decoded: DecodedChunks,
  { id, dtype, bases }: ChunkToEncode,
  level: Level,
  output: Uint8Array,
): NewRecord {
  const baseOf = new Map<Prediction, ChunkId>();
  for (const base of bases) baseOf.set({ rule: { kind: 'base' }, inputs: [decoded.get(base)] }, base);
  const { record, prediction } = codec.encode(decoded.get(id), dtype, [...baseOf.keys()], level, output);
  return { bytes: record, base: (prediction && baseOf.get(prediction)) ?? null };
}
