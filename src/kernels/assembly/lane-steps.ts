// Lanes of 16 bits in levels of how far they moved: the formulas are in ../reference-steps.ts. Binary rANS with 64 states of 16
// bits, 7-bit probabilities and bytes, 16 lanes at a time; the last lanes of a pass are padded to 32 with lanes of all bits.
//
// T is u8 where exponents have 8 bits, u16 where they have 5: shifts by constants are several times faster.

import { CONSTANTS, GATHER, highProduct, PRESS, placeReciprocals, REFILL } from './lane-marks';

const STATES: usize = 64;

// The contexts of 16 lanes, a byte each.
function contexts<T>(keys: usize, low: v128, last: v128): v128 {
  const shift = sizeof<T>() == 1 ? 8 : 11;
  const first = i16x8.shr_u(i16x8.shl(v128.load(keys), 1), shift);
  const second = i16x8.shr_u(i16x8.shl(v128.load(keys, 16), 1), shift);
  return i8x16.min_u(i8x16.sub_sat_u(i8x16.narrow_i16x8_u(first, second), low), last);
}

// The lanes of the last group, which are fewer than 32, and ones.
function placeTail(keys: usize, lanes: usize, to: usize): void {
  const whole = lanes & ~31;
  for (let at: usize = 0; at < 64; at += 16) v128.store(to + at, i8x16.splat(-1));
  for (let lane = whole; lane < lanes; lane++)
    store<u16>(to + ((lane - whole) << 1), load<u16>(keys + (lane << 1)));
}

function stepped(state: v128, p: v128, slot: v128, marked: v128): v128 {
  const a = i16x8.mul(p, i16x8.shr_u(state, 7));
  return v128.bitselect(i16x8.add(a, slot), i16x8.sub(state, i16x8.add(a, p)), marked);
}

function refilled(state: v128, low: v128, mask: usize, at: usize, tables: usize): v128 {
  const bytes = i8x16.swizzle(v128.load64_zero(at), v128.load(tables + REFILL + (mask << 4)));
  return v128.bitselect(v128.or(i16x8.shl(state, 8), bytes), state, low);
}

export function gathered(keys: usize, mask: usize, tables: usize, to: usize): void {
  v128.store(to, i8x16.swizzle(v128.load(keys), v128.load(tables + GATHER + (mask << 4))));
}

export let gatheredEnd: usize = 0;

// Decodes the marks of a pass and puts the marked keys together; returns where in the bytes it ended, or 0 for damage.
function decodePassOf<T>(
  bytes: usize,
  end: usize,
  keys: usize,
  lanes: usize,
  low: i32,
  probabilities: usize,
  states: usize,
  tables: usize,
  tail: usize,
  marks: usize,
  output: usize,
): usize {
  const lowest = i8x16.splat(<i8>low);
  const chances = v128.load(probabilities);
  // Constants are loaded: the engine would make others anew in each step.
  const last = v128.load(tables + CONSTANTS);
  const slots = v128.load(tables + CONSTANTS, 16);
  const whole = lanes & ~31;
  const padded = (lanes + 31) & ~31;
  if (padded != whole) placeTail(keys, lanes, tail);
  let at = bytes;
  let out = output;
  for (let lane: usize = 0; lane < padded; lane += 16) {
    const from = lane < whole ? keys + (lane << 1) : tail + ((lane & 31) << 1);
    const slot = states + ((lane & (STATES - 1)) << 1);
    const chance = i8x16.swizzle(chances, contexts<T>(from, lowest, last));
    const p0 = i16x8.extend_low_i8x16_u(chance);
    const p1 = i16x8.extend_high_i8x16_u(chance);
    let x0 = v128.load(slot);
    let x1 = v128.load(slot, 16);
    const slot0 = v128.and(x0, slots);
    const slot1 = v128.and(x1, slots);
    const m0 = i16x8.lt_s(slot0, p0);
    const m1 = i16x8.lt_s(slot1, p1);
    x0 = stepped(x0, p0, slot0, m0);
    x1 = stepped(x1, p1, slot1, m1);
    const low0 = i16x8.eq(i16x8.shr_u(x0, 8), i16x8.splat(0));
    const low1 = i16x8.eq(i16x8.shr_u(x1, 8), i16x8.splat(0));
    const masks = <usize>i8x16.bitmask(i8x16.narrow_i16x8_s(low0, low1));
    const mask0 = masks & 255;
    const mask1 = masks >> 8;
    const at1 = at + <usize>popcnt<u32>(<u32>mask0);
    v128.store(slot, refilled(x0, low0, mask0, at, tables));
    v128.store(slot, refilled(x1, low1, mask1, at1, tables), 16);
    at = at1 + <usize>popcnt<u32>(<u32>mask1);
    const marked = <usize>i8x16.bitmask(i8x16.narrow_i16x8_s(m0, m1));
    store<u16>(marks + (lane >> 3), <u16>marked);
    gathered(from, marked & 255, tables, out);
    out += (<usize>popcnt<u32>(<u32>marked & 255)) << 1;
    gathered(from + 16, marked >> 8, tables, out);
    out += (<usize>popcnt<u32>(<u32>marked >> 8)) << 1;
    if (at > end) return 0;
  }
  gatheredEnd = out;
  if (padded != whole && load<u32>(marks + (whole >> 3)) >> <u32>(lanes & 31) != 0) return 0;
  return at;
}

// A state that is not free has written its lower byte.
function coded(before: v128, free: v128, f: v128, start: v128, reciprocal: v128, total: v128): v128 {
  const state = v128.bitselect(before, i16x8.shr_u(before, 8), free);
  const q = highProduct(state, reciprocal);
  const rest = i16x8.sub(state, i16x8.mul(q, f));
  const more = i16x8.sub(total, f);
  const over = v128.andnot(more, i16x8.gt_s(f, rest));
  return i16x8.add(i16x8.add(state, start), i16x8.add(i16x8.mul(q, more), over));
}

// Bytes of one of two tables.
function chosen(first: v128, second: v128, index: v128, isFirst: v128): v128 {
  return v128.bitselect(i8x16.swizzle(first, index), i8x16.swizzle(second, index), isFirst);
}

function lowWords(lower: v128, upper: v128): v128 {
  return i8x16.shuffle(lower, upper, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
}

function highWords(lower: v128, upper: v128): v128 {
  return i8x16.shuffle(lower, upper, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
}

function pressed(state: v128, mask: usize, tables: usize): i64 {
  return i64x2.extract_lane(i8x16.swizzle(state, v128.load64_zero(tables + PRESS + (mask << 3))), 0);
}

// Codes the marks of a pass from the last one to the first, downwards from `end`; returns where the bytes begin. Marks past the
// last lane are 0. `work` has 128 bytes.
function encodePassOf<T>(
  keys: usize,
  marks: usize,
  lanes: usize,
  low: i32,
  probabilities: usize,
  states: usize,
  tables: usize,
  work: usize,
  end: usize,
): usize {
  placeReciprocals(probabilities, work);
  const lowest = i8x16.splat(<i8>low);
  const chances = v128.load(probabilities);
  // Constants are loaded: the engine would make others anew in each step.
  const last = v128.load(tables + CONSTANTS);
  const total = v128.load(tables + CONSTANTS, 32);
  const totals = v128.load(tables + CONSTANTS, 48);
  const markedLow = v128.load(work);
  const markedHigh = v128.load(work, 16);
  const otherLow = v128.load(work, 32);
  const otherHigh = v128.load(work, 48);
  const tail = work + 64;
  const whole = lanes & ~31;
  const padded = (lanes + 31) & ~31;
  if (padded != whole) placeTail(keys, lanes, tail);
  let out = end;
  for (let lane = padded; lane > 0; ) {
    lane -= 16;
    const from = lane < whole ? keys + (lane << 1) : tail + ((lane & 31) << 1);
    const slot = states + ((lane & (STATES - 1)) << 1);
    const context = contexts<T>(from, lowest, last);
    const marked = v128.load(marks + lane);
    const p = i8x16.swizzle(chances, context);
    const f = v128.bitselect(p, i8x16.sub(totals, p), marked);
    const start = v128.andnot(p, marked);
    const lower = chosen(markedLow, otherLow, context, marked);
    const upper = chosen(markedHigh, otherHigh, context, marked);
    const f0 = i16x8.extend_low_i8x16_u(f);
    const f1 = i16x8.extend_high_i8x16_u(f);
    const x0 = v128.load(slot);
    const x1 = v128.load(slot, 16);
    const free0 = i16x8.gt_s(f0, i16x8.shr_u(x0, 9));
    const free1 = i16x8.gt_s(f1, i16x8.shr_u(x1, 9));
    const masks = <usize>i8x16.bitmask(i8x16.narrow_i16x8_s(free0, free1)) ^ 0xffff;
    const mask0 = masks & 255;
    const mask1 = masks >> 8;
    store<i64>(out - 8, pressed(x1, mask1, tables));
    out -= <usize>popcnt<u32>(<u32>mask1);
    store<i64>(out - 8, pressed(x0, mask0, tables));
    out -= <usize>popcnt<u32>(<u32>mask0);
    const y0 = coded(x0, free0, f0, i16x8.extend_low_i8x16_u(start), lowWords(lower, upper), total);
    const y1 = coded(x1, free1, f1, i16x8.extend_high_i8x16_u(start), highWords(lower, upper), total);
    v128.store(slot, y0);
    v128.store(slot, y1, 16);
  }
  return out;
}

// As encodePassOf, for exponents of 8 or 5 bits.
export function encodePass(
  keys: usize,
  marks: usize,
  lanes: usize,
  exponentBits: i32,
  low: i32,
  probabilities: usize,
  states: usize,
  tables: usize,
  work: usize,
  end: usize,
): usize {
  return exponentBits == 8
    ? encodePassOf<u8>(keys, marks, lanes, low, probabilities, states, tables, work, end)
    : encodePassOf<u16>(keys, marks, lanes, low, probabilities, states, tables, work, end);
}

// As decodePassOf, for exponents of 8 or 5 bits.
export function decodePass(
  bytes: usize,
  end: usize,
  keys: usize,
  lanes: usize,
  exponentBits: i32,
  low: i32,
  probabilities: usize,
  states: usize,
  tables: usize,
  tail: usize,
  marks: usize,
  output: usize,
): usize {
  return exponentBits == 8
    ? decodePassOf<u8>(bytes, end, keys, lanes, low, probabilities, states, tables, tail, marks, output)
    : decodePassOf<u16>(bytes, end, keys, lanes, low, probabilities, states, tables, tail, marks, output);
}
