/** Which packs are worth rewriting, and what is in them. */

import type { StoredRecord } from '../compute/index.js';
import { type ChunkEntry, objectKey } from '../format/index.js';
import { PACK_BYTES_TARGET, readRecords } from '../packs/index.js';
import type { Storage } from '../storage/index.js';

/** A pack with less than this share of live bytes is rewritten. */
const LIVE_SHARE_MIN = 0.8;
/** Packs below this size are merged once there are several. */
const SMALL_PACK_BYTES = PACK_BYTES_TARGET / 4;
const SMALL_PACKS_MIN = 4;
/** Bytes of records that are read at once. */
const BATCH_BYTES = 16 * 2 ** 20;

/**
 * Returns the names of those of the `touched` packs that are mostly dead, or small and many; where there is an `open` pack to
 * move them to, it is one of the many.
 */
export async function packsToRewrite(
  storage: Storage,
  live: Iterable<ChunkEntry>,
  touched: ReadonlySet<string>,
  open: boolean,
): Promise<Set<string>> {
  const liveBytes = new Map<string, number>();
  for (const entry of live) liveBytes.set(entry.pack, (liveBytes.get(entry.pack) ?? 0) + entry.length);
  const rewritten = new Set<string>();
  const small: string[] = [];
  for await (const { key, size } of storage.list('packs/')) {
    const name = key.slice('packs/'.length);
    if (key !== objectKey('packs', name) || !touched.has(name)) continue;
    const bytes = liveBytes.get(name);
    if (bytes === undefined) continue;
    if (bytes < size * LIVE_SHARE_MIN) rewritten.add(name);
    else if (size < SMALL_PACK_BYTES) small.push(name);
  }
  if (small.length + (open ? 1 : 0) >= SMALL_PACKS_MIN) for (const name of small) rewritten.add(name);
  return rewritten;
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
