/** Runs tasks of encoding chunks anew on the pool, several at once, within a byte budget whatever the store holds. */
import type { StoreContext } from '../checkpoints/index.js';
import type { Level } from '../codec/index.js';
import { type ChunkToEncode, inOrder, type NewRecord, type ReencodeJob } from '../compute/index.js';
import type { ChunkEntry } from '../format/index.js';
import type { ChunkId } from '../hash/index.js';
import { inDecodeOrder, readRecords } from '../packs/index.js';
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

/** Yields the new records of each task, in order; none where they would be too large. `encodings` must not change. */
export async function* reencode(
  context: StoreContext,
  tasks: readonly ReencodeTask[],
  encodings: ReadonlyMap<ChunkId, ChunkEntry>,
  signal: AbortSignal | undefined,
): AsyncGenerator<ReencodedChunk[]> {
  const { compute, storage } = context;
  const prepared = tasks.map((task): PreparedTask => {
    const needed = task.chunks.flatMap(({ id, bases }) => [id, ...bases]);
    const entries = [...closureOf(needed, encodings).values()].sort(inDecodeOrder);
    return { task, entries, bytes: entries.reduce((sum, { rawLength }) => sum + rawLength, 0) };
  });
  compute.expect(prepared.reduce((sum, { bytes }) => sum + bytes, 0));
  const options = {
    ahead: compute.width + 1,
    bytesMax: BYTES_AHEAD_MAX,
    bytesOf: ({ bytes }: PreparedTask) => bytes,
  };
  yield* inOrder(prepared, options, async ({ task, entries }) => {
    const records = await readRecords(storage, entries);
    const transfer = [...new Set(records.map(({ bytes }) => bytes.buffer as ArrayBuffer))];
    const { chunks, level } = task;
    const job: ReencodeJob = { kind: 'reencode', records, chunks, level };
    const made = await compute.run(job, { transfer, signal });
    const size = made.records.reduce((sum, { bytes }) => sum + bytes.length, 0);
    return size < task.bytesMax ? made.records.map((record, at) => ({ ...record, id: chunks[at].id })) : [];
  });
}
