/**
 * The encodings that a checkpoint's chunks resolve to. Of several encodings of an id the lowest wins, and of equally low
 * ones that of the segment listed first. Writers and readers of a manifest see its segments in one order, so both choose
 * the same encodings, and since each reads only lower ones, no cycle can arise.
 */
import { corrupt } from '../errors.js';
import type { ChunkEntry } from '../format/index.js';
import type { ChunkId } from '../hash/index.js';

interface Indexed {
  entry: ChunkEntry;
  segment: string;
}

export class ChunkIndex {
  private readonly chunks = new Map<ChunkId, Indexed>();
  private readonly leftOut = new Set<ChunkId>();

  get size(): number {
    return this.chunks.size;
  }

  /** Adds the entries of a segment, after those of all segments listed before it. */
  add(segment: string, entries: Iterable<ChunkEntry>): void {
    for (const entry of entries) {
      const present = this.chunks.get(entry.id);
      if (present === undefined || entry.height < present.entry.height)
        this.chunks.set(entry.id, { entry, segment });
    }
  }

  get(id: ChunkId): ChunkEntry | undefined {
    return this.chunks.get(id)?.entry;
  }

  /**
   * Returns the encodings that decoding the given chunks needs, bases included, but nothing for chunks that are known. A
   * missing one or a cycle is `corrupt`, naming `object` as the one that refers to it.
   */
  closure(
    ids: Iterable<ChunkId>,
    object: string,
    isKnown: (id: ChunkId) => boolean = () => false,
  ): Map<ChunkId, ChunkEntry> {
    const needed = new Map<ChunkId, ChunkEntry>();
    const open: ChunkId[] = [...ids];
    for (let id = open.pop(); id !== undefined; id = open.pop()) {
      if (needed.has(id) || isKnown(id)) continue;
      const entry = this.get(id);
      if (entry === undefined)
        throw corrupt('missing-chunk', `needs chunk ${id}, which no index segment has`, object);
      needed.set(id, entry);
      for (const reference of entry.references) {
        const read = this.get(reference);
        if (read !== undefined && read.height >= entry.height) {
          throw corrupt('height-order', `chunk ${id} reads chunk ${reference}, which is not lower`, object);
        }
        open.push(reference);
      }
    }
    return needed;
  }

  /**
   * Keeps the encodings of the given chunks and of what they read, and of these the ones that can be decoded: segments list
   * others, too, whose packs may be gone, and `repair` leaves some behind that read what no segment has.
   */
  keepSound(ids: Iterable<ChunkId>): void {
    const reached = new Map<ChunkId, Indexed>();
    const open = [...ids];
    for (let id = open.pop(); id !== undefined; id = open.pop()) {
      const indexed = this.chunks.get(id);
      if (indexed === undefined || reached.has(id)) continue;
      reached.set(id, indexed);
      open.push(...indexed.entry.references);
    }
    for (const id of this.chunks.keys()) this.leftOut.add(id);
    this.chunks.clear();
    const ascending = [...reached].sort(([, a], [, b]) => a.entry.height - b.entry.height);
    for (const [id, indexed] of ascending)
      if (indexed.entry.references.every((read) => this.chunks.has(read))) this.chunks.set(id, indexed);
    for (const id of this.chunks.keys()) this.leftOut.delete(id);
  }

  /** Whether a segment lists an encoding of a chunk that `keepSound` left out. */
  hasLeftOut(id: ChunkId): boolean {
    return this.leftOut.has(id);
  }

  /** Returns the segments, in order, that hold the given chunks. */
  segmentsOf(ids: Iterable<ChunkId>, order: readonly string[]): string[] {
    const used = new Set<string>();
    for (const id of ids) {
      const segment = this.chunks.get(id)?.segment;
      if (segment !== undefined) used.add(segment);
    }
    return order.filter((segment) => used.has(segment));
  }
}
