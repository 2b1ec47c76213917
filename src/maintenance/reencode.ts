/** Runs tasks of encoding chunks anew on the pool, several at once, within a byte budget whatever the store holds. */
import type { StoreContext } from '../checkpoints/index.js';
import type { Level } from '../codec/index.js';
import { type ChunkToEncode, inOrder, type NewRecord, type ReencodeJob } from '../compute/index.js';
import type { ChunkEntry } from '../format/index.js';
import type { ChunkId } from '../hash/index.js';
import { inDecodeOrder, readRecords, SpareMemory } from '../packs/index.js';
import { closureOf } from './live-encodings.js';

/** Chunks that are encoded anew together, because their chains meet. */
export interface ReencodeTask {
  chunks: ChunkToEncode[];
  level: Level;
  /** The new records are taken if they are smaller than this together. */
  bytesMax: number;
}

export interface ReencodedChunk extends NewRecord {
  id: ChunkId;
}

/** Decoded bytes of all tasks under way; with the packs being written compaction stays within 256 MB. */
const BYTES_AHEAD_MAX = 160 * 2 ** 20;

interface PreparedTask {
  task: ReencodeTask;
  entries: ChunkEntry[];
  bytes: number;
}

interface FinishedTask {
  chunks: ReencodedChunk[];
  /** What the chunks lie in and what they were read into, to be used again. */
  memory: ArrayBufferLike[];
}

/**
 * Yields the new records of each task, in order; none where they would be too large. They are good until the next are asked for.
 * `encodings` must not change.
 */
export async function* reencode(
  context: StoreContext,
  tasks: readonly ReencodeTask[],
  encodings: ReadonlyMap<ChunkId, ChunkEntry>,
  signal: AbortSignal | undefined,
): AsyncGenerator<ReencodedChunk[]> {
  const { compute, storage } = context;
  const prepared = tasks.map((task): PreparedTask => {
    const entries = entriesOf(task, encodings);
    return { task, entries, bytes: entries.reduce((sum, { rawLength }) => sum + rawLength, 0) };
  });
  compute.expect(prepared.reduce((sum, { bytes }) => sum + bytes, 0));
  const options = {
    ahead: compute.width + 1,
    bytesMax: BYTES_AHEAD_MAX,
    bytesOf: ({ bytes }: PreparedTask) => bytes,
  };
  const spare = new SpareMemory();
  const finished = inOrder(prepared, options, async ({ task, entries }): Promise<FinishedTask> => {
    const records = await readRecords(storage, entries, spare);
    const { chunks, level, bytesMax } = task;
    const room = chunks.reduce((sum, { id }) => sum + (encodings.get(id)?.rawLength ?? 0) + 1, 0);
    const output = spare.take(room);
    const memory = [...new Set([output, ...records.map(({ bytes }) => bytes)].map(({ buffer }) => buffer))];
    const job: ReencodeJob = { kind: 'reencode', records, chunks, level, bytesMax, output };
    const made = await compute.run(job, { signal });
    const size = made.records.reduce((sum, { bytes }) => sum + bytes.length, 0);
    const isTaken = size < bytesMax;
    return {
      chunks: isTaken ? made.records.map((record, at) => ({ ...record, id: chunks[at].id })) : [],
      memory,
    };
  });
  for await (const { chunks, memory } of finished) {
    yield chunks;
    for (const buffer of memory) spare.give(buffer);
  }
}

/** Returns what a task decodes, chunk by chunk, so that few are held at once; each after all that it reads. */
function entriesOf({ chunks }: ReencodeTask, encodings: ReadonlyMap<ChunkId, ChunkEntry>): ChunkEntry[] {
  const entries = new Map<ChunkId, ChunkEntry>();
  for (const { id, bases } of chunks) {
    const needed = closureOf([id, ...bases], encodings, (known) => entries.has(known));
    for (const entry of [...needed.values()].sort(inDecodeOrder)) entries.set(entry.id, entry);
  }
  return [...entries.values()];
}
