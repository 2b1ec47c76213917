/** What is counted where two tensors of equal dtype are compared, element by element. */
import { type DType, dtypeInfo, laneReader } from '../tensor/index.js';

/** Sums over elements that come in any portions; those of portions can be added up. */
export interface ElementSums {
  /** Elements whose bytes differ. */
  changed: number;
  /** Elements that are NaN (infinite) in b and not in a; a complex one is if a part of it is. */
  newNan: number;
  newInfinite: number;
  /** Largest |b - a|, pairs with a NaN apart; 0 where elements are no numbers. */
  maxAbs: number;
  /** Sum of |b - a|^2, pairs with a NaN apart. */
  squares: number;
  /** Sum of the squares of all finite numbers in a, if it was asked for. */
  squaresBefore: number;
}

/** Elements read at once: the doubles of a block stay in the cache of a core. */
const BLOCK_ELEMENTS = 4096;

export function noSums(): ElementSums {
  return { changed: 0, newNan: 0, newInfinite: 0, maxAbs: 0, squares: 0, squaresBefore: 0 };
}

export function addSums(total: ElementSums, more: ElementSums): void {
  total.changed += more.changed;
  total.newNan += more.newNan;
  total.newInfinite += more.newInfinite;
  total.maxAbs = Math.max(total.maxAbs, more.maxAbs);
  total.squares += more.squares;
  total.squaresBefore += more.squaresBefore;
}

/** Compares elements of one dtype; it holds memory for a block, so one serves many portions. */
export class ElementComparer {
  private readonly elementBytes: number;
  private readonly parts: number;
  private readonly isWide: boolean;
  private readonly dtype: DType;
  private readonly read: ReturnType<typeof laneReader>;
  private readonly before: Float64Array;
  private readonly after: Float64Array;
  private readonly places = new Uint16Array(BLOCK_ELEMENTS);

  constructor(dtype: DType) {
    const { bytes, laneBytes } = dtypeInfo(dtype);
    this.dtype = dtype;
    this.elementBytes = bytes;
    this.parts = bytes / laneBytes;
    this.isWide = dtype === 'u64' || dtype === 'i64';
    this.read = laneReader(dtype);
    this.before = new Float64Array(BLOCK_ELEMENTS * this.parts);
    this.after = new Float64Array(BLOCK_ELEMENTS * this.parts);
  }

  /** Adds equally many elements of a and b, which may be the same bytes, to the sums. */
  add(sums: ElementSums, a: Uint8Array, b: Uint8Array, withNorm: boolean): void {
    const step = BLOCK_ELEMENTS * this.elementBytes;
    for (let at = 0; at < a.length; at += step) {
      const before = aligned(a.subarray(at, at + step));
      this.addBlock(sums, before, a === b ? before : aligned(b.subarray(at, at + step)), withNorm);
    }
  }

  private addBlock(sums: ElementSums, a: Uint8Array, b: Uint8Array, withNorm: boolean): void {
    const count = a === b ? 0 : findChanged(a, b, this.elementBytes, this.places);
    sums.changed += count;
    if (this.read === undefined || (count === 0 && !withNorm)) return;
    this.read(a, this.before);
    if (withNorm) sums.squaresBefore += squaresOf(this.before, (a.length / this.elementBytes) * this.parts);
    if (count === 0) return;
    this.read(b, this.after);
    if (this.isWide) this.addWide(sums, a, b, count);
    else if (this.parts === 1) this.addReal(sums, count);
    else this.addComplex(sums, count);
  }

  private addReal(sums: ElementSums, count: number): void {
    const { before, after, places } = this;
    for (let at = 0; at < count; at++) {
      const x = before[places[at]];
      const y = after[places[at]];
      const distance = Math.abs(y - x);
      if (distance < Number.POSITIVE_INFINITY) {
        sums.squares += distance * distance;
        if (distance > sums.maxAbs) sums.maxAbs = distance;
      } else addSpecial(sums, distance, Number.isNaN(x), Number.isNaN(y), isInfinite(x), isInfinite(y));
    }
  }

  private addComplex(sums: ElementSums, count: number): void {
    const { before, after, places } = this;
    for (let index = 0; index < count; index++) {
      const at = 2 * places[index];
      const [re, im] = [after[at] - before[at], after[at + 1] - before[at + 1]];
      const distance = Number.isNaN(re) || Number.isNaN(im) ? Number.NaN : Math.hypot(re, im);
      if (distance < Number.POSITIVE_INFINITY) {
        sums.squares += distance * distance;
        if (distance > sums.maxAbs) sums.maxAbs = distance;
        continue;
      }
      const [nanBefore, nanAfter] = [before, after].map(
        (part) => Number.isNaN(part[at]) || Number.isNaN(part[at + 1]),
      );
      const [infiniteBefore, infiniteAfter] = [before, after].map(
        (part) => isInfinite(part[at]) || isInfinite(part[at + 1]),
      );
      addSpecial(
        sums,
        distance,
        nanBefore,
        nanAfter,
        infiniteBefore && !nanBefore,
        infiniteAfter && !nanAfter,
      );
    }
  }

  /** Differences of integers of 64 bits are exact up to the rounding of the difference itself. */
  private addWide(sums: ElementSums, a: Uint8Array, b: Uint8Array, count: number): void {
    const View: ViewOf<BigUint64Array | BigInt64Array> =
      this.dtype === 'u64' ? BigUint64Array : BigInt64Array;
    const before = new View(a.buffer, a.byteOffset, a.length / 8);
    const after = new View(b.buffer, b.byteOffset, b.length / 8);
    for (let index = 0; index < count; index++) {
      const at = this.places[index];
      const distance = Math.abs(Number(after[at] - before[at]));
      sums.squares += distance * distance;
      sums.maxAbs = Math.max(sums.maxAbs, distance);
    }
  }
}

/** Adds a pair in which something is not finite, or whose difference is not. */
function addSpecial(
  sums: ElementSums,
  distance: number,
  nanBefore: boolean,
  nanAfter: boolean,
  infiniteBefore: boolean,
  infiniteAfter: boolean,
): void {
  if (nanAfter && !nanBefore) sums.newNan++;
  if (infiniteAfter && !infiniteBefore) sums.newInfinite++;
  if (Number.isNaN(distance)) return;
  sums.squares += distance;
  sums.maxAbs = Math.max(sums.maxAbs, distance);
}

/** Writes the numbers of the elements whose bytes differ, and returns how many there are. */
function findChanged(a: Uint8Array, b: Uint8Array, elementBytes: number, places: Uint16Array): number {
  if (elementBytes === 1) return findWords(a, b, 1, places);
  const View: ViewOf<Uint16Array | Uint32Array> = elementBytes === 2 ? Uint16Array : Uint32Array;
  const wordBytes = elementBytes === 2 ? 2 : 4;
  const words = elementBytes / wordBytes;
  const length = a.length / wordBytes;
  const before = new View(a.buffer, a.byteOffset, length);
  const after = new View(b.buffer, b.byteOffset, length);
  return findWords(before, after, words, places);
}

type ViewOf<Values> = new (buffer: ArrayBufferLike, byteOffset: number, length: number) => Values;
type Words = Uint8Array | Uint16Array | Uint32Array;

function findWords(a: Words, b: Words, words: number, places: Uint16Array): number {
  let count = 0;
  for (let at = 0, element = 0; at < a.length; at += words, element++) {
    let differs = a[at] !== b[at];
    for (let word = 1; word < words && !differs; word++) differs = a[at + word] !== b[at + word];
    if (differs) places[count++] = element;
  }
  return count;
}

function squaresOf(values: Float64Array, count: number): number {
  let sum = 0;
  for (let at = 0; at < count; at++) {
    const square = values[at] * values[at];
    if (square < Number.POSITIVE_INFINITY) sum += square;
  }
  return sum;
}

/** Returns the bytes at an address that any view of numbers can begin at. */
function aligned(bytes: Uint8Array): Uint8Array {
  return bytes.byteOffset % 8 === 0 ? bytes : bytes.slice();
}

function isInfinite(value: number): boolean {
  return value === Number.POSITIVE_INFINITY || value === Number.NEGATIVE_INFINITY;
}
