/** Reads many records at once: what chunks need, lowest first, in few large reads. */
import type { StoredRecord } from '../compute/index.js';
import { corrupt } from '../errors.js';
import { type ChunkEntry, objectKey } from '../format/index.js';
import type { ChunkId } from '../hash/index.js';
import type { Storage } from '../storage/index.js';
import type { ChunkIndex } from './chunk-index.js';
import type { SpareMemory } from './spare-memory.js';

/** Bytes between two records that are read along: cheaper than another read. */
const GAP_BYTES_MAX = 128 * 1024;
/**
 * Larger reads gain nothing, and would hold more than is needed at once. Reads share memory of this size: of other sizes what one gives back
 * is hardly ever of use to the next, and a watch of many checkpoints mapped 100 MB anew for each.
 */
const READ_BYTES_MAX = 4 * 2 ** 20;

/** Records next to one another in one pack. */
interface RecordRun {
  pack: string;
  start: number;
  end: number;
  entries: ChunkEntry[];
}

/**
 * Returns the encodings to decode, each after all that it reads, so that the wanted chunks come out; chunks that `isKnown`
 * says are at hand already are left out. What no segment has and cycles are `corrupt`, naming `object` as what refers to
 * them.
 */
export function encodingsToDecode(
  index: ChunkIndex,
  wanted: Iterable<ChunkId>,
  object: string,
  isKnown: (id: ChunkId) => boolean = () => false,
): ChunkEntry[] {
  return [...index.closure(wanted, object, isKnown).values()].sort(inDecodeOrder);
}

/** Orders chunks after all that they read; of equal heights the one that lies first in its pack comes first. */
export function inDecodeOrder(a: ChunkEntry, b: ChunkEntry): number {
  return a.height - b.height || comparePlaces(a, b);
}

function comparePlaces(a: ChunkEntry, b: ChunkEntry): number {
  if (a.pack !== b.pack) return a.pack < b.pack ? -1 : 1;
  return a.offset - b.offset;
}

/**
 * Reads the records of the given encodings, in the order given; those that lie near one another in one read, all reads at
 * once. The records are views of few buffers that nothing else uses, so these can be given to `spare` where their memory
 * came from. A missing pack or one that ends too early is `corrupt`; checksums are left to who decodes.
 */
export async function readRecords(
  storage: Storage,
  entries: readonly ChunkEntry[],
  spare?: SpareMemory,
): Promise<StoredRecord[]> {
  const bytesOf = new Map<ChunkEntry, Uint8Array>();
  const runs = recordRuns(entries);
  const total = runs.reduce((sum, { start, end }) => sum + end - start, 0);
  let memory: Uint8Array = new Uint8Array(0);
  const takeMemory = (length: number): Uint8Array | undefined => {
    if (spare === undefined) return undefined;
    if (memory.length < length) memory = spare.take(Math.max(length, Math.min(total, READ_BYTES_MAX)));
    const taken = memory.subarray(0, length);
    memory = memory.subarray(length);
    return taken;
  };
  const readRun = async ({ pack, start, end, entries: members }: RecordRun): Promise<void> => {
    const object = objectKey('packs', pack);
    const length = end - start;
    const bytes = await storage.get(object, { offset: start, length }, takeMemory(length));
    if (bytes === undefined) throw corrupt('missing-object', 'is not in the store', object);
    for (const entry of members) {
      const record = bytes.subarray(entry.offset - start, entry.offset - start + entry.length);
      if (record.length !== entry.length)
        throw corrupt('truncated', 'ends inside a chunk', object, entry.offset);
      bytesOf.set(entry, record);
    }
  };
  await Promise.all(runs.map(readRun));
  return entries.map((entry) => ({
    entry,
    object: objectKey('packs', entry.pack),
    bytes: bytesOf.get(entry) ?? new Uint8Array(0),
  }));
}

/** Puts together records that lie near one another; a read is longer than READ_BYTES_MAX only for a single record. */
function recordRuns(entries: readonly ChunkEntry[]): RecordRun[] {
  const runs: RecordRun[] = [];
  let run: RecordRun | undefined;
  for (const entry of [...entries].sort(comparePlaces)) {
    const end = entry.offset + entry.length;
    const isNear =
      run !== undefined &&
      run.pack === entry.pack &&
      entry.offset - run.end <= GAP_BYTES_MAX &&
      Math.max(end, run.end) - run.start <= READ_BYTES_MAX;
    if (run === undefined || !isNear) {
      run = { pack: entry.pack, start: entry.offset, end, entries: [entry] };
      runs.push(run);
    } else {
      run.end = Math.max(run.end, end);
      run.entries.push(entry);
    }
  }
  return runs;
}
