/**
 * All encodings that the segments of a store name, in some 50 bytes each: gc asks them all for the packs that checkpoints
 * need, and a store may have millions. Numbers stand for ids, packs and segments.
 */
import { corrupt } from '../errors.js';
import type { ChunkEntry } from '../format/index.js';
import type { ChunkId } from '../hash/index.js';

const ID_WORDS = 4;
const HEX_DIGITS_PER_WORD = 8;
const NONE = 0xffffffff;
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

/** Numbers for names. */
class Names {
  readonly names: string[] = [];
  private readonly numbers = new Map<string, number>();

  number(name: string): number {
    const known = this.numbers.get(name);
    if (known !== undefined) return known;
    this.numbers.set(name, this.names.length);
    return this.names.push(name) - 1;
  }
}

export class EncodingTable {
  private readonly segments = new Names();
  private readonly packs = new Names();
  /** Of each id: its words, its first encoding, the checkpoint that was last found to need it. */
  private readonly words = new Column();
  private readonly first = new Column();
  private readonly seen = new Column();
  /** Of each encoding: where it is, what it reads, and the next encoding of the same id. */
  private readonly packOf = new Column();
  private readonly segmentOf = new Column();
  private readonly heightOf = new Column();
  private readonly readsFrom = new Column();
  private readonly next = new Column();
  private readonly references = new Column();
  /** Numbers of ids plus 1 by hash, open addressing. */
  private slots = new Uint32Array(SLOTS_MIN);
  private readonly word = new Uint32Array(ID_WORDS);
  private checkpoints = 0;

  /** Adds the entries of a segment; to be called once for each. */
  add(segment: string, entries: Iterable<ChunkEntry>): void {
    const segmentNumber = this.segments.number(segment);
    for (const entry of entries) {
      const id = this.idNumber(entry.id);
      this.next.push(this.first.get(id));
      this.first.set(id, this.packOf.length);
      this.packOf.push(this.packs.number(entry.pack));
      this.segmentOf.push(segmentNumber);
      this.heightOf.push(entry.height);
      this.readsFrom.push(this.references.length);
      for (const reference of entry.references) this.references.push(this.idNumber(reference));
    }
  }

  /**
   * Adds to `packs` the names of those that decoding the chunks reads, as the segments, in this order, resolve them. A missing
   * chunk or a cycle is `corrupt`, naming `object` as the one that refers to it.
   */
  addPacks(packs: Set<string>, ids: Iterable<ChunkId>, segments: readonly string[], object: string): void {
    const order = new Map(segments.map((name, at) => [this.segments.number(name), at]));
    const mark = ++this.checkpoints;
    const used = new Set<number>();
    const open: number[] = [];
    const visit = (id: number): void => {
      if (this.seen.get(id) === mark) return;
      this.seen.set(id, mark);
      open.push(id);
    };
    for (const id of ids) visit(this.idNumber(id));
    for (let id = open.pop(); id !== undefined; id = open.pop()) {
      const encoding = this.resolve(id, order);
      if (encoding === NONE)
        throw corrupt('missing-chunk', `needs chunk ${this.hex(id)}, which no index segment has`, object);
      used.add(this.packOf.get(encoding));
      const height = this.heightOf.get(encoding);
      const end =
        encoding + 1 < this.readsFrom.length ? this.readsFrom.get(encoding + 1) : this.references.length;
      for (let at = this.readsFrom.get(encoding); at < end; at++) {
        const read = this.references.get(at);
        const lower = this.resolve(read, order);
        if (lower !== NONE && this.heightOf.get(lower) >= height) {
          const message = `chunk ${this.hex(id)} reads chunk ${this.hex(read)}, which is not lower`;
          throw corrupt('height-order', message, object);
        }
        visit(read);
      }
    }
    for (const pack of used) packs.add(this.packs.names[pack]);
  }

  /** Returns the encoding of an id that counts: the lowest, then that of the segment listed first. */
  private resolve(id: number, order: ReadonlyMap<number, number>): number {
    let best = NONE;
    let bestOrder = 0;
    for (let at = this.first.get(id); at !== NONE; at = this.next.get(at)) {
      const place = order.get(this.segmentOf.get(at));
      if (place === undefined) continue;
      const difference = best === NONE ? -1 : this.heightOf.get(at) - this.heightOf.get(best);
      if (difference < 0 || (difference === 0 && place <= bestOrder)) {
        best = at;
        bestOrder = place;
      }
    }
    return best;
  }

  /** Returns the number of an id, a new one if it was never seen. */
  private idNumber(id: ChunkId): number {
    const { word } = this;
    for (let at = 0; at < id.length; at++)
      word[at >>> 3] = (word[at >>> 3] << 4) | digitOf(id.charCodeAt(at));
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

/** Returns the value of a hexadecimal digit, 0 to 9 or a to f, given its code. */
function digitOf(code: number): number {
  return code <= 0x39 ? code - 0x30 : code - 0x57;
}
