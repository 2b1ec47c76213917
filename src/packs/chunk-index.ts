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

  /** Drops the encodings that read, directly or not, what no segment has: only `repair` leaves such indexes behind. */
  dropIncomplete(): void {
    const ascending = [...this.chunks].sort(([, a], [, b]) => a.entry.height - b.entry.height);
    for (const [id, { entry }] of ascending) {
      if (!entry.references.every((read) => this.chunks.has(read))) this.chunks.delete(id);
    }
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
