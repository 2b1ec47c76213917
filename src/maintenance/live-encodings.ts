/** Sets of encodings: what live checkpoints resolve to, and what decoding given chunks reads. */
import { type ChunkEntry, streamBytes } from '../format/index.js';
import type { ChunkId } from '../hash/index.js';
import { restoreCost } from '../packs/index.js';
import type { ResolvedCheckpoint } from './live-store.js';

/** The encodings that live checkpoints resolve to: of each chunk the lowest. */
export function lowestEncodings(checkpoints: readonly ResolvedCheckpoint[]): Map<ChunkId, ChunkEntry> {
  const lowest = new Map<ChunkId, ChunkEntry>();
  for (const { closure } of checkpoints) {
    for (const [id, entry] of closure) {
      const present = lowest.get(id);
      if (present === undefined || entry.height < present.height) lowest.set(id, entry);
    }
  }
  return lowest;
}

/** Returns all encodings that some live checkpoint resolves to; of one chunk there may be several. */
export function distinctEncodings(checkpoints: readonly ResolvedCheckpoint[]): ChunkEntry[] {
  const distinct = new Map<string, ChunkEntry>();
  for (const { closure } of checkpoints) {
    for (const entry of closure.values()) distinct.set(`${entry.pack} ${entry.offset}`, entry);
  }
  return [...distinct.values()];
}

/** Returns the chunks that stand in a live checkpoint themselves; all others of the encodings are ghosts. */
export function contentIds(checkpoints: readonly ResolvedCheckpoint[]): Set<ChunkId> {
  const ids = new Set<ChunkId>();
  for (const { loaded } of checkpoints) {
    for (const stream of loaded.content.streams) for (const id of stream.ids) ids.add(id);
  }
  return ids;
}

/** Returns the encodings that the live checkpoints need, ghosts included. */
export function neededEncodings(
  checkpoints: readonly ResolvedCheckpoint[],
  encodings: ReadonlyMap<ChunkId, ChunkEntry>,
): Map<ChunkId, ChunkEntry> {
  return closureOf(contentIds(checkpoints), encodings);
}

/** Returns the encodings that decoding the given chunks reads, without those that are known and what these read. */
export function closureOf(
  ids: Iterable<ChunkId>,
  encodings: ReadonlyMap<ChunkId, ChunkEntry>,
  isKnown: (id: ChunkId) => boolean = () => false,
): Map<ChunkId, ChunkEntry> {
  const closure = new Map<ChunkId, ChunkEntry>();
  const open = [...ids];
  for (let id = open.pop(); id !== undefined; id = open.pop()) {
    const entry = encodings.get(id);
    if (entry === undefined) throw new Error(`chunk ${id} lost its encoding`);
    if (closure.has(id) || isKnown(id)) continue;
    closure.set(id, entry);
    open.push(...entry.references);
  }
  return closure;
}

/**
 * Returns the heights that moved chunks really have once the chunks they read have become lower. Chunks that stay where they
 * are keep the height on record, since their pack's footer has it too.
 */
export function trueHeights(
  moving: ReadonlyMap<ChunkId, ChunkEntry>,
  needed: ReadonlyMap<ChunkId, ChunkEntry>,
): Map<ChunkId, number> {
  const heights = new Map<ChunkId, number>();
  const ascending = [...needed].sort(([, a], [, b]) => a.height - b.height);
  for (const [id, entry] of ascending) {
    const read = entry.references.map((reference) => heights.get(reference) ?? 0);
    heights.set(id, moving.has(id) && read.length > 0 ? 1 + Math.max(...read) : entry.height);
  }
  return heights;
}

/**
 * Returns what restoring a checkpoint costs against one of the same size that is stored in full. Of one that has lost groups this is
 * what restoring the rest costs against what all of it did: dropping groups never makes the budget demand more bytes.
 */
export function restoreFactor(
  { loaded }: ResolvedCheckpoint,
  encodings: ReadonlyMap<ChunkId, ChunkEntry>,
): number {
  const { layout, content } = loaded;
  const ids = new Set(content.streams.flatMap((stream) => stream.ids));
  const dropped = layout.streams.filter((_, at) => content.streams[at].ids.length === 0);
  let raw = dropped.reduce((sum, stream) => sum + streamBytes(stream), 0);
  for (const id of ids) raw += encodings.get(id)?.rawLength ?? 0;
  return raw === 0 ? 1 : restoreCost(encodings, ids) / raw;
}

export function isSame(a: ReadonlyMap<ChunkId, ChunkEntry>, b: ReadonlyMap<ChunkId, ChunkEntry>): boolean {
  if (a.size !== b.size) return false;
  for (const [id, entry] of a) if (b.get(id) !== entry) return false;
  return true;
}

export function maxHeight(entries: Iterable<ChunkEntry>): number {
  let highest = 0;
  for (const entry of entries) highest = Math.max(highest, entry.height);
  return highest;
}

export function liveBytes(entries: Iterable<ChunkEntry>): number {
  let bytes = 0;
  for (const entry of entries) bytes += entry.length;
  return bytes;
}
