/** What segments say of chunks, also where some of them are damaged. */
import { readIndexSource, type StoreContext } from '../checkpoints/index.js';
import { type ChunkEntry, entriesOf } from '../format/index.js';
import type { ChunkId } from '../hash/index.js';
import { asDamage } from './damage-log.js';

/** Reads what resolves a manifest's chunks; undefined if it is damaged. */
export async function readSegment(context: StoreContext, source: string): Promise<ChunkEntry[] | undefined> {
  try {
    return [...entriesOf(await readIndexSource(context, source))];
  } catch (error) {
    asDamage(error);
    return undefined;
  }
}

/** Returns the encodings of chunks and of all that decoding them reads, as far as they are on record. */
export function reachable(
  ids: Iterable<ChunkId>,
  get: (id: ChunkId) => ChunkEntry | undefined,
): Map<ChunkId, ChunkEntry> {
  const found = new Map<ChunkId, ChunkEntry>();
  const open = [...ids];
  for (let id = open.pop(); id !== undefined; id = open.pop()) {
    const entry = get(id);
    if (entry === undefined || found.has(id)) continue;
    found.set(id, entry);
    open.push(...entry.references);
  }
  return found;
}
