/** Huffman codes of zstd, both ways: RFC 8878, section 4.2. What is written follows from the code and the bytes alone. */
import { BackwardBits } from './backward-bits.js';
import { readFseTable } from './fse-table.js';

/** Longest code word. */
const BITS_MAX = 11;
const WEIGHT_LOG_MAX = 6;

export interface HuffmanCode {
  /** Longest code word of this code. */
  maxBits: number;
  /** By the next `maxBits` bits: symbol * 16 + length of its word. */
  symbols: Uint16Array;
  /** By symbol: word + 65536 * its length; 0: it has none. */
  words: Uint32Array;
}

/** Reads a description of a code; undefined for what is none. `used` are its bytes. */
export function readHuffmanCode(
  bytes: Uint8Array,
  start: number,
  end: number,
): { code: HuffmanCode; used: number } | undefined {
  if (start >= end) return undefined;
  const head = bytes[start];
  const length = head < 128 ? head : (head - 127 + 1) >> 1;
  if (start + 1 + length > end) return undefined;
  const weights =
    head < 128
      ? readWeights(bytes, start + 1, start + 1 + length)
      : Array.from({ length: head - 127 }, (_, at) =>
          at % 2 === 0 ? bytes[start + 1 + (at >> 1)] >> 4 : bytes[start + 1 + (at >> 1)] & 15,
        );
  const code = weights && codeOfWeights(weights);
  return code && { code, used: 1 + length };
}

/** Weights that are compressed by two states in turn. */
function readWeights(bytes: Uint8Array, start: number, end: number): number[] | undefined {
  const read = readFseTable(bytes, start, end, BITS_MAX + 1, WEIGHT_LOG_MAX);
  if (read === undefined) return undefined;
  const { table, used } = read;
  const bits = new BackwardBits(bytes, start + used, end);
  let [state, other] = [bits.read(table.log), bits.read(table.log)];
  if (bits.left < 0) return undefined;
  const weights: number[] = [];
  while (weights.length < 255) {
    weights.push(table.symbols[state]);
    const next = table.base[state] + bits.read(table.bits[state]);
    [state, other] = [other, next];
    if (bits.left < 0) {
      weights.push(table.symbols[state]);
      return weights;
    }
  }
  return undefined;
}

/** The weight of the last symbol is what fills up a power of two. */
function codeOfWeights(weights: number[]): HuffmanCode | undefined {
  let sum = 0;
  for (const weight of weights) sum += weight === 0 ? 0 : 1 << (weight - 1);
  if (sum === 0 || weights.length > 255) return undefined;
  const maxBits = 32 - Math.clz32(sum);
  const rest = (1 << maxBits) - sum;
  if (maxBits > BITS_MAX || (rest & (rest - 1)) !== 0) return undefined;
  const all = [...weights, 32 - Math.clz32(rest)];
  if (all.some((weight) => weight > maxBits)) return undefined;
  const symbols = new Uint16Array(1 << maxBits);
  const words = new Uint32Array(256);
  let cell = 0;
  for (let weight = 1; weight <= maxBits; weight++) {
    const length = maxBits + 1 - weight;
    for (const [symbol, own] of all.entries()) {
      if (own !== weight) continue;
      words[symbol] = (cell >> (weight - 1)) + 65_536 * length;
      symbols.fill(symbol * 16 + length, cell, cell + (1 << (weight - 1)));
      cell += 1 << (weight - 1);
    }
  }
  return { maxBits, symbols, words };
}

/** Decodes `bytes[start, end)` to all of `target`; returns whether they are exactly that. */
export function decodeStream(
  { maxBits, symbols }: HuffmanCode,
  bytes: Uint8Array,
  start: number,
  end: number,
  target: Uint8Array,
): boolean {
  const last = end > start ? bytes[end - 1] : 0;
  if (last === 0) return false;
  let count = 31 - Math.clz32(last);
  let pending = last;
  let at = end - 1;
  let added = 0;
  const mask = (1 << maxBits) - 1;
  for (let index = 0; index < target.length; index++) {
    if (count < maxBits) {
      // Two bytes at a time; beyond the start there are zeros, of which none may be used.
      if (at - start >= 2) {
        pending = (pending << 16) | (bytes[at - 1] << 8) | bytes[at - 2];
        at -= 2;
      } else {
        pending <<= 16;
        if (at > start) pending |= bytes[--at] << 8;
        else added += 8;
        added += 8;
      }
      count += 16;
    }
    const entry = symbols[(pending >>> (count - maxBits)) & mask];
    target[index] = entry >>> 4;
    count -= entry & 15;
  }
  return at === start && count === added;
}

/** Encodes bytes to `target` from `at` on; returns where it ends. Bytes without a word are left out. */
export function encodeStream(
  { words }: HuffmanCode,
  bytes: Uint8Array,
  target: Uint8Array,
  at: number,
): number {
  let pending = 0;
  let count = 0;
  let end = at;
  for (let index = bytes.length - 1; index >= 0; index--) {
    const word = words[bytes[index]];
    pending |= (word & 0xffff) << count;
    count += word >>> 16;
    if (count >= 16) {
      target[end] = pending;
      target[end + 1] = pending >>> 8;
      end += 2;
      pending >>>= 16;
      count -= 16;
    }
  }
  pending |= 1 << count;
  for (count++; count > 0; count -= 8) {
    target[end++] = pending;
    pending >>>= 8;
  }
  return end;
}
