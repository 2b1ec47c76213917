/**
 * Costs in bits, the plain twin of assembly/costs.ts. They come from integers and IEEE multiplications and additions alone, never
 * from Math.log2, whose last bit is up to the engine: the same input gives the same record everywhere.
 */
import type { FloatLayout, LaneLayout } from './kernels.js';
import { splitClassesReference } from './reference-classes.js';
import { histogramReference, splitPlanesReference } from './reference-planes.js';

/** Arguments below this are looked up; larger ones are halved first, which costs less than 0.1 % of a bit. */
const TABLE_BITS = 12;
const FRACTION_BITS = 20;

/** log2(1 + index / 2^12): the fraction bit by bit, by squaring. */
export function logarithmTable(): Float64Array {
  const table = new Float64Array(2 ** TABLE_BITS);
  for (let index = 0; index < table.length; index++) {
    let rest = 1 + index / 2 ** TABLE_BITS;
    for (let weight = 0.5, bit = 0; bit < FRACTION_BITS; bit++, weight /= 2) {
      rest *= rest;
      if (rest < 2) continue;
      rest /= 2;
      table[index] += weight;
    }
  }
  return table;
}

/** Base-2 logarithm of a positive integer below 2^31. */
export function tabledLog2(table: Float64Array, value: number): number {
  const exponent = 31 - Math.clz32(value);
  const top = exponent > TABLE_BITS ? value >>> (exponent - TABLE_BITS) : value << (TABLE_BITS - exponent);
  return exponent + table[top - 2 ** TABLE_BITS];
}

/** Order-0 entropy, in bits, of what a histogram counts, and so many bits for each value that occurs but one. */
export function entropyReference(counts: Uint32Array, table: Float64Array, valueBits: number): number {
  let total = 0;
  let values = -1;
  let bits = 0;
  for (let symbol = 0; symbol < counts.length; symbol++) {
    const count = counts[symbol];
    if (count === 0) continue;
    total += count;
    values++;
    bits -= count * tabledLog2(table, count);
  }
  return total === 0 ? 0 : bits + total * tabledLog2(table, total) + values * valueBits;
}

export function planeBitsReference(
  raw: Uint8Array,
  base: Uint8Array | undefined,
  layout: LaneLayout,
  table: Float64Array,
  valueBits: number,
): number {
  const planes = new Uint8Array(raw.length);
  const counts = new Uint32Array(256);
  const lanes = raw.length / layout.laneBytes;
  splitPlanesReference(raw, base, layout, planes);
  let bits = 0;
  for (let start = 0; start < raw.length; start += lanes) {
    histogramReference(planes.subarray(start, start + lanes), counts);
    bits += Math.min(entropyReference(counts, table, valueBits), 8 * lanes);
  }
  return bits;
}

export function classBitsReference(
  raw: Uint8Array,
  base: Uint8Array,
  layout: FloatLayout,
  table: Float64Array,
  valueBits: number,
): number {
  const lanes = raw.length / layout.laneBytes;
  const [symbols, exponents] = [new Uint8Array(lanes), new Uint8Array(lanes)];
  const counts = new Uint32Array(65_536);
  const rests = new Uint8Array(4 * lanes);
  let bits = 8 * splitClassesReference(raw, base, layout, { symbols, exponents, rests, counts });
  for (let row = 0; row < counts.length; row += 256) {
    bits += entropyReference(counts.subarray(row, row + 256), table, valueBits);
  }
  return bits;
}
