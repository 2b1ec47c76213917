// Blocks of lanes in levels, with the passes of ./lane-steps.ts; the formulas are in ../reference-steps.ts. `work` holds, for
// each level, its keys, its marks and its lanes, and 128 bytes for the passes.

import { GATHER, SCATTER, scatterMarked16 } from './lane-marks';
import { decodePass, encodePass, gathered, gatheredEnd } from './lane-steps';

// From this level on sizes have bits that it does not tell.
const RESTS_FROM: u32 = 4;
const PASS_WORK: usize = 512;
const CLASSES: usize = 32;
// Of the lanes of a block that differ one in so many is counted.
const COUNTED: usize = 4;
// All levels but the first together have at most so many lanes.
const LEVEL_LANES_MAX: usize = 131_072;

function leastOf(level: u32): u32 {
  return level < 4 ? level : (2 + (level & 1)) << ((level >> 1) - 1);
}

function levelOf(size: u32): u32 {
  const octave = 31 - clz<u32>(size);
  return size < 2 ? 1 : 2 * octave + ((size >> (octave - 1)) & 1);
}

function lowOf(low: i32, level: u32): i32 {
  return level == 0 ? low : max<i32>(0, low - <i32>((level - 1) >> 1));
}

function tableOf(probabilities: usize, level: u32): usize {
  return probabilities + ((<usize>level < 4 ? <usize>level : 2 + (<usize>level & 1)) << 4);
}

function setLevel(work: usize, level: u32, keys: usize, marks: usize, lanes: usize): void {
  const row = work + ((<usize>level) << 4);
  store<u32>(row, <u32>keys);
  store<u32>(row, <u32>marks, 4);
  store<u32>(row, <u32>lanes, 8);
}

function keysAt(work: usize, level: u32): usize {
  return <usize>load<u32>(work + ((<usize>level) << 4));
}

function marksAt(work: usize, level: u32): usize {
  return <usize>load<u32>(work + ((<usize>level) << 4), 4);
}

function lanesAt(work: usize, level: u32): usize {
  return <usize>load<u32>(work + ((<usize>level) << 4), 8);
}

function clearPast(lanes: usize, count: usize): void {
  for (let at: usize = 0; at < 64; at += 16) v128.store(lanes + (count << 1) + at, i8x16.splat(0));
}

function ordered(x: v128): v128 {
  return v128.xor(x, v128.and(i16x8.shr_s(x, 15), i16x8.splat(0x7fff)));
}

// Puts the lanes that differ together: those of the base, how far they moved, and a bit where that was towards zero. Sets
// `changed`, a byte a lane, up to a multiple of 32; returns how many they are. Reads whole groups of 16 lanes.
export function splitSteps16(
  raw: usize,
  base: usize,
  lanes: usize,
  tables: usize,
  changed: usize,
  keys: usize,
  sizes: usize,
  signs: usize,
): usize {
  let key = keys;
  let size = sizes;
  for (let lane: usize = 0; lane < lanes; lane += 16) {
    const at = lane << 1;
    const same0 = i16x8.eq(v128.load(raw + at), v128.load(base + at));
    const same1 = i16x8.eq(v128.load(raw + at, 16), v128.load(base + at, 16));
    let differ = v128.not(i8x16.narrow_i16x8_s(same0, same1));
    let bits = <u32>i8x16.bitmask(differ);
    v128.store(changed + lane, differ);
    if (lane + 16 > lanes) {
      for (let past = lanes; past < lane + 32; past++) store<u8>(changed + past, 0);
      bits &= (1 << (<u32>(lanes - lane))) - 1;
    }
    const first = <usize>(bits & 255);
    const second = <usize>(bits >> 8);
    gathered(base + at, first, tables, key);
    gathered(raw + at, first, tables, size);
    key += (<usize>popcnt<u32>(<u32>first)) << 1;
    size += (<usize>popcnt<u32>(<u32>first)) << 1;
    gathered(base + at + 16, second, tables, key);
    gathered(raw + at + 16, second, tables, size);
    key += (<usize>popcnt<u32>(<u32>second)) << 1;
    size += (<usize>popcnt<u32>(<u32>second)) << 1;
  }
  if ((lanes & 31) != 0 && (lanes & 31) <= 16) v128.store(changed + ((lanes + 15) & ~15), i8x16.splat(0));
  const count = (key - keys) >> 1;
  for (let lane: usize = 0; lane < count; lane += 8) {
    const at = lane << 1;
    const b = v128.load(keys + at);
    const d = i16x8.sub(ordered(v128.load(sizes + at)), ordered(b));
    v128.store(sizes + at, i16x8.abs(d));
    store<u8>(signs + (lane >> 3), <u8>i16x8.bitmask(v128.xor(d, b)));
  }
  if ((count & 7) != 0) {
    const last = signs + (count >> 3);
    const kept: i32 = (1 << (<i32>count & 7)) - 1;
    store<u8>(last, load<u8>(last) & <u8>kept);
  }
  return count;
}

// Adds to `counts`, 32 u32 for each exponent, how often some of the sizes are of each level; the first one is of all levels.
export function countSteps16(keys: usize, sizes: usize, count: usize, bits: i32, counts: usize): void {
  for (let lane: usize = 0; lane < count; lane += COUNTED) {
    const exponent = (((<u32>load<u16>(keys + (lane << 1))) << 1) & 0xffff) >> (16 - bits);
    const level = levelOf(<u32>load<u16>(sizes + (lane << 1)));
    const row = counts + ((<usize>exponent * CLASSES) << 2);
    const counter = row + ((<usize>level) << 2);
    store<u32>(row, load<u32>(row) + 1);
    store<u32>(counter, load<u32>(counter) + 1);
  }
}

function widthOf(size: u32, least: u32): u32 {
  return size < least ? 30 - clz<u32>(size) : 16;
}

// Appends the bits of sizes that their level does not tell, all 16 from `least` on; returns the bits that there are then.
function packRests(sizes: usize, lanes: usize, least: u32, bits: usize, position: usize): usize {
  let out = bits + (position >> 3);
  let count = <u32>position & 7;
  let pending = <u64>load<u8>(out) & ((1 << count) - 1);
  for (let lane: usize = 0; lane < lanes; lane++) {
    const size = <u32>load<u16>(sizes + (lane << 1));
    const width = widthOf(size, least);
    pending |= (<u64>(size & ((1 << width) - 1))) << count;
    count += width;
    store<u64>(out, pending);
    out += count >> 3;
    pending >>= count & ~7;
    count &= 7;
  }
  store<u64>(out, pending);
  return ((out - bits) << 3) + count;
}

// Sets the marks of a level, a byte a lane, and puts what is marked together, sizes in place; returns how many they are.
function climb(
  sizes: usize,
  keys: usize,
  lanes: usize,
  least: u32,
  tables: usize,
  marks: usize,
  output: usize,
): usize {
  const threshold = i16x8.splat(<i16>least);
  let key = output;
  let size = sizes;
  clearPast(sizes, lanes);
  for (let lane: usize = 0; lane < ((lanes + 31) & ~31); lane += 16) {
    const at = lane << 1;
    const first = v128.load(sizes + at);
    const second = v128.load(sizes + at, 16);
    const more = i8x16.narrow_i16x8_s(i16x8.ge_u(first, threshold), i16x8.ge_u(second, threshold));
    const bits = <usize>i8x16.bitmask(more);
    v128.store(marks + lane, more);
    gathered(keys + at, bits & 255, tables, key);
    gathered(sizes + at, bits & 255, tables, size);
    key += (<usize>popcnt<u32>(<u32>bits & 255)) << 1;
    size += (<usize>popcnt<u32>(<u32>bits & 255)) << 1;
    gathered(keys + at + 16, bits >> 8, tables, key);
    v128.store(size, i8x16.swizzle(second, v128.load(tables + GATHER + ((bits >> 8) << 4))));
    key += (<usize>popcnt<u32>(<u32>bits >> 8)) << 1;
    size += (<usize>popcnt<u32>(<u32>bits >> 8)) << 1;
  }
  return (key - output) >> 1;
}

let restEnd: usize = 0;

// The bits that were written by the last call of encodeSteps.
export function writtenBits(): usize {
  return restEnd;
}

// Codes a block downwards from `end`; returns where the bytes begin, or 0 where levels have too many lanes. `sizes` is used up;
// the rests go to `bits`, after `count` signs.
export function encodeSteps(
  base: usize,
  changed: usize,
  lanes: usize,
  keys: usize,
  sizes: usize,
  count: usize,
  bits: usize,
  exponentBits: i32,
  low: i32,
  levels: u32,
  probabilities: usize,
  states: usize,
  tables: usize,
  work: usize,
  marks: usize,
  moreKeys: usize,
  end: usize,
): usize {
  let n = count;
  let all: usize = 0;
  let levelKeys = keys;
  let mark = marks;
  let next = moreKeys;
  const rests = min<u32>(levels, RESTS_FROM);
  restEnd = rests == 1 ? packRests(sizes, n, 1, bits, count) : count;
  for (let level: u32 = 1; level < levels; level++) {
    all += n;
    if (all > LEVEL_LANES_MAX) return 0;
    setLevel(work, level, levelKeys, mark, n);
    const above = climb(sizes, levelKeys, n, leastOf(level + 1), tables, mark, next);
    mark += (n + 31) & ~31;
    levelKeys = next;
    next += ((above << 1) + 31) & ~15;
    n = above;
    if (level + 1 == rests) restEnd = packRests(sizes, n, leastOf(levels), bits, count);
  }
  if (all + n > LEVEL_LANES_MAX) return 0;
  const pass = work + PASS_WORK;
  let out = end;
  for (let level = levels - 1; level > 0; level--) {
    out = encodePass(
      keysAt(work, level),
      marksAt(work, level),
      lanesAt(work, level),
      exponentBits,
      lowOf(low, level),
      tableOf(probabilities, level),
      states,
      tables,
      pass,
      out,
    );
  }
  return encodePass(base, changed, lanes, exponentBits, low, probabilities, states, tables, pass, out);
}

// Decodes the levels of a block into `work`; returns where in the bytes they ended, or 0 for damage.
export function decodeSteps(
  bytes: usize,
  end: usize,
  base: usize,
  lanes: usize,
  exponentBits: i32,
  low: i32,
  levels: u32,
  probabilities: usize,
  states: usize,
  tables: usize,
  work: usize,
  marks: usize,
  keys: usize,
): usize {
  let at = bytes;
  let all: usize = 0;
  let from = base;
  let n = lanes;
  let mark = marks;
  let next = keys;
  for (let level: u32 = 0; level < levels; level++) {
    setLevel(work, level, from, mark, n);
    at = decodePass(
      at,
      end,
      from,
      n,
      exponentBits,
      lowOf(low, level),
      tableOf(probabilities, level),
      states,
      tables,
      work + PASS_WORK,
      mark,
      next,
    );
    if (at == 0) return 0;
    mark += ((n + 31) & ~31) >> 3;
    from = next;
    n = (gatheredEnd - next) >> 1;
    all += n;
    if (all > LEVEL_LANES_MAX) return 0;
    next = (gatheredEnd + 31) & ~15;
  }
  setLevel(work, levels, from, mark, n);
  return at;
}

// The bits that the sizes of the levels in `work` have besides, and the signs.
export function stepBits(levels: u32, work: usize): usize {
  let bits = lanesAt(work, 1);
  for (let level = RESTS_FROM; level < levels; level++) {
    bits += (lanesAt(work, level) - lanesAt(work, level + 1)) * ((level >> 1) - 1);
  }
  return bits + 16 * lanesAt(work, levels);
}

function unpackRests(sizes: usize, lanes: usize, least: u32, bits: usize, from: usize): void {
  let position = from;
  for (let lane: usize = 0; lane < lanes; lane++) {
    const size = <u32>load<u16>(sizes + (lane << 1));
    const width = widthOf(size, least);
    const rest = <u32>(load<u32>(bits + (position >> 3)) >> (<u32>position & 7)) & ((1 << width) - 1);
    store<u16>(sizes + (lane << 1), <u16>(size < least ? size + rest : rest));
    position += width;
  }
}

// Fills `sizes` of a level with its least one, and where lanes are marked with those above.
function descend(above: usize, marks: usize, lanes: usize, least: u32, tables: usize, sizes: usize): void {
  const floor = i16x8.splat(<i16>least);
  let from = above;
  for (let lane: usize = 0; lane < lanes; lane += 8) {
    const mask = <usize>load<u8>(marks + (lane >> 3));
    const order = v128.load(tables + SCATTER + (mask << 4));
    const kept = v128.and(floor, i8x16.lt_s(order, i8x16.splat(0)));
    v128.store(sizes + (lane << 1), v128.or(kept, i8x16.swizzle(v128.load(from), order)));
    from += (<usize>popcnt<u32>(<u32>mask)) << 1;
  }
}

// Makes the lanes of a block from its levels in `work`, and from signs and rests in `bits`. `sizes` and `more` are room for all.
export function mergeSteps16(
  levels: u32,
  work: usize,
  bits: usize,
  tables: usize,
  sizes: usize,
  more: usize,
  raw: usize,
): void {
  const count = lanesAt(work, 1);
  let here = sizes;
  let there = more;
  for (let lane: usize = 0; lane < lanesAt(work, levels); lane += 8) {
    v128.store(here + (lane << 1), i16x8.splat(<i16>leastOf(levels)));
  }
  const rests = min<u32>(levels, RESTS_FROM);
  if (levels == rests) unpackRests(here, lanesAt(work, levels), leastOf(levels), bits, count);
  for (let level = levels - 1; level > 0; level--) {
    descend(here, marksAt(work, level), lanesAt(work, level), leastOf(level), tables, there);
    const swap = here;
    here = there;
    there = swap;
    if (level == rests) unpackRests(here, lanesAt(work, level), leastOf(levels), bits, count);
  }
  const keys = keysAt(work, 1);
  const bit = i16x8(1, 2, 4, 8, 16, 32, 64, 128);
  for (let lane: usize = 0; lane < count; lane += 8) {
    const at = lane << 1;
    const b = v128.load(keys + at);
    const sign = i16x8.eq(v128.and(i16x8.splat(<i16>load<u8>(bits + (lane >> 3))), bit), bit);
    const down = v128.xor(sign, i16x8.shr_s(b, 15));
    const d = i16x8.sub(v128.xor(v128.load(here + at), down), down);
    v128.store(here + at, ordered(i16x8.add(ordered(b), d)));
  }
  scatterMarked16(here, marksAt(work, 0), (lanesAt(work, 0) + 7) >> 3, tables, keysAt(work, 0), raw);
}
