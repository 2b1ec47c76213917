/**
 * Pivoting: early chunks in full become deltas on a late one in full, where nothing that stays builds on them. No reference to
 * such a chunk is left, so its encoding may get higher than the one it replaces without making another too low.
 */
import type { ChunkEntry } from '../format/index.js';
import type { ChunkId } from '../hash/index.js';
import { contentOf, SKIP_DELTA_FACTOR } from './chain-shortening.js';
import type { ChunkPlaces } from './compact-plan.js';
import { contentIds, neededEncodings, restoreFactor } from './live-encodings.js';
import type { ResolvedCheckpoint } from './live-store.js';
import type { ReencodeTask } from './reencode.js';

/** A chunk that takes 1.8 times as long to restore must give back a tenth of its bytes. */
const PIVOT_SHARE_MAX = 0.9;

export interface PivotScope {
  /** All live checkpoints: what one of them builds on stays. */
  checkpoints: readonly ResolvedCheckpoint[];
  /** Those of which chunks may be encoded anew. */
  scope: readonly ResolvedCheckpoint[];
  /** These stay as fast to restore as they are. */
  heads: readonly ResolvedCheckpoint[];
  /** Longest time to restore, against a full checkpoint. */
  factorMax: number;
  /** Encodings before this compaction: what it wrote itself stays, else it would leave it as garbage. */
  before: ReadonlyMap<ChunkId, ChunkEntry>;
}

/** Returns the early chunks that may be based on a later version of their place that stays in full. */
export function pivotTasks(
  { checkpoints, scope, heads, factorMax, before }: PivotScope,
  encodings: ReadonlyMap<ChunkId, ChunkEntry>,
  places: ChunkPlaces,
): ReencodeTask[] {
  if (SKIP_DELTA_FACTOR > factorMax) return [];
  const needed = neededEncodings(checkpoints, encodings);
  const staying = new Set<ChunkId>(heads.flatMap((head) => [...contentOf(head)]));
  for (const { references } of needed.values()) for (const id of references) staying.add(id);
  const early = [...contentIds(scope)].filter((id) => {
    const entry = needed.get(id);
    return entry?.height === 0 && entry === before.get(id) && !staying.has(id);
  });
  const mayGo = new Set(early);
  const planned = new Map(needed);
  const bases = new Map<ChunkId, ChunkId>();
  for (const id of early) {
    const base = places.nextFull(id, needed, mayGo);
    const entry = needed.get(id);
    if (base === undefined || entry === undefined) continue;
    bases.set(id, base);
    planned.set(id, { ...entry, height: 1, references: [base] });
  }
  for (const checkpoint of checkpoints) {
    const touched = [...contentOf(checkpoint)].filter((id) => bases.has(id));
    if (touched.length === 0 || restoreFactor(checkpoint, planned) <= factorMax) continue;
    for (const id of touched) bases.delete(id);
  }
  return [...bases].map(([id, base]) => ({
    chunks: [{ id, dtype: places.dtype(id), bases: [base] }],
    level: 'max',
    bytesMax: (needed.get(id)?.length ?? 0) * PIVOT_SHARE_MAX,
  }));
}
