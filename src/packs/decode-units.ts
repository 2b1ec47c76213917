/** Cuts what is to be decoded into units of work, so that what chunks share is decoded once. */
import type { ChunkEntry } from '../format/index.js';
import type { ChunkId } from '../hash/index.js';
import type { ChunkIndex } from './chunk-index.js';
import { inDecodeOrder } from './record-batches.js';

/**
 * Decoded bytes from which on a unit is large enough, bases included; it ends where a group of chunks ends, or at four times as
 * many. What is cut ends with its group.
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

/** What is decoded together. `Wanted` is a chunk, or something that takes several, such as a pair to be compared. */
export interface DecodeUnit<Wanted> {
  /** Each after all that it reads. */
  entries: ChunkEntry[];
  wanted: Wanted[];
  /** Decoded bytes of all entries. */
  bytes: number;
}

/** Returns the chunks that something wanted takes: one at least. */
type IdsOf<Wanted> = (wanted: Wanted) => readonly ChunkId[];

/**
 * Returns units that decode what is wanted, in about this order. Chunks whose chains meet share a unit, all that one thing
 * takes does, and a group does if it is small. Missing chunks are `corrupt`, naming `object` as what refers to them.
 */
export function decodeUnits<Wanted>(
  index: ChunkIndex,
  groups: readonly (readonly Wanted[])[],
  idsOf: IdsOf<Wanted>,
  object: string,
): DecodeUnit<Wanted>[] {
  const closure = index.closure(groups.flat().flatMap(idsOf), object);
  const total = [...closure.values()].reduce((sum, { rawLength }) => sum + rawLength, 0);
  const unitBytes = Math.min(UNIT_BYTES, Math.max(UNIT_BYTES_MIN, total / UNITS_MIN));
  const clusterOf = findClusters(closure, groups, idsOf);
  const units: DecodeUnit<Wanted>[] = [];
  let open = new OpenUnit<Wanted>(index, object);
  const close = (): void => {
    if (open.wanted.length > 0) units.push(open.finish());
    open = new OpenUnit(index, object);
  };
  const done = new Set<Wanted>();
  for (const group of groups) {
    const closed = units.length;
    for (const first of group) {
      for (const wanted of clusterOf.get(first) ?? []) {
        if (done.has(wanted)) continue;
        done.add(wanted);
        open.add(wanted, idsOf(wanted));
        if (open.bytes >= CLUSTER_BYTES_MAX) close();
      }
      if (open.bytes >= 4 * unitBytes) close();
    }
    // The rest of a large group stays alone, so that units of two groups are not tied together by what they fill.
    if (open.bytes >= unitBytes || units.length > closed) close();
  }
  close();
  return units;
}

class OpenUnit<Wanted> {
  readonly wanted: Wanted[] = [];
  bytes = 0;
  private readonly entries = new Map<ChunkId, ChunkEntry>();
  private readonly index: ChunkIndex;
  private readonly object: string;

  constructor(index: ChunkIndex, object: string) {
    this.index = index;
    this.object = object;
  }

  add(wanted: Wanted, ids: readonly ChunkId[]): void {
    this.wanted.push(wanted);
    const added = this.index.closure(ids, this.object, (known) => this.entries.has(known));
    for (const entry of [...added.values()].sort(inDecodeOrder)) {
      this.entries.set(entry.id, entry);
      this.bytes += entry.rawLength;
    }
  }

  finish(): DecodeUnit<Wanted> {
    return { entries: [...this.entries.values()], wanted: this.wanted, bytes: this.bytes };
  }
}

/** Returns for all that is wanted that whose chains meet its own, itself included, in the order of the groups. */
export function findClusters<Wanted>(
  closure: ReadonlyMap<ChunkId, ChunkEntry>,
  groups: readonly (readonly Wanted[])[],
  idsOf: IdsOf<Wanted>,
): Map<Wanted, Wanted[]> {
  const readers = new Map<ChunkId, number>();
  const countReaders = (ids: readonly ChunkId[]): void => {
    for (const id of ids) readers.set(id, (readers.get(id) ?? 0) + 1);
  };
  for (const { references } of closure.values()) countReaders(references);
  for (const wanted of groups.flat()) if (idsOf(wanted).length > 1) countReaders(idsOf(wanted));
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
  const ties = (id: ChunkId): boolean => (readers.get(id) ?? 0) <= READERS_MAX;
  const join = (id: ChunkId, others: readonly ChunkId[]): void => {
    for (const other of others) {
      const [a, b] = [rootOf(id), rootOf(other)];
      if (a !== b && ties(other)) parents.set(a, b);
    }
  };
  const placeOf = (wanted: Wanted): ChunkId => idsOf(wanted).find(ties) ?? idsOf(wanted)[0];
  for (const { id, references } of closure.values()) join(id, references);
  for (const wanted of groups.flat()) join(placeOf(wanted), idsOf(wanted));
  const clusters = new Map<ChunkId, Wanted[]>();
  const clusterOf = new Map<Wanted, Wanted[]>();
  for (const wanted of groups.flat()) {
    if (clusterOf.has(wanted)) continue;
    const root = rootOf(placeOf(wanted));
    const cluster = clusters.get(root) ?? [];
    cluster.push(wanted);
    clusters.set(root, cluster);
    clusterOf.set(wanted, cluster);
  }
  return clusterOf;
}
