/**
 * What restoring costs, in bytes of full chunks: the measure of delta chains. Constants, never clocks, so that the same
 * saves give the same store everywhere.
 */
import type { ChunkEntry } from '../format/index.js';
import type { ChunkId } from '../hash/index.js';
import type { Encodings } from './chunk-reader.js';

/** Time to decode a byte of a delta against one of a full chunk: the base is there, and fewer bytes are read. */
export const DELTA_COST = 0.8;

/** Returns what decoding one record costs, once the chunks that it reads are there. */
function recordCost({ rawLength, height }: Pick<ChunkEntry, 'rawLength' | 'height'>): number {
  return height === 0 ? rawLength : rawLength * DELTA_COST;
}

/** Returns what restoring the given chunks together costs: each record that they read is decoded once. */
export function restoreCost(encodings: Encodings, ids: Iterable<ChunkId>): number {
  const seen = new Set<ChunkId>();
  const open = [...ids];
  let cost = 0;
  for (let id = open.pop(); id !== undefined; id = open.pop()) {
    const entry = seen.has(id) ? undefined : encodings.get(id);
    seen.add(id);
    if (entry === undefined) continue;
    cost += recordCost(entry);
    open.push(...entry.references);
  }
  return cost;
}
