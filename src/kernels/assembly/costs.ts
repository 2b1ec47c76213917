// Costs in bits, by which encoders choose; the formulas are in ../reference-costs.ts. `logarithms` is its table.
import { farRestBits, farRestBits16, restBits, restBits16 } from './classes';
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

// Bits apart of lanes, in whole bytes.
function restBytes(symbols: usize, lanes: usize, far: i32): usize {
  let sums = i32x4.splat(0);
  let at: usize = 0;
  for (; at + 16 <= lanes; at += 16) {
    const step = v128.load(symbols + at);
    const bits = i16x8.extadd_pairwise_i8x16_u(far ? farRestBits16(step) : restBits16(step));
    sums = i32x4.add(sums, i32x4.extadd_pairwise_i16x8_u(bits));
  }
  let bits =
    i32x4.extract_lane(sums, 0) +
    i32x4.extract_lane(sums, 1) +
    i32x4.extract_lane(sums, 2) +
    i32x4.extract_lane(sums, 3);
  for (; at < lanes; at++) {
    const symbol = <u32>load<u8>(symbols + at);
    bits += far ? farRestBits(symbol) : restBits(symbol);
  }
  return <usize>(bits + 7) >> 3;
}

// Of the symbols of lanes, each in the context of its exponent, with the bits that follow apart; `counts` is for 65,536 u32, of
// which only rows of exponents that occur are used: `present`, 256 bytes, tells them.
export function classBits(
  symbols: usize,
  exponents: usize,
  lanes: usize,
  far: i32,
  present: usize,
  counts: usize,
  logarithms: usize,
  valueBits: f64,
): f64 {
  memory.fill(present, 0, 256);
  for (let lane: usize = 0; lane < lanes; lane++) store<u8>(present + <usize>load<u8>(exponents + lane), 1);
  for (let exponent: usize = 0; exponent < 256; exponent++) {
    if (load<u8>(present + exponent) != 0) memory.fill(counts + (exponent << 10), 0, 1024);
  }
  for (let lane: usize = 0; lane < lanes; lane++) {
    const row = counts + ((<usize>load<u8>(exponents + lane)) << 10);
    const counter = row + ((<usize>load<u8>(symbols + lane)) << 2);
    store<u32>(counter, load<u32>(counter) + 1);
  }
  let bits = <f64>(8 * restBytes(symbols, lanes, far));
  for (let exponent: usize = 0; exponent < 256; exponent++) {
    if (load<u8>(present + exponent) == 0) continue;
    bits += entropyBits(counts + (exponent << 10), logarithms, valueBits);
  }
  return bits;
}
