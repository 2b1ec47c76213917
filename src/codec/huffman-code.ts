/** Huffman codes: lengths that suit a histogram, and the table of those of bytes. FORMAT.md, "Huffman coding". */
import type { ByteReader, ByteWriter } from '../bytes/index.js';
import { type ByteRange, HUFFMAN_BITS_MAX, isCompleteHuffman } from '../kernels/index.js';

/**
 * Returns the lengths of a Huffman code (D. Huffman, Proc. IRE 1952) of symbols with these weights, 2 to 256 of them and each 1 or
 * more. Weights are halved until no code is longer than `bitsMax`.
 */
export function fittedLengths(weights: ArrayLike<number>, bitsMax: number): Uint8Array {
  const count = weights.length;
  // By weight, then by symbol, as one number: then a tenth of the time of a comparing function does.
  const keys = room.keys.subarray(0, count);
  for (let symbol = 0; symbol < count; symbol++) keys[symbol] = weights[symbol] * count + symbol;
  sortNumbers(keys);
  const { sorted, depths } = room;
  for (let place = 0; place < count; place++) sorted[place] = Math.floor(keys[place] / count);
  for (;;) {
    for (let place = 0; place < count; place++) depths[place] = sorted[place];
    replaceByDepths(depths, count);
    if (depths[0] <= bitsMax) break;
    for (let place = 0; place < count; place++) sorted[place] = Math.floor((sorted[place] + 1) / 2);
  }
  const lengths = new Uint8Array(count);
  for (let place = 0; place < count; place++) lengths[keys[place] % count] = depths[place];
  return lengths;
}

/** What lengths are computed in: making it for each code took longer than the rest. */
const room = { keys: new Float64Array(256), sorted: new Float64Array(256), depths: new Float64Array(256) };

/** So few numbers are inserted one by one. */
const INSERTED_MAX = 32;

function sortNumbers(keys: Float64Array): void {
  if (keys.length > INSERTED_MAX) {
    keys.sort();
    return;
  }
  for (let next = 1; next < keys.length; next++) {
    const key = keys[next];
    let at = next;
    for (; at > 0 && keys[at - 1] > key; at--) keys[at] = keys[at - 1];
    keys[at] = key;
  }
}

/**
 * Turns ascending weights into the lengths of their codes, in place: A. Moffat and J. Katajainen, "In-place calculation of
 * minimum-redundancy codes", WADS 1995. Trees come up in order of weight by themselves, so there is nothing to be searched.
 */
function replaceByDepths(a: Float64Array, count: number): void {
  // Weights of leaves become those of trees, and these the place of the tree above.
  for (let next = 0, leaf = 0, tree = 0; next < count - 1; next++) {
    let sum = 0;
    for (let half = 0; half < 2; half++) {
      if (leaf >= count || (tree < next && a[tree] < a[leaf])) {
        sum += a[tree];
        a[tree++] = next;
      } else {
        sum += a[leaf++];
      }
    }
    a[next] = sum;
  }
  // Places become depths of trees, from the root down.
  a[count - 2] = 0;
  for (let tree = count - 3; tree >= 0; tree--) a[tree] = a[a[tree]] + 1;
  // What a depth has room for besides trees are leaves.
  let room = 1;
  let tree = count - 2;
  let leaf = count - 1;
  for (let depth = 0; room > 0; depth++) {
    let trees = 0;
    for (; tree >= 0 && a[tree] === depth; tree--) trees++;
    for (; room > trees; room--) a[leaf--] = depth;
    room = 2 * trees;
  }
}

/** A code of bytes. */
export interface ByteCode {
  /** 256 lengths, 0 for bytes outside the range. */
  readonly lengths: Uint8Array;
  readonly range: ByteRange;
}

/** Returns a code for bytes of a range, two or more, of which a sample is counted. */
export function fittedByteCode(counts: Uint32Array, range: ByteRange): ByteCode {
  const bytes: number[] = [];
  const weights: number[] = [];
  for (let byte = range.lowest; byte <= range.highest; byte++) {
    if (!isWithin(byte, range)) continue;
    bytes.push(byte);
    // What a sample lacks may still occur: each byte of the range has a code.
    weights.push(counts[byte] + 1);
  }
  const fitted = fittedLengths(weights, HUFFMAN_BITS_MAX);
  const lengths = new Uint8Array(256);
  for (let at = 0; at < bytes.length; at++) lengths[bytes[at]] = fitted[at];
  return { lengths, range };
}

/** Returns whether all bytes of another range have codes. */
export function hasCodes({ range }: ByteCode, other: ByteRange): boolean {
  const isNarrower = (other.varying & ~range.varying) === 0;
  return isNarrower && isWithin(other.lowest, range) && isWithin(other.highest, range);
}

function isWithin(byte: number, { lowest, highest, varying }: ByteRange): boolean {
  return byte >= lowest && byte <= highest && ((byte ^ lowest) & ~varying) === 0;
}

/** Bits of all bytes that a histogram counts, each of which has a code. */
export function huffmanBits(counts: Uint32Array, lengths: Uint8Array): number {
  let bits = 0;
  for (let byte = 0; byte < 256; byte++) bits += counts[byte] * lengths[byte];
  return bits;
}

/** The first byte that has a code and the last one. */
function codedRange(lengths: Uint8Array): { first: number; last: number } {
  let first = 0;
  while (lengths[first] === 0) first++;
  let last = 255;
  while (lengths[last] === 0) last--;
  return { first, last };
}

/** Writes the first and the last byte that have a code, and from one to the other two lengths a byte, the first one in the lower half. */
export function writeByteLengths(writer: ByteWriter, lengths: Uint8Array): void {
  const { first, last } = codedRange(lengths);
  writer.u8(first);
  writer.u8(last);
  for (let byte = first; byte <= last; byte += 2) {
    writer.u8(lengths[byte] | ((byte < last ? lengths[byte + 1] : 0) << 4));
  }
}

/** Reads them; throws `corrupt` for what is no complete code. */
export function readByteLengths(reader: ByteReader): Uint8Array {
  const start = reader.offset;
  const first = reader.u8();
  const last = reader.u8();
  const lengths = new Uint8Array(256);
  let spare = 0;
  if (first <= last) {
    const packed = reader.view8(Math.ceil((last - first + 1) / 2));
    for (let byte = first; byte <= last; byte++) {
      lengths[byte] = (packed[(byte - first) >> 1] >> (4 * ((byte - first) & 1))) & 15;
    }
    if ((last - first) % 2 === 0) spare = packed[packed.length - 1] >> 4;
  }
  if (spare !== 0 || lengths[first] === 0 || lengths[last] === 0 || !isCompleteHuffman(lengths)) {
    return reader.fail('record-table', 'a Huffman code that is not complete', start);
  }
  return lengths;
}
