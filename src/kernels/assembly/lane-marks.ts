// Marks of lanes of 16 bits: binary rANS with 32 interleaved states of 16 bits, four vectors of them, 7-bit probabilities
// and bytes; the formulas are in ../reference-marks.ts. Lanes are taken 32 at a time; all kernels but gather and scatter
// read whole groups.

const LANES: usize = 32;
const STATE_MIN: u16 = 256;
const CONTEXT_MAX: i16 = 15;

// Shuffles for each mask of 8 lanes: their lower bytes, to the right end of 8; bytes to them; they together; back again.
export const PRESS: usize = 0;
export const REFILL: usize = 256 * 8;
export const GATHER: usize = REFILL + 256 * 16;
export const SCATTER: usize = GATHER + 256 * 16;
export const CONSTANTS: usize = SCATTER + 256 * 16;

export function buildMarkTables(tables: usize): void {
  memory.fill(tables, 0x80, SCATTER + 256 * 16);
  v128.store(tables + CONSTANTS, i8x16.splat(15));
  v128.store(tables + CONSTANTS, i16x8.splat(127), 16);
  v128.store(tables + CONSTANTS, i16x8.splat(128), 32);
  v128.store(tables + CONSTANTS, i8x16.splat(-128), 48);
  for (let mask: usize = 0; mask < 256; mask++) {
    const row = tables + (mask << 4);
    const press = tables + PRESS + (mask << 3) + 8 - <usize>popcnt<u32>(<u32>mask);
    let rank: usize = 0;
    for (let lane: usize = 0; lane < 8; lane++) {
      if (((mask >> lane) & 1) == 0) continue;
      store<u8>(press + rank, <u8>(lane << 1));
      store<u8>(row + REFILL + (lane << 1), <u8>rank);
      store<u16>(row + GATHER + (rank << 1), <u16>(lane * 0x202 + 0x100));
      store<u16>(row + SCATTER + (lane << 1), <u16>(rank * 0x202 + 0x100));
      rank++;
    }
  }
}

// The contexts of 8 lanes, as indices of a table of bytes: the upper bytes select none.
function contexts(base: usize, shift: i32, low: v128): v128 {
  const above = i16x8.sub_sat_u(i16x8.shr_u(i16x8.shl(v128.load(base), 1), shift), low);
  return v128.or(i16x8.min_u(above, i16x8.splat(CONTEXT_MAX)), i16x8.splat(<i16>0x8000));
}

// floor(a / f) or 1 less, with a table of floor(2^16 / f).
export function highProduct(a: v128, b: v128): v128 {
  return i16x8.narrow_i32x4_u(
    i32x4.shr_u(i32x4.extmul_low_i16x8_u(a, b), 16),
    i32x4.shr_u(i32x4.extmul_high_i16x8_u(a, b), 16),
  );
}

function pressed(state: v128, full: u32, tables: usize): i64 {
  return i64x2.extract_lane(i8x16.swizzle(state, v128.load64_zero(tables + PRESS + ((<usize>full) << 3))), 0);
}

function coded(state: v128, f: v128, start: v128, reciprocal: v128): v128 {
  const q = highProduct(state, reciprocal);
  const over = i16x8.ge_s(i16x8.sub(state, i16x8.mul(q, f)), f);
  return i16x8.add(i16x8.add(state, start), i16x8.mul(i16x8.sub(q, over), i16x8.sub(i16x8.splat(128), f)));
}

// The bytes of 16 reciprocals, of `probabilities` and then of what is left of 128: lower ones, upper ones.
export function placeReciprocals(probabilities: usize, to: usize): void {
  for (let context: usize = 0; context < 16; context++) {
    const p = <u32>load<u8>(probabilities + context);
    const marked = min<u32>(65536 / p, 65535);
    const other = min<u32>(65536 / (128 - p), 65535);
    store<u8>(to + context, <u8>marked);
    store<u8>(to + context, <u8>(marked >> 8), 16);
    store<u8>(to + context, <u8>other, 32);
    store<u8>(to + context, <u8>(other >> 8), 48);
  }
}

function bits16(a: v128, b: v128): u32 {
  return <u32>i8x16.bitmask(i8x16.narrow_i16x8_s(a, b));
}

// Writes a bit for each lane that differs, 16 lanes at a time.
export function markLanes16(raw: usize, base: usize, lanes: usize, marks: usize): void {
  for (let lane: usize = 0; lane < lanes; lane += 16) {
    const at = lane << 1;
    const same0 = i16x8.eq(v128.load(raw + at), v128.load(base + at));
    const same1 = i16x8.eq(v128.load(raw + at, 16), v128.load(base + at, 16));
    store<u16>(marks + (lane >> 3), <u16>~bits16(same0, same1));
  }
}

// Codes the marks of a block, whose lanes are `groups` times 32, from the last one to the first. Writes downwards from
// `end`, below which a byte for each lane and 8 more are free; returns where the bytes begin. `work` has 64 bytes.
export function encodeMarks16(
  raw: usize,
  base: usize,
  groups: usize,
  bits: i32,
  low: i32,
  probabilities: usize,
  states: usize,
  tables: usize,
  work: usize,
  end: usize,
): usize {
  placeReciprocals(probabilities, work);
  const shift = 16 - bits;
  const lowest = i16x8.splat(<i16>low);
  const chances = v128.load(probabilities);
  const markedLow = v128.load(work);
  const markedHigh = v128.load(work, 16);
  const otherLow = v128.load(work, 32);
  const otherHigh = v128.load(work, 48);
  let out = end;
  for (let at = groups * LANES; at > 0; ) {
    at -= 8;
    const lane = at << 1;
    const slot = states + (lane & 48);
    let x = v128.load(slot);
    const index = contexts(base + lane, shift, lowest);
    const upper = i16x8.shl(index, 8);
    const indexHigh = v128.or(upper, i16x8.splat(0x80));
    const same = i16x8.eq(v128.load(raw + lane), v128.load(base + lane));
    const p = i8x16.swizzle(chances, index);
    const not = i16x8.sub(i16x8.splat(128), p);
    const f = v128.bitselect(not, p, same);
    const marked = v128.or(i8x16.swizzle(markedLow, index), i8x16.swizzle(markedHigh, indexHigh));
    const other = v128.or(i8x16.swizzle(otherLow, index), i8x16.swizzle(otherHigh, indexHigh));
    const fullLanes = i16x8.ge_s(i16x8.shr_u(x, 9), f);
    const full = <u32>i16x8.bitmask(fullLanes);
    store<i64>(out - 8, pressed(x, full, tables));
    out -= <usize>popcnt<u32>(full);
    x = v128.bitselect(i16x8.shr_u(x, 8), x, fullLanes);
    v128.store(slot, coded(x, f, v128.and(p, same), v128.bitselect(other, marked, same)));
  }
  return out;
}

function marksOf(state: v128, p: v128): v128 {
  return i16x8.lt_s(v128.and(state, i16x8.splat(127)), p);
}

function stepped(state: v128, p: v128, marked: v128): v128 {
  const a = i16x8.mul(p, i16x8.shr_u(state, 7));
  const slot = v128.and(state, i16x8.splat(127));
  return v128.bitselect(i16x8.add(a, slot), i16x8.sub(state, i16x8.add(a, p)), marked);
}

function lowLanes(state: v128): v128 {
  return i16x8.eq(i16x8.shr_u(state, 8), i16x8.splat(0));
}

function refilled(state: v128, low: v128, mask: u32, at: usize, tables: usize): v128 {
  const bytes = i8x16.swizzle(v128.load64_zero(at), v128.load(tables + REFILL + ((<usize>mask) << 4)));
  return v128.bitselect(v128.or(i16x8.shl(state, 8), bytes), state, low);
}

// Writes the marks of a block, whose lanes are `groups` times 32, and returns where in the bytes it ended, or 0 where that
// is past `end`; reads at most 40 bytes past it.
export function decodeMarks16(
  bytes: usize,
  end: usize,
  base: usize,
  groups: usize,
  bits: i32,
  low: i32,
  probabilities: usize,
  states: usize,
  tables: usize,
  marks: usize,
): usize {
  const shift = 16 - bits;
  const lowest = i16x8.splat(<i16>low);
  const chances = v128.load(probabilities);
  let x0 = v128.load(states);
  let x1 = v128.load(states, 16);
  let x2 = v128.load(states, 32);
  let x3 = v128.load(states, 48);
  let at = bytes;
  let lane = base;
  for (let group: usize = 0; group < groups; group++, lane += 2 * LANES) {
    const p0 = i8x16.swizzle(chances, contexts(lane, shift, lowest));
    const p1 = i8x16.swizzle(chances, contexts(lane + 16, shift, lowest));
    const p2 = i8x16.swizzle(chances, contexts(lane + 32, shift, lowest));
    const p3 = i8x16.swizzle(chances, contexts(lane + 48, shift, lowest));
    const m0 = marksOf(x0, p0);
    const m1 = marksOf(x1, p1);
    const m2 = marksOf(x2, p2);
    const m3 = marksOf(x3, p3);
    x0 = stepped(x0, p0, m0);
    x1 = stepped(x1, p1, m1);
    x2 = stepped(x2, p2, m2);
    x3 = stepped(x3, p3, m3);
    const low0 = lowLanes(x0);
    const low1 = lowLanes(x1);
    const low2 = lowLanes(x2);
    const low3 = lowLanes(x3);
    const mask0 = <u32>i16x8.bitmask(low0);
    const mask1 = <u32>i16x8.bitmask(low1);
    const mask2 = <u32>i16x8.bitmask(low2);
    const mask3 = <u32>i16x8.bitmask(low3);
    const at1 = at + <usize>popcnt<u32>(mask0);
    const at2 = at1 + <usize>popcnt<u32>(mask1);
    const at3 = at2 + <usize>popcnt<u32>(mask2);
    x0 = refilled(x0, low0, mask0, at, tables);
    x1 = refilled(x1, low1, mask1, at1, tables);
    x2 = refilled(x2, low2, mask2, at2, tables);
    x3 = refilled(x3, low3, mask3, at3, tables);
    at = at3 + <usize>popcnt<u32>(mask3);
    store<u32>(marks + (group << 2), bits16(m0, m1) | (bits16(m2, m3) << 16));
    if (at > end) return 0;
  }
  v128.store(states, x0);
  v128.store(states, x1, 16);
  v128.store(states, x2, 32);
  v128.store(states, x3, 48);
  return at;
}

// Puts marked lanes together and returns where they end. Reads whole groups of 8 lanes; up to 16 bytes more are written.
export function gatherMarked16(
  lanes: usize,
  marks: usize,
  markBytes: usize,
  tables: usize,
  output: usize,
): usize {
  let out = output;
  for (let at: usize = 0; at < markBytes; at++) {
    const mask = <usize>load<u8>(marks + at);
    v128.store(out, i8x16.swizzle(v128.load(lanes + (at << 4)), v128.load(tables + GATHER + (mask << 4))));
    out += (<usize>popcnt<u32>(<u32>mask)) << 1;
  }
  return out;
}

// Fills `raw` from the base and, in marked lanes, `values`; returns where these end. Reads and writes whole groups of 8 lanes.
export function scatterMarked16(
  values: usize,
  marks: usize,
  markBytes: usize,
  tables: usize,
  base: usize,
  raw: usize,
): usize {
  let from = values;
  for (let at: usize = 0; at < markBytes; at++) {
    const mask = <usize>load<u8>(marks + at);
    const order = v128.load(tables + SCATTER + (mask << 4));
    const kept = v128.and(v128.load(base + (at << 4)), i8x16.lt_s(order, i8x16.splat(0)));
    v128.store(raw + (at << 4), v128.or(kept, i8x16.swizzle(v128.load(from), order)));
    from += (<usize>popcnt<u32>(<u32>mask)) << 1;
  }
  return from;
}
