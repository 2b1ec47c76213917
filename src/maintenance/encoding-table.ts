/**
 * All encodings that the segments of a store name, in some 40 bytes each: gc asks them all for the packs that checkpoints
 * need, and a store may have millions. Numbers stand for ids, packs and segments.
 */
import { corrupt } from '../errors.js';
import { type ChunkTable, limits } from '../format/index.js';

const { CHUNK_ID_BYTES } = limits;
const ID_WORDS = CHUNK_ID_BYTES / 4;
const HEX_DIGITS_PER_WORD = 8;
const NONE = 0xffffffff;
/** Heights are at most 16. */
const HEIGHT_BITS = 5;
const SLOTS_MIN = 2048;
/** Columns grow by pages of this many rows, so that nothing is copied and left behind. */
const PAGE_BITS = 15;
const PAGE_ROWS = 2 ** PAGE_BITS;

/** A column of unsigned numbers that grows. */
class Column {
  private readonly pages: Uint32Array[] = [];
  length = 0;

  get(row: number): number {
    return this.pages[row >>> PAGE_BITS][row & (PAGE_ROWS - 1)];
  }

  set(row: number, value: number): void {
    this.pages[row >>> PAGE_BITS][row & (PAGE_ROWS - 1)] = value;
  }

  push(value: number): void {
    const row = this.length++;
    if (row >>> PAGE_BITS === this.pages.length) this.pages.push(new Uint32Array(PAGE_ROWS));
    this.set(row, value);
  }
}

/** Places of segments in a manifest, by their numbers. */
type Order = ReadonlyMap<number | undefined, number>;

/** A pack as one segment describes it. */
interface Source {
  segment: number;
  pack: string;
}

export class EncodingTable {
  /** Numbers of segments, in the order in which they were added. */
  private readonly segments = new Map<string, number>();
  private readonly sources: Source[] = [];
  /** Of each id: its words, its first encoding, the checkpoint that was last found to need it. */
  private readonly words = new Column();
  private readonly first = new Column();
  private readonly seen = new Column();
  /** Of each encoding: its source and height in one number, where what it reads begins, and the next encoding of the same id. */
  private readonly place = new Column();
  private readonly readsFrom = new Column();
  private readonly next = new Column();
  private readonly references = new Column();
  /** Numbers of ids plus 1 by hash, open addressing. */
  private slots = new Uint32Array(SLOTS_MIN);
  private readonly word = new Uint32Array(ID_WORDS);
  private checkpoints = 0;

  /** Adds the tables of a segment; to be called once for each. */
  add(segment: string, tables: Iterable<ChunkTable>): void {
    const number = this.segments.size;
    this.segments.set(segment, number);
    for (const { pack, count, ids, heights, references } of tables) {
      const source = this.sources.push({ segment: number, pack }) - 1;
      for (let row = 0, read = 0; row < count; row++) {
        const id = this.idNumber(ids, row * CHUNK_ID_BYTES);
        this.next.push(this.first.get(id));
        this.first.set(id, this.place.length);
        this.place.push((source << HEIGHT_BITS) | heights[row]);
        this.readsFrom.push(this.references.length);
        for (let left = references[read++]; left > 0; left--, read += CHUNK_ID_BYTES)
          this.references.push(this.idNumber(references, read));
      }
    }
  }

  /**
   * Adds to `packs` the names of those that decoding the chunks reads, whose ids stand in pages, as the segments, in this
   * order, resolve them. A missing chunk or a cycle is `corrupt`, naming `object` as the one that refers to it.
   */
  addPacks(
    packs: Set<string>,
    idPages: Iterable<Uint8Array>,
    segments: readonly string[],
    object: string,
  ): void {
    const order: Order = new Map(segments.map((name, at) => [this.segments.get(name), at]));
    const used = new Set<number>();
    const open: number[] = [];
    this.checkpoints += 1;
    for (const page of idPages) {
      for (let at = 0; at < page.length; at += CHUNK_ID_BYTES) {
        this.open(this.idNumber(page, at), open);
        for (let id = open.pop(); id !== undefined; id = open.pop())
          used.add(this.follow(id, order, open, object));
      }
    }
    for (const source of used) packs.add(this.sources[source].pack);
  }

  /** Opens an id that was not open in this checkpoint. */
  private open(id: number, open: number[]): void {
    if (this.seen.get(id) === this.checkpoints) return;
    this.seen.set(id, this.checkpoints);
    open.push(id);
  }

  /** Opens what the encoding of an id reads; returns its source. */
  private follow(id: number, order: Order, open: number[], object: string): number {
    const encoding = this.resolve(id, order);
    if (encoding === NONE)
      throw corrupt('missing-chunk', `needs chunk ${this.hex(id)}, which no index segment has`, object);
    const end = encoding + 1 < this.place.length ? this.readsFrom.get(encoding + 1) : this.references.length;
    for (let at = this.readsFrom.get(encoding); at < end; at++) {
      const read = this.references.get(at);
      const lower = this.resolve(read, order);
      if (lower !== NONE && this.height(lower) >= this.height(encoding)) {
        const message = `chunk ${this.hex(id)} reads chunk ${this.hex(read)}, which is not lower`;
        throw corrupt('height-order', message, object);
      }
      this.open(read, open);
    }
    return this.source(encoding);
  }

  /** Returns the encoding of an id that counts: the lowest, then that of the segment listed first. */
  private resolve(id: number, order: Order): number {
    let best = NONE;
    let bestOrder = 0;
    for (let at = this.first.get(id); at !== NONE; at = this.next.get(at)) {
      const place = order.get(this.sources[this.source(at)].segment);
      if (place === undefined) continue;
      const difference = best === NONE ? -1 : this.height(at) - this.height(best);
      if (difference < 0 || (difference === 0 && place <= bestOrder)) {
        best = at;
        bestOrder = place;
      }
    }
    return best;
  }

  private source(encoding: number): number {
    return this.place.get(encoding) >>> HEIGHT_BITS;
  }

  private height(encoding: number): number {
    return this.place.get(encoding) & (2 ** HEIGHT_BITS - 1);
  }

  /** Returns the number of the id in 16 of the bytes, a new one if it was never seen. */
  private idNumber(bytes: Uint8Array, offset: number): number {
    const { word } = this;
    for (let at = 0; at < CHUNK_ID_BYTES; at++) word[at >>> 2] = (word[at >>> 2] << 8) | bytes[offset + at];
    const mask = this.slots.length - 1;
    let slot = word[0] & mask;
    for (; this.slots[slot] !== 0; slot = (slot + 1) & mask) {
      if (this.isAt(this.slots[slot] - 1)) return this.slots[slot] - 1;
    }
    const number = this.first.length;
    for (const part of word) this.words.push(part);
    this.first.push(NONE);
    this.seen.push(0);
    this.slots[slot] = number + 1;
    if (number * 2 >= this.slots.length) this.growSlots();
    return number;
  }

  private isAt(number: number): boolean {
    for (let at = 0; at < ID_WORDS; at++)
      if (this.words.get(number * ID_WORDS + at) !== this.word[at]) return false;
    return true;
  }

  /** Ids are hashes: their first word spreads them. */
  private growSlots(): void {
    this.slots = new Uint32Array(this.slots.length * 2);
    const mask = this.slots.length - 1;
    for (let number = 0; number < this.first.length; number++) {
      let slot = this.words.get(number * ID_WORDS) & mask;
      while (this.slots[slot] !== 0) slot = (slot + 1) & mask;
      this.slots[slot] = number + 1;
    }
  }

  private hex(id: number): string {
    const words = Array.from({ length: ID_WORDS }, (_, at) => this.words.get(id * ID_WORDS + at));
    return words.map((word) => word.toString(16).padStart(HEX_DIGITS_PER_WORD, '0')).join('');
  }
}
