/**
 * What compaction decides on: which checkpoint each live checkpoint is best predicted from, which chunks are only there as
 * bases of others (ghosts), and which chunks are worth encoding anew.
 */
import type { ChunkEntry } from '../format/index.js';
import type { ChunkId } from '../hash/index.js';
import type { DType } from '../tensor/index.js';
import type { ResolvedCheckpoint } from './live-store.js';
import type { ReencodeTask } from './reencode.js';

/** The versions of one place in one stream over all live checkpoints: candidates to be encoded on each other. */
interface Lineage {
  dtype: DType;
  /** In an order in which predecessors come first; each id once. */
  versions: ChunkVersion[];
}

interface ChunkVersion {
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
function findLineages(checkpoints: readonly ResolvedCheckpoint[]): Lineage[] {
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

/** Where chunks stand among the versions of their places, and what they may be based on. */
export class ChunkPlaces {
  /** Every chunk once, each after the one it is best predicted from. */
  readonly versions: readonly ChunkVersion[];
  private readonly found = new Map<ChunkId, { lineage: Lineage; at: number }>();

  constructor(checkpoints: readonly ResolvedCheckpoint[]) {
    const lineages = findLineages(checkpoints);
    this.versions = lineages.flatMap(({ versions }) => versions);
    for (const lineage of lineages)
      for (const [at, { id }] of lineage.versions.entries()) this.found.set(id, { lineage, at });
  }

  dtype(id: ChunkId): DType {
    return this.found.get(id)?.lineage.dtype ?? 'bytes';
  }

  /** Returns lower chunks of live checkpoints that a chunk may be based on: its predecessor, the nearest full ones. */
  liveBases(id: ChunkId, encodings: ReadonlyMap<ChunkId, ChunkEntry>): ChunkId[] {
    const place = this.found.get(id);
    const predecessor = place?.lineage.versions[place.at].predecessor;
    return lowerOnes(id, [predecessor, ...this.nearestFull(id, encodings)], encodings);
  }

  /** Returns full chunks that a chunk may be based on: the end of its chain, the nearest of live checkpoints. */
  fullBases(id: ChunkId, encodings: ReadonlyMap<ChunkId, ChunkEntry>): ChunkId[] {
    return lowerOnes(id, [chainEnd(id, encodings), ...this.nearestFull(id, encodings)], encodings);
  }

  /** Returns the nearest version after a chunk that is stored in full and as long, and not among those that may go. */
  nextFull(
    id: ChunkId,
    encodings: ReadonlyMap<ChunkId, ChunkEntry>,
    mayGo: ReadonlySet<ChunkId>,
  ): ChunkId | undefined {
    const place = this.found.get(id);
    const rawLength = encodings.get(id)?.rawLength;
    return place?.lineage.versions.slice(place.at + 1).find((version) => {
      const entry = encodings.get(version.id);
      return entry?.height === 0 && entry.rawLength === rawLength && !mayGo.has(version.id);
    })?.id;
  }

  /** The nearest version before and the nearest after that are stored in full. */
  private nearestFull(id: ChunkId, encodings: ReadonlyMap<ChunkId, ChunkEntry>): ChunkId[] {
    const place = this.found.get(id);
    if (place === undefined) return [];
    const { versions } = place.lineage;
    const isFull = (version: ChunkVersion) => encodings.get(version.id)?.height === 0;
    const before = versions.slice(0, place.at).findLast(isFull);
    const after = versions.slice(place.at + 1).find(isFull);
    return [before, after].flatMap((version) => (version === undefined ? [] : [version.id]));
  }
}

function lowerOnes(
  id: ChunkId,
  candidates: readonly (ChunkId | undefined)[],
  encodings: ReadonlyMap<ChunkId, ChunkEntry>,
): ChunkId[] {
  const height = encodings.get(id)?.height ?? 0;
  const lower = candidates.filter((candidate) => {
    const entry = candidate === undefined ? undefined : encodings.get(candidate);
    return entry !== undefined && entry.height < height;
  }) as ChunkId[];
  return [...new Set(lower)];
}

function chainEnd(id: ChunkId, encodings: ReadonlyMap<ChunkId, ChunkEntry>): ChunkId | undefined {
  const first = encodings.get(id);
  let entry = first;
  while (entry !== undefined && entry.height > 0) entry = encodings.get(entry.references[0]);
  return entry?.rawLength === first?.rawLength ? entry?.id : undefined;
}

/** Returns the ghosts that decoding a chunk reads. */
function ghostsBelow(
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

/** A ghost that more chunks than this read (a chunk of zeros, say) ties nothing together and is not expected to go. */
const GHOST_READERS_MAX = 16;

/**
 * Bases chunks that read ghosts on chunks of live checkpoints, where that takes fewer bytes than their records together with
 * the ghosts that go then. Chunks that share ghosts go together: update rules make weights read moments.
 */
export function ghostTasks(
  places: ChunkPlaces,
  encodings: ReadonlyMap<ChunkId, ChunkEntry>,
  content: ReadonlySet<ChunkId>,
  isReadElsewhere: (ghost: ChunkId) => boolean,
): ReencodeTask[] {
  const ids: ChunkId[] = [];
  const ghostsOf: Set<ChunkId>[] = [];
  for (const { id } of places.versions) {
    const ghosts = ghostsBelow(id, encodings, content);
    if (ghosts.size === 0) continue;
    ids.push(id);
    ghostsOf.push(ghosts);
  }
  const lengthOf = (id: ChunkId): number => encodings.get(id)?.length ?? 0;
  return groupByGhosts(ghostsOf, isReadElsewhere).map(({ readers, ghosts }) => {
    const members = readers.map((at) => ids[at]);
    return {
      chunks: members.map((id) => {
        return { id, dtype: places.dtype(id), bases: places.liveBases(id, encodings) };
      }),
      level: 'max',
      bytesMax: [...members, ...ghosts].reduce((sum, id) => sum + lengthOf(id), 0),
    };
  });
}

/** Readers that have ghosts in common, by number, and the ghosts that go if none of them reads any more. */
interface GhostGroup {
  readers: number[];
  ghosts: ChunkId[];
}

function groupByGhosts(
  ghostsOf: readonly ReadonlySet<ChunkId>[],
  isReadElsewhere: (ghost: ChunkId) => boolean,
): GhostGroup[] {
  const readersOf = new Map<ChunkId, number[]>();
  for (const [at, ghosts] of ghostsOf.entries()) {
    for (const ghost of ghosts) {
      const readers = readersOf.get(ghost);
      if (readers === undefined) readersOf.set(ghost, [at]);
      else readers.push(at);
    }
  }
  const groupOf = ghostsOf.map((_, at): GhostGroup => ({ readers: [at], ghosts: [] }));
  for (const [ghost, readers] of readersOf) {
    if (readers.length > GHOST_READERS_MAX) continue;
    const [first, ...others] = readers;
    for (const other of others) join(groupOf, groupOf[first], groupOf[other]);
    if (!isReadElsewhere(ghost)) groupOf[first].ghosts.push(ghost);
  }
  return [...new Set(groupOf)].filter(({ ghosts }) => ghosts.length > 0);
}

function join(groupOf: GhostGroup[], target: GhostGroup, source: GhostGroup): void {
  if (target === source) return;
  target.readers.push(...source.readers);
  target.ghosts.push(...source.ghosts);
  for (const at of source.readers) groupOf[at] = target;
}
