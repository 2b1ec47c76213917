/** Cuts what is to be decoded into units of work, so that what chunks share is decoded once. */
import type { ChunkEntry } from '../format/index.js';
import type { ChunkId } from '../hash/index.js';
import type { ChunkIndex } from './chunk-index.js';
import { inDecodeOrder } from './record-batches.js';

/**
 * Decoded bytes from which on a unit is large enough, bases included; it ends where a group of chunks ends, or at four times as
 * many.
 */
const UNIT_BYTES = 6 * 2 ** 20;
/** Little is cut into up to this many units, so that each thread has something to do, */
const UNITS_MIN = 8;
/** but not below this size. */
const UNIT_BYTES_MIN = 2 ** 20;
/** Chunks that read one another are cut apart from here on, although then some are decoded twice. */
const CLUSTER_BYTES_MAX = 128 * 2 ** 20;
/**
 * A chunk that more others than this read, as zeros that all moments began with, does not tie them together: it is decoded
 * once in each unit.
 */
const READERS_MAX = 16;

/** Chunks that are decoded together. */
export interface DecodeUnit {
  /** Each after all that it reads. */
  entries: ChunkEntry[];
  wanted: ChunkId[];
  /** Decoded bytes of all entries. */
  bytes: number;
}

/**
 * Returns units that decode the given chunks, in about this order. Chunks whose chains meet share a unit, and the chunks of
 * one group do if they are few. Missing chunks are `corrupt`, naming `object` as what refers to them.
 */
export function decodeUnits(
  index: ChunkIndex,
  groups: readonly (readonly ChunkId[])[],
  object: string,
): DecodeUnit[] {
  const closure = index.closure(groups.flat(), object);
  const total = [...closure.values()].reduce((sum, { rawLength }) => sum + rawLength, 0);
  const unitBytes = Math.min(UNIT_BYTES, Math.max(UNIT_BYTES_MIN, total / UNITS_MIN));
  const clusterOf = findClusters(closure, groups);
  const units: DecodeUnit[] = [];
  let open = new OpenUnit(index, object);
  const close = (): void => {
    if (open.wanted.size > 0) units.push(open.finish());
    open = new OpenUnit(index, object);
  };
  const done = new Set<ChunkId>();
  for (const group of groups) {
    for (const first of group) {
      for (const id of clusterOf.get(first) ?? []) {
        if (done.has(id)) continue;
        done.add(id);
        open.add(id);
        if (open.bytes >= CLUSTER_BYTES_MAX) close();
      }
      if (open.bytes >= 4 * unitBytes) close();
    }
    if (open.bytes >= unitBytes) close();
  }
  close();
  return units;
}

class OpenUnit {
  readonly wanted = new Set<ChunkId>();
  bytes = 0;
  private readonly entries = new Map<ChunkId, ChunkEntry>();
  private readonly index: ChunkIndex;
  private readonly object: string;

  constructor(index: ChunkIndex, object: string) {
    this.index = index;
    this.object = object;
  }

  add(id: ChunkId): void {
    this.wanted.add(id);
    const added = this.index.closure([id], this.object, (known) => this.entries.has(known));
    for (const entry of [...added.values()].sort(inDecodeOrder)) {
      this.entries.set(entry.id, entry);
      this.bytes += entry.rawLength;
    }
  }

  finish(): DecodeUnit {
    return { entries: [...this.entries.values()], wanted: [...this.wanted], bytes: this.bytes };
  }
}

/** Returns for every wanted chunk those wanted whose chains meet its own, itself included, in the order of the groups. */
export function findClusters(
  closure: ReadonlyMap<ChunkId, ChunkEntry>,
  groups: readonly (readonly ChunkId[])[],
): Map<ChunkId, ChunkId[]> {
  const readers = new Map<ChunkId, number>();
  for (const { references } of closure.values())
    for (const id of references) readers.set(id, (readers.get(id) ?? 0) + 1);
  const parents = new Map<ChunkId, ChunkId>();
  const rootOf = (id: ChunkId): ChunkId => {
    let root = id;
    for (let up = parents.get(root); up !== undefined; up = parents.get(root)) root = up;
    for (let at = id; at !== root; ) {
      const up = parents.get(at) ?? root;
      parents.set(at, root);
      at = up;
    }
    return root;
  };
  for (const { id, references } of closure.values()) {
    for (const reference of references) {
      const [a, b] = [rootOf(id), rootOf(reference)];
      if (a !== b && (readers.get(reference) ?? 0) <= READERS_MAX) parents.set(a, b);
    }
  }
  const clusters = new Map<ChunkId, ChunkId[]>();
  const clusterOf = new Map<ChunkId, ChunkId[]>();
  for (const id of groups.flat()) {
    if (clusterOf.has(id)) continue;
    const cluster = clusters.get(rootOf(id)) ?? [];
    cluster.push(id);
    clusters.set(rootOf(id), cluster);
    clusterOf.set(id, cluster);
  }
  return clusterOf;
}
