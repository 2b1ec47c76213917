/** What compaction does about the time that restoring takes: heads in full, all others within the budget. */
import type { ChunkEntry, Root } from '../format/index.js';
import type { ChunkId } from '../hash/index.js';
import { findClusters, restoreCost } from '../packs/index.js';
import type { ChunkPlaces } from './compact-plan.js';
import { closureOf, restoreFactor } from './live-encodings.js';
import type { ResolvedCheckpoint } from './live-store.js';
import type { ReencodeTask } from './reencode.js';

/** Restoring a head may take this much more than restoring a full checkpoint; above it, its deltas are stored in full. */
const HEAD_FACTOR_MAX = 1.15;
/** A delta on a full chunk costs this many times a full chunk. */
export const SKIP_DELTA_FACTOR = 1.8;
/** Decoded bytes, those of all bases included, from which on a task takes no more chunks. */
const TASK_BYTES = 64 * 2 ** 20;
export const ROUNDING = 1 + 1e-9;

type Encodings = ReadonlyMap<ChunkId, ChunkEntry>;

/** Returns the checkpoints that are restored most: the latest of each run, and those that are tagged or pinned. */
export function headsOf(root: Root, checkpoints: readonly ResolvedCheckpoint[]): ResolvedCheckpoint[] {
  const latest = new Map(checkpoints.map((checkpoint) => [checkpoint.run, checkpoint]));
  const marked = new Set([...root.tags.values(), ...root.pins.values()].map(({ id }) => id));
  return checkpoints.filter((one) => latest.get(one.run) === one || marked.has(one.entry.id));
}

/**
 * Stores what heads read of other checkpoints in full, in the forms that decode fastest. Copies predicted from a head's own
 * weights stay: they cost nothing.
 */
export function headTasks(
  heads: readonly ResolvedCheckpoint[],
  encodings: Encodings,
  places: ChunkPlaces,
): ReencodeTask[] {
  const ids = new Set<ChunkId>();
  for (const head of heads) {
    if (restoreFactor(head, encodings) <= HEAD_FACTOR_MAX) continue;
    for (const id of deltasOnOthers(head, encodings)) ids.add(id);
  }
  const tasks = clustersOf(ids, encodings).flatMap((cluster) => partsOf(cluster, encodings));
  return tasks.map((cluster) => ({
    chunks: cluster.map((id) => ({ id, dtype: places.dtype(id), bases: [] })),
    level: 'fast',
    bytesMax: Number.POSITIVE_INFINITY,
  }));
}

/** Bases what takes too long on full chunks, if the checkpoint as a whole takes too long. */
export function budgetTasks(
  checkpoint: ResolvedCheckpoint,
  encodings: Encodings,
  places: ChunkPlaces,
  maxRestoreFactor: number,
): ReencodeTask[] {
  const factorMax = maxRestoreFactor * ROUNDING;
  if (restoreFactor(checkpoint, encodings) <= factorMax) return [];
  const slow = clustersOf(contentOf(checkpoint), encodings).filter((cluster) => {
    const raw = cluster.reduce((sum, id) => sum + (encodings.get(id)?.rawLength ?? 0), 0);
    return restoreCost(encodings, cluster) > raw * factorMax;
  });
  const deltas = new Set(deltasOnOthers(checkpoint, encodings));
  const mayDelta = SKIP_DELTA_FACTOR <= factorMax;
  return slow.map((cluster) => ({
    chunks: cluster
      .filter((id) => deltas.has(id))
      .map((id) => ({ id, dtype: places.dtype(id), bases: mayDelta ? places.fullBases(id, encodings) : [] })),
    level: 'max',
    bytesMax: Number.POSITIVE_INFINITY,
  }));
}

/** Bases chunks at the end of chains longer than `maxHeight` on full ones, or stores them in full where that is 0. */
export function heightTasks(
  checkpoint: ResolvedCheckpoint,
  encodings: Encodings,
  places: ChunkPlaces,
  maxHeight: number,
): ReencodeTask[] {
  const tooHigh = [...contentOf(checkpoint)].filter((id) => (encodings.get(id)?.height ?? 0) > maxHeight);
  const clusters = clustersOf(new Set(tooHigh), encodings).flatMap((cluster) => partsOf(cluster, encodings));
  return clusters.map((cluster) => ({
    chunks: cluster.map((id) => {
      return { id, dtype: places.dtype(id), bases: maxHeight > 0 ? places.fullBases(id, encodings) : [] };
    }),
    level: 'max',
    bytesMax: Number.POSITIVE_INFINITY,
  }));
}

/** Returns the chunks of a checkpoint, each once. */
export function contentOf({ loaded }: ResolvedCheckpoint): Set<ChunkId> {
  return new Set(loaded.content.streams.flatMap((stream) => stream.ids));
}

/** Returns a checkpoint's chunks that read chunks which are not its own. */
function deltasOnOthers(checkpoint: ResolvedCheckpoint, encodings: Encodings): ChunkId[] {
  const content = contentOf(checkpoint);
  return [...content].filter((id) => encodings.get(id)?.references.some((read) => !content.has(read)));
}

/** Returns the chunks in groups whose chains meet. */
function clustersOf(ids: ReadonlySet<ChunkId>, encodings: Encodings): ChunkId[][] {
  return [...new Set(findClusters(closureOf(ids, encodings), [[...ids]], (id) => [id]).values())];
}

/** Cuts a group where decoding it would take too much memory: what both parts read is then decoded twice. */
function partsOf(cluster: readonly ChunkId[], encodings: Encodings): ChunkId[][] {
  const parts: ChunkId[][] = [];
  let seen = new Set<ChunkId>();
  let bytes = Number.POSITIVE_INFINITY;
  for (const id of cluster) {
    if (bytes >= TASK_BYTES) {
      parts.push([]);
      seen = new Set();
      bytes = 0;
    }
    parts[parts.length - 1].push(id);
    for (const [needed, { rawLength }] of closureOf([id], encodings)) {
      if (!seen.has(needed)) bytes += rawLength;
      seen.add(needed);
    }
  }
  return parts;
}
