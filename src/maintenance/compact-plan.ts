/**
 * What compaction decides on: which checkpoint each live checkpoint is best predicted from, which chunks are only there as
 * bases of others (ghosts), and which chunks are worth encoding anew.
 */
import type { ChunkEntry } from '../format/index.js';
import type { ChunkId } from '../hash/index.js';
import type { DType } from '../tensor/index.js';
import type { ResolvedCheckpoint } from './live-store.js';

/** The versions of one place in one stream over all live checkpoints: candidates to be encoded on each other. */
export interface Lineage {
  dtype: DType;
  /** In an order in which predecessors come first; each id once. */
  versions: ChunkVersion[];
}

export interface ChunkVersion {
  id: ChunkId;
  /** The same place in the checkpoint before; undefined for the first. */
  predecessor: ChunkId | undefined;
}

/** Returns the checkpoints so that each comes after the one it is best predicted from, together with that one. */
export function orderByLineage(
  checkpoints: readonly ResolvedCheckpoint[],
): { checkpoint: ResolvedCheckpoint; predecessor: ResolvedCheckpoint | undefined }[] {
  const byId = new Map(checkpoints.map((checkpoint) => [checkpoint.entry.id, checkpoint]));
  const previousInRun = new Map<ResolvedCheckpoint, ResolvedCheckpoint>();
  const lastOfRun = new Map<string, ResolvedCheckpoint>();
  for (const checkpoint of checkpoints) {
    const last = lastOfRun.get(checkpoint.run);
    if (last !== undefined) previousInRun.set(checkpoint, last);
    lastOfRun.set(checkpoint.run, checkpoint);
  }
  const ordered: { checkpoint: ResolvedCheckpoint; predecessor: ResolvedCheckpoint | undefined }[] = [];
  const placed = new Set<ResolvedCheckpoint>();
  for (const start of checkpoints) {
    const waiting: ResolvedCheckpoint[] = [];
    for (let at: ResolvedCheckpoint | undefined = start; at !== undefined && !placed.has(at); ) {
      placed.add(at);
      waiting.push(at);
      at = byId.get(at.entry.parent ?? '') ?? previousInRun.get(at);
    }
    for (const checkpoint of waiting.reverse()) {
      const predecessor = byId.get(checkpoint.entry.parent ?? '') ?? previousInRun.get(checkpoint);
      ordered.push({ checkpoint, predecessor });
    }
  }
  return ordered;
}

/** Groups the chunks of all live checkpoints by the place they have in their stream. */
export function findLineages(checkpoints: readonly ResolvedCheckpoint[]): Lineage[] {
  const lineages = new Map<string, Lineage>();
  const seen = new Set<ChunkId>();
  for (const { checkpoint, predecessor } of orderByLineage(checkpoints)) {
    const { layout, content } = checkpoint.loaded;
    const before = new Map(predecessor?.loaded.layout.streams.map((stream, at) => [stream.key, at]));
    for (const [at, stream] of layout.streams.entries()) {
      const beforeAt = before.get(stream.key);
      const aligned =
        beforeAt !== undefined && predecessor?.loaded.layout.streams[beforeAt].dtype === stream.dtype;
      const previous =
        aligned && stream.chunking !== 'content' ? predecessor?.loaded.content.streams[beforeAt].ids : [];
      for (const [index, id] of content.streams[at].ids.entries()) {
        if (seen.has(id)) continue;
        seen.add(id);
        const place = JSON.stringify([stream.key, index]);
        const lineage = lineages.get(place) ?? { dtype: stream.dtype, versions: [] };
        lineages.set(place, lineage);
        lineage.versions.push({ id, predecessor: previous?.[index] });
      }
    }
  }
  return [...lineages.values()];
}

/** Returns the ghosts that decoding a chunk reads. */
export function ghostsBelow(
  id: ChunkId,
  encodings: ReadonlyMap<ChunkId, ChunkEntry>,
  content: ReadonlySet<ChunkId>,
): Set<ChunkId> {
  const ghosts = new Set<ChunkId>();
  const open = [...(encodings.get(id)?.references ?? [])];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (content.has(next) || ghosts.has(next)) continue;
    ghosts.add(next);
    open.push(...(encodings.get(next)?.references ?? []));
  }
  return ghosts;
}

/** A ghost that more lineages than this read (a chunk of zeros, say) ties nothing together and is not expected to go. */
const GHOST_LINEAGES_MAX = 16;

/** Lineages that have ghosts in common, and the ghosts that go if none of them reads any more. */
export interface LineageGroup {
  lineages: number[];
  ghosts: ChunkId[];
}

/** Groups lineages by the ghosts they read: update rules make weights read moments, so that ghosts are shared. */
export function groupByGhosts(
  ghostsOf: readonly ReadonlySet<ChunkId>[],
  isReadElsewhere: (ghost: ChunkId) => boolean,
): LineageGroup[] {
  const readers = new Map<ChunkId, number[]>();
  for (const [at, ghosts] of ghostsOf.entries()) {
    for (const ghost of ghosts) readers.set(ghost, [...(readers.get(ghost) ?? []), at]);
  }
  const groups = new Map<number, LineageGroup>();
  const groupOf = ghostsOf.map((_, at): LineageGroup => ({ lineages: [at], ghosts: [] }));
  for (const [ghost, lineages] of readers) {
    if (lineages.length > GHOST_LINEAGES_MAX) continue;
    const [first, ...others] = lineages;
    for (const other of others) join(groupOf, groupOf[first], groupOf[other]);
    if (!isReadElsewhere(ghost)) groupOf[first].ghosts.push(ghost);
  }
  for (const group of groupOf) if (group.ghosts.length > 0) groups.set(Math.min(...group.lineages), group);
  return [...groups.values()];
}

function join(groupOf: LineageGroup[], target: LineageGroup, source: LineageGroup): void {
  if (target === source) return;
  target.lineages.push(...source.lineages);
  target.ghosts.push(...source.ghosts);
  for (const at of source.lineages) groupOf[at] = target;
}
