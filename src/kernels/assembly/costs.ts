// Costs in bits, by which encoders choose; the formulas are in ../reference-costs.ts. `logarithms` is its table.
import { countClasses, farRestBits, restBits } from './classes';
import { histogram } from './histogram';

const TABLE_BITS: u32 = 12;

const FRACTION_BITS = 20;

export function buildLogarithms(table: usize): void {
  for (let index: usize = 0; index < 1 << TABLE_BITS; index++) {
    let rest = 1 + <f64>index / <f64>(1 << TABLE_BITS);
    let logarithm: f64 = 0;
    let weight: f64 = 0.5;
    for (let bit = 0; bit < FRACTION_BITS; bit++) {
      rest *= rest;
      if (rest >= 2) {
        rest /= 2;
        logarithm += weight;
      }
      weight /= 2;
    }
    store<f64>(table + (index << 3), logarithm);
  }
}

function log2(value: u32, logarithms: usize): f64 {
  const exponent: u32 = 31 - clz<u32>(value);
  const top = exponent > TABLE_BITS ? value >> (exponent - TABLE_BITS) : value << (TABLE_BITS - exponent);
  return <f64>exponent + load<f64>(logarithms + ((<usize>top - (1 << TABLE_BITS)) << 3));
}

// Of 256 u32 counts.
export function entropyBits(counts: usize, logarithms: usize, valueBits: f64): f64 {
  let total: u32 = 0;
  let values: i32 = -1;
  let bits: f64 = 0;
  for (let i: usize = 0; i < 1024; i += 16) {
    if (!v128.any_true(v128.load(counts + i))) continue;
    for (let entry = counts + i; entry < counts + i + 16; entry += 4) {
      const count = load<u32>(entry);
      if (count == 0) continue;
      total += count;
      values++;
      bits -= <f64>count * log2(count, logarithms);
    }
  }
  if (total == 0) return 0;
  return bits + <f64>total * log2(total, logarithms) + <f64>values * valueBits;
}

// Of `count` planes, `stride` bytes apart; `counts` is for 1024 u32.
export function planeBits(
  planes: usize,
  lanes: usize,
  stride: usize,
  count: usize,
  counts: usize,
  logarithms: usize,
  valueBits: f64,
): f64 {
  let bits: f64 = 0;
  for (let plane: usize = 0; plane < count; plane++) {
    histogram(planes + plane * stride, lanes, counts, counts + 1024);
    bits += min<f64>(entropyBits(counts, logarithms, valueBits), <f64>(8 * lanes));
  }
  return bits;
}

// Of the symbols of lanes, each in the context of its exponent, with the bits that follow apart in whole bytes; `histogram` is
// that of the exponents, `counts` is for 65,536 u32.
export function classBits(
  symbols: usize,
  exponents: usize,
  lanes: usize,
  far: i32,
  histogram: usize,
  counts: usize,
  logarithms: usize,
  valueBits: f64,
): f64 {
  for (let exponent: usize = 0; exponent < 256; exponent++) {
    if (load<u32>(histogram + (exponent << 2)) != 0) memory.fill(counts + (exponent << 10), 0, 1024);
  }
  countClasses(symbols, exponents, lanes, histogram, counts);
  let rests: u32 = 0;
  for (let exponent: usize = 0; exponent < 256; exponent++) {
    if (load<u32>(histogram + (exponent << 2)) == 0) continue;
    const row = counts + (exponent << 10);
    for (let symbol: u32 = 0; symbol < 256; symbol++) {
      const count = load<u32>(row + ((<usize>symbol) << 2));
      rests += count * (far ? farRestBits(symbol) : restBits(symbol));
    }
  }
  let bits = <f64>((rests + 7) & ~7);
  for (let exponent: usize = 0; exponent < 256; exponent++) {
    if (load<u32>(histogram + (exponent << 2)) == 0) continue;
    bits += entropyBits(counts + (exponent << 10), logarithms, valueBits);
  }
  return bits;
}
