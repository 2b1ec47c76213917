// Gaps by level: FORMAT.md, "Gaps"; the plain twin is ../reference-gaps.ts. Lanes are taken 64 at a time, and of those the
// ones that are told: the lanes of sparse levels that differ, and all of dense levels. Kernels read up to a tile past the
// end of a block.

import { bytePosition, MostlyZeros, readBit, startReading } from './adaptive-bits';
import { codeEvents, EVENT_BYTES, EVENTS_MAX, isCodedEnd, Plain, readRest, SPARSE_LARGE } from './gap-events';
import {
  DENSE,
  differenceAt,
  lanesLeft,
  levelAt,
  lookAt,
  ordered,
  STRIP,
  STRIP_BYTES,
  TILE,
  Tiles,
} from './gap-tiles';

// Of each sparse level: its lanes from the start of the strip to after the last event, and where the gap that ends with the
// next event goes to.
const SLOTS: usize = 8 * 8;

// Plain bits of a block that were read.
let position: usize = 0;

function stored<T>(event: usize, raw: usize, base: usize, level: u32): void {
  store<i32>(event, differenceAt<T>(raw, base));
  store<u32>(event, level, 4);
}

// Writes the events of lanes `told` of a tile, by level, and the gaps that end with them to where they belong. `gap` is where
// the gap after the first of them goes to. Returns the end of the events.
function tellSparse<T>(
  told: u64,
  raw: usize,
  base: usize,
  masks: usize,
  totals: usize,
  slots: usize,
  event: usize,
  gap: usize,
): usize {
  const sparse = load<u64>(masks);
  const bit2 = load<u64>(masks, 8);
  const bit1 = load<u64>(masks, 16);
  const bit0 = load<u64>(masks, 24);
  while (told != 0) {
    // The lanes of the lowest level: bit by bit those without it, if there are any.
    const without2 = told & ~bit2;
    const low2 = 0 - <u64>(without2 != 0);
    const lanes2 = without2 | (told & ~low2);
    const without1 = lanes2 & ~bit1;
    const low1 = 0 - <u64>(without1 != 0);
    const lanes1 = without1 | (lanes2 & ~low1);
    const without0 = lanes1 & ~bit0;
    const low0 = 0 - <u64>(without0 != 0);
    const lane = <usize>ctz<u64>(without0 | (lanes1 & ~low0));
    const one = (<u64>1) << lane;
    told ^= one;
    const level = 7 ^ ((<usize>low2 & 4) | (<usize>low1 & 2) | (<usize>low0 & 1));
    const same = sparse & (bit2 ^ low2) & (bit1 ^ low1) & (bit0 ^ low0);
    const rank = <u32>load<u16>(totals + (level << 1)) + <u32>popcnt<u64>(same & (one - 1));
    const slot = slots + (level << 3);
    store<u32>(<usize>load<u32>(slot, 4), rank - load<u32>(slot));
    store<u32>(slot, rank + 1);
    store<u32>(slot, <u32>gap, 4);
    const at = lane * sizeof<T>();
    stored<T>(event, raw + at, base + at, DENSE + <u32>level);
    event += EVENT_BYTES;
    gap += 4;
  }
  return event;
}

// Writes what is told of a block to `events` and, for the start and for each event, the next gap of its level to `gaps`.
// `work` has room for slots and what is known of a strip. Returns the end of the events, or 0 where there are too many.
function collect<T>(
  raw: usize,
  base: usize,
  lanes: usize,
  bits: i32,
  low: i32,
  contexts: i32,
  events: usize,
  gaps: usize,
  work: usize,
): usize {
  const strip = work + SLOTS;
  const limit = events + EVENTS_MAX * EVENT_BYTES;
  const gapsAfter = gaps + ((<usize>contexts) << 2);
  let event = events;
  for (let c: usize = 0; c < <usize>contexts; c++) {
    store<u32>(work + (c << 3), 0);
    store<u32>(work + (c << 3), <u32>(gaps + (c << 2)), 4);
  }
  for (let first: usize = 0; first < lanes; first += STRIP) {
    const length = min<usize>(STRIP, lanes - first);
    lookAt<T>(base + first * sizeof<T>(), length, bits, low, contexts, strip);
    const tiles = (length + TILE - 1) / TILE;
    for (let tile: usize = 0; tile < tiles; tile++) {
      const at = (first + tile * TILE) * sizeof<T>();
      const masks = Tiles.masksAt(strip, tile);
      const sparse = load<u64>(masks);
      const told = Tiles.changes<T>(raw + at, base + at) & sparse;
      if (told != 0) {
        const gap = gapsAfter + ((event - events) >> 1);
        event = tellSparse<T>(
          told,
          raw + at,
          base + at,
          masks,
          Tiles.totalsAt(strip, tile),
          work,
          event,
          gap,
        );
      }
      for (let dense = ~sparse & lanesLeft(length - tile * TILE); dense != 0; dense &= dense - 1) {
        const lane = at + <usize>ctz<u64>(dense) * sizeof<T>();
        stored<T>(event, raw + lane, base + lane, levelAt<T>(base + lane, bits, low, contexts + 7));
        event += EVENT_BYTES;
      }
      if (event > limit) return 0;
    }
    const totals = Tiles.totalsAt(strip, tiles);
    for (let c: usize = 0; c < <usize>contexts; c++) {
      const slot = work + (c << 3);
      store<u32>(slot, load<u32>(slot) - <u32>load<u16>(totals + (c << 1)));
    }
  }
  for (let c: usize = 0; c < <usize>contexts; c++) {
    const slot = work + (c << 3);
    store<u32>(<usize>load<u32>(slot, 4), 0 - load<u32>(slot));
  }
  return event;
}

// Codes a block; `work` has room for what `collect` needs, the events and their gaps. Returns (coded bytes << 32) | bytes of
// bits, or -1 where the streams, of which each has `room` bytes and some more, do not suffice.
function encode<T>(
  raw: usize,
  base: usize,
  lanes: usize,
  bits: i32,
  low: i32,
  contexts: i32,
  state: usize,
  work: usize,
  coded: usize,
  plain: usize,
  room: usize,
): i64 {
  const events = work + SLOTS + STRIP_BYTES;
  const gaps = events + (EVENTS_MAX + TILE) * EVENT_BYTES;
  const end = collect<T>(raw, base, lanes, bits, low, contexts, events, gaps, work);
  if (end == 0) return -1;
  const length = codeEvents(events, end, gaps, <usize>contexts, state, coded, plain, room);
  return length < 0 ? -1 : ((<i64>(bytePosition() - coded)) << 32) | length;
}

export function encodeGaps16(
  raw: usize,
  base: usize,
  lanes: usize,
  bits: i32,
  low: i32,
  contexts: i32,
  state: usize,
  work: usize,
  coded: usize,
  plain: usize,
  room: usize,
): i64 {
  return encode<i16>(raw, base, lanes, bits, low, contexts, state, work, coded, plain, room);
}

export function encodeGaps32(
  raw: usize,
  base: usize,
  lanes: usize,
  bits: i32,
  low: i32,
  contexts: i32,
  state: usize,
  work: usize,
  coded: usize,
  plain: usize,
  room: usize,
): i64 {
  return encode<i32>(raw, base, lanes, bits, low, contexts, state, work, coded, plain, room);
}

const ONES: u64 = 0x0101010101010101;
const TOPS: u64 = 0x8080808080808080;

// Of how many bytes of numbers up to 127 none is above `number`, where they rise.
function notAbove(numbers: u64, number: u64): u64 {
  return popcnt<u64>((((number * ONES) | TOPS) - numbers) & TOPS);
}

// The lane of `members` that follows `count` others, of which there is one: its byte by the members up to the end of each,
// then its bit by the members up to each of this byte.
function laneAfter(members: u64, count: u64): u64 {
  let sums = members - ((members >> 1) & 0x5555555555555555);
  sums = (sums & 0x3333333333333333) + ((sums >> 2) & 0x3333333333333333);
  sums = ((sums + (sums >> 4)) & 0x0f0f0f0f0f0f0f0f) * ONES;
  const first = notAbove(sums, count) << 3;
  const bits = (((members >> first) & 255) * ONES) & 0x8040201008040201;
  const ranks = (((bits + 0x7f7f7f7f7f7f7f7f) >> 7) & ONES) * ONES;
  return first + notAbove(ranks, count - (((sums << 8) >> first) & 255));
}

// The difference of this size with this sign bit.
function signed(size: u32, bit: u64): i32 {
  const sign = -(<i32>bit);
  return (<i32>size ^ sign) - sign;
}

function change<T>(raw: usize, base: usize, difference: i32): void {
  const d = ordered<T>(<i32>load<T>(base)) + difference;
  store<T>(raw, <T>ordered<T>(sizeof<T>() == 2 ? (d << 16) >> 16 : d));
}

// Decodes a strip over a copy of the base; returns false for damage.
function decodeStrip<T>(
  raw: usize,
  base: usize,
  lanes: usize,
  bits: i32,
  low: i32,
  top: i32,
  state: usize,
  work: usize,
  plain: usize,
  plainBits: usize,
): bool {
  const strip = work + SLOTS;
  let at = position;
  let next = i16x8.narrow_i32x4_s(v128.load(work), v128.load(work, 16));
  for (let tile: usize = 0; tile * TILE < lanes; tile++) {
    const from = base + tile * TILE * sizeof<T>();
    const to = raw + tile * TILE * sizeof<T>();
    const masks = Tiles.masksAt(strip, tile);
    const totals = Tiles.totalsAt(strip, tile);
    let due = <u32>i16x8.bitmask(i16x8.gt_s(v128.load(totals, 16), next));
    while (due != 0) {
      const c = ctz<u32>(due);
      const slot = work + ((<usize>c) << 2);
      const rank = load<u32>(slot);
      const total = totals + ((<usize>c) << 1);
      const lane = <usize>laneAfter(Tiles.lanesOf(masks, c), rank - load<u16>(total)) * sizeof<T>();
      let size: u32 = 1;
      if (MostlyZeros.read(state + ((<usize>c) << 2) + SPARSE_LARGE)) {
        const rest = readRest(state, DENSE + c, plain, at);
        at = <usize>(<u32>rest);
        size = <u32>(rest >> 32);
      }
      const ahead = Plain.peek(plain, at);
      const gap = Plain.gapOf(state + ((<usize>c) << 2), ahead >> 1);
      at += 1 + (<usize>gap & 63);
      if (at > plainBits || size == 0) return false;
      change<T>(to + lane, from + lane, signed(size, ahead & 1));
      const after = rank + 1 + <u32>(gap >> 6);
      store<u32>(slot, after);
      const isLevel = i16x8.eq(i16x8.splat(<i16>c), i16x8(0, 1, 2, 3, 4, 5, 6, 7));
      next = v128.bitselect(i16x8.splat(<i16>min<u32>(after, 32767)), next, isLevel);
      if (after >= <u32>load<u16>(total, 16)) due &= due - 1;
    }
    for (let dense = ~load<u64>(masks) & lanesLeft(lanes - tile * TILE); dense != 0; dense &= dense - 1) {
      const lane = <usize>ctz<u64>(dense) * sizeof<T>();
      const level = levelAt<T>(from + lane, bits, low, top);
      if (!readBit(state + ((<usize>level) << 2))) continue;
      const rest = readRest(state, level, plain, at);
      at = <usize>(<u32>rest);
      const sign = Plain.peek(plain, at++) & 1;
      if (at > plainBits || rest >> 32 == 0) return false;
      change<T>(to + lane, from + lane, signed(<u32>(rest >> 32), sign));
    }
  }
  position = at;
  return true;
}

// Decodes a block over a copy of the base; returns the bits that were read of `plain`, of which there are `plainBits`, or
// -1 for damage. `work` has room for slots and what is known of a strip.
function decode<T>(
  raw: usize,
  base: usize,
  lanes: usize,
  bits: i32,
  low: i32,
  contexts: i32,
  state: usize,
  work: usize,
  coded: usize,
  codedEnd: usize,
  plain: usize,
  plainBits: usize,
): i32 {
  const strip = work + SLOTS;
  memory.copy(raw, base, lanes * sizeof<T>());
  startReading(coded, codedEnd);
  position = 0;
  for (let c: usize = 0; c < 8; c++) {
    let gap: u64 = 0;
    if (c < <usize>contexts) gap = Plain.gapOf(state + (c << 2), Plain.peek(plain, position));
    position += <usize>gap & 63;
    store<u32>(work + (c << 2), <u32>(gap >> 6));
  }
  for (let first: usize = 0; first < lanes; first += STRIP) {
    const length = min<usize>(STRIP, lanes - first);
    const from = base + first * sizeof<T>();
    lookAt<T>(from, length, bits, low, contexts, strip);
    const to = raw + first * sizeof<T>();
    if (!decodeStrip<T>(to, from, length, bits, low, contexts + 7, state, work, plain, plainBits)) return -1;
    const totals = Tiles.totalsAt(strip, (length + TILE - 1) / TILE);
    for (let c: usize = 0; c < <usize>contexts; c++) {
      const slot = work + (c << 2);
      store<u32>(slot, load<u32>(slot) - <u32>load<u16>(totals + (c << 1)));
    }
  }
  return position <= plainBits && isCodedEnd(coded, codedEnd) ? <i32>position : -1;
}

export function decodeGaps16(
  raw: usize,
  base: usize,
  lanes: usize,
  bits: i32,
  low: i32,
  contexts: i32,
  state: usize,
  work: usize,
  coded: usize,
  codedEnd: usize,
  plain: usize,
  plainBits: usize,
): i32 {
  return decode<i16>(raw, base, lanes, bits, low, contexts, state, work, coded, codedEnd, plain, plainBits);
}

export function decodeGaps32(
  raw: usize,
  base: usize,
  lanes: usize,
  bits: i32,
  low: i32,
  contexts: i32,
  state: usize,
  work: usize,
  coded: usize,
  codedEnd: usize,
  plain: usize,
  plainBits: usize,
): i32 {
  return decode<i32>(raw, base, lanes, bits, low, contexts, state, work, coded, codedEnd, plain, plainBits);
}
