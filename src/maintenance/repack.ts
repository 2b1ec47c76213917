/** Which packs are worth rewriting, and what is in them. */

import type { StoredRecord } from '../compute/index.js';
import { type ChunkEntry, objectKey } from '../format/index.js';
import { PACK_BYTES_TARGET, readRecords } from '../packs/index.js';
import type { Storage } from '../storage/index.js';

/** A pack with less than this share of live bytes is rewritten. */
const LIVE_SHARE_MIN = 0.8;
/** Packs below this size are merged. */
const SMALL_PACK_BYTES = PACK_BYTES_TARGET / 4;
/** So many of about one size become one. */
const MERGED_PACKS = 4;
/** Below this size all packs are of one level. */
const SMALLEST_LEVEL_BYTES = 64 * 1024;
/** Bytes of records that are read at once. */
const BATCH_BYTES = 16 * 2 ** 20;

/**
 * Returns the names of those of the `touched` packs that are mostly dead, or small and many. `openBytes` are in the pack that
 * compaction fills anyway, 0 if there is none: it is one of the small ones.
 */
export async function packsToRewrite(
  storage: Storage,
  live: Iterable<ChunkEntry>,
  touched: ReadonlySet<string>,
  openBytes: number,
): Promise<Set<string>> {
  const rewritten = new Set<string>();
  const small: SmallPack[] = [];
  let moving = openBytes;
  for await (const { name, size, bytes } of livePacks(storage, live, touched)) {
    if (bytes < size * LIVE_SHARE_MIN) {
      rewritten.add(name);
      moving += bytes;
    } else if (size < SMALL_PACK_BYTES) small.push({ name, size });
  }
  for (const name of packsToMerge(small, moving)) rewritten.add(name);
  return rewritten;
}

/** Returns how many bytes rewriting those of the `touched` packs that are mostly dead makes free. */
export async function freedByRewriting(
  storage: Storage,
  live: Iterable<ChunkEntry>,
  touched: ReadonlySet<string>,
): Promise<number> {
  let freed = 0;
  for await (const { size, bytes } of livePacks(storage, live, touched))
    if (bytes < size * LIVE_SHARE_MIN) freed += size - bytes;
  return freed;
}

/** Yields the sizes of those of the `touched` packs in which anything is live, and the bytes that are. */
async function* livePacks(
  storage: Storage,
  live: Iterable<ChunkEntry>,
  touched: ReadonlySet<string>,
): AsyncGenerator<SmallPack & { bytes: number }> {
  const liveBytes = new Map<string, number>();
  for (const entry of live) liveBytes.set(entry.pack, (liveBytes.get(entry.pack) ?? 0) + entry.length);
  for await (const { key, size } of storage.list('packs/')) {
    const name = key.slice('packs/'.length);
    const bytes = liveBytes.get(name);
    if (key === objectKey('packs', name) && touched.has(name) && bytes !== undefined)
      yield { name, size, bytes };
  }
}

export interface SmallPack {
  name: string;
  size: number;
}

/**
 * Returns which small packs to merge: those of one level of size once there are MERGED_PACKS of them, and then those of the level
 * that they make together. So a record is copied once for each level, and of each level few packs stay, however many saves
 * there were. `movingBytes` are written to a new pack in any case, which counts as one.
 */
export function packsToMerge(small: readonly SmallPack[], movingBytes: number): string[] {
  const levels = new Map<number, { names: string[]; size: number }[]>();
  const add = (pack: { names: string[]; size: number }): void => {
    const level = levelOf(pack.size);
    levels.set(level, [...(levels.get(level) ?? []), pack]);
  };
  for (const { name, size } of small) add({ names: [name], size });
  if (movingBytes > 0) add({ names: [], size: movingBytes });
  const merged: string[] = [];
  for (let level = 0; level <= levelOf(SMALL_PACK_BYTES); level++) {
    const packs = levels.get(level) ?? [];
    if (packs.length < MERGED_PACKS) continue;
    merged.push(...packs.flatMap(({ names }) => names));
    add({ names: [], size: packs.reduce((sum, { size }) => sum + size, 0) });
  }
  return merged;
}

/** A level holds packs of up to MERGED_PACKS times the size of the one below. */
function levelOf(size: number): number {
  let level = 0;
  for (let most = SMALLEST_LEVEL_BYTES; size >= most; most *= MERGED_PACKS) level++;
  return level;
}

/** Yields the records of encodings, in the order in which they lie in their packs, reading many at a time. */
export async function* recordsOf(
  storage: Storage,
  entries: readonly ChunkEntry[],
): AsyncGenerator<StoredRecord> {
  const inOrder = [...entries].sort((a, b) =>
    a.pack < b.pack ? -1 : a.pack > b.pack ? 1 : a.offset - b.offset,
  );
  let batch: ChunkEntry[] = [];
  let bytes = 0;
  for (const entry of inOrder) {
    if (bytes > 0 && bytes + entry.length > BATCH_BYTES) {
      yield* await readRecords(storage, batch);
      batch = [];
      bytes = 0;
    }
    batch.push(entry);
    bytes += entry.length;
  }
  yield* await readRecords(storage, batch);
}
