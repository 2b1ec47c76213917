// Gaps by level: FORMAT.md, "Gaps"; the plain twin is ../reference-gaps.ts. Lanes are taken 64 at a time: a mask for the
// lanes that differ, and one for each level. Kernels read up to a tile past the end of a block.

import { bytePosition, readBit } from './adaptive-bits';
import {
  codeEvents,
  EVENT_BYTES,
  EVENTS_MAX,
  finishEvents,
  readDifference,
  readEventGap,
  startEvents,
} from './gap-events';
import {
  changes,
  DENSE,
  denseLanes,
  differenceAt,
  exponentMask,
  lanesLeft,
  lanesOf,
  levelAt,
  levels16,
  ordered,
  TILE,
} from './gap-tiles';

function stored<T>(event: usize, raw: usize, base: usize, level: u32): void {
  store<i32>(event, differenceAt<T>(raw, base));
  store<u32>(event, level, 4);
}

// Writes the events of a sparse level in a tile, and the gaps that end with them to where they belong. `slot` has the
// lanes since the last event and where the gap after it goes to. Returns the end of the events.
function tellLevel<T>(
  slot: usize,
  lanes: u64,
  changed: u64,
  raw: usize,
  base: usize,
  level: u32,
  events: usize,
  gaps: usize,
): usize {
  let members = lanes;
  let since = load<u32>(slot);
  let place = <usize>load<u32>(slot, 4);
  let event = events;
  let gap = gaps;
  for (let hits = members & changed; hits != 0; hits &= hits - 1) {
    const lane = <usize>ctz<u64>(hits);
    const before = ((<u64>1) << lane) - 1;
    store<u32>(place, since + <u32>popcnt<u64>(members & before));
    place = gap;
    stored<T>(event, raw + lane * sizeof<T>(), base + lane * sizeof<T>(), level);
    event += EVENT_BYTES;
    gap += 4;
    members &= ~before & ~((<u64>1) << lane);
    since = 0;
  }
  store<u32>(slot, since + <u32>popcnt<u64>(members));
  store<u32>(slot, <u32>place, 4);
  return event;
}

// Writes what is told of a block to `events` and, for the start and for each event, the next gap of its level to `gaps`.
// `work` has 16 words. Returns the end of the events, or 0 where there are too many.
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
  const shift = <i32>(8 * sizeof<T>()) - 1 - bits;
  const mask = exponentMask<T>(bits);
  const lowest = i8x16.splat(<i8>low);
  const top = i8x16.splat(<i8>(contexts + 7));
  const limit = events + EVENTS_MAX * EVENT_BYTES;
  let event = events;
  // Of each level: lanes since the last event, and where the gap after that event goes to.
  for (let c: usize = 0; c < <usize>contexts; c++) {
    store<u32>(work + (c << 3), 0);
    store<u32>(work + (c << 3), <u32>(gaps + (c << 2)), 4);
  }
  let nextGap = gaps + ((<usize>contexts) << 2);
  for (let tile: usize = 0; tile < lanes; tile += TILE) {
    const from = base + tile * sizeof<T>();
    const to = raw + tile * sizeof<T>();
    const inside = lanesLeft(lanes - tile);
    const changed = changes<T>(to, from) & inside;
    const l0 = levels16<T>(from, shift, mask, lowest, top);
    const l1 = levels16<T>(from + 16 * sizeof<T>(), shift, mask, lowest, top);
    const l2 = levels16<T>(from + 32 * sizeof<T>(), shift, mask, lowest, top);
    const l3 = levels16<T>(from + 48 * sizeof<T>(), shift, mask, lowest, top);
    let level = i8x16.splat(<i8>DENSE);
    const one = i8x16.splat(1);
    for (let c: usize = 0; c < <usize>contexts; c++) {
      const slot = work + (c << 3);
      const members = lanesOf(l0, l1, l2, l3, level) & inside;
      level = i8x16.add(level, one);
      if ((members & changed) == 0) {
        store<u32>(slot, load<u32>(slot) + <u32>popcnt<u64>(members));
        continue;
      }
      const told = tellLevel<T>(slot, members, changed, to, from, DENSE + <u32>c, event, nextGap);
      nextGap += (told - event) >> 1;
      event = told;
    }
    for (let dense = denseLanes(l0, l1, l2, l3) & inside; dense != 0; dense &= dense - 1) {
      const lane = <usize>ctz<u64>(dense) * sizeof<T>();
      stored<T>(event, to + lane, from + lane, levelAt<T>(from + lane, shift, bits, low, contexts + 7));
      event += EVENT_BYTES;
      nextGap += 4;
    }
    if (event > limit) return 0;
  }
  for (let c: usize = 0; c < <usize>contexts; c++) {
    const slot = work + (c << 3);
    store<u32>(<usize>load<u32>(slot, 4), load<u32>(slot));
  }
  return event;
}

// Codes a block; `work` has room for 16 words, the events and their gaps. Returns (coded bytes << 32) | bytes of bits, or
// -1 where the streams, of which each has `room` bytes and some more, do not suffice.
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
  const events = work + 64;
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

function change<T>(raw: usize, base: usize, difference: i32): void {
  const d = ordered<T>(<i32>load<T>(base)) + difference;
  store<T>(raw, <T>ordered<T>(sizeof<T>() == 2 ? (d << 16) >> 16 : d));
}

// The lane of `members` that follows `count` others.
function laneAfter(members: u64, count: u32): u64 {
  for (; count > 0; count--) members &= members - 1;
  return ctz<u64>(members);
}

// Decodes a block over a copy of the base; returns the bits that were read of `plain`, of which there are `plainBits`, or
// -1 for damage. `work` has 8 words.
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
  const shift = <i32>(8 * sizeof<T>()) - 1 - bits;
  const mask = exponentMask<T>(bits);
  const lowest = i8x16.splat(<i8>low);
  const top = i8x16.splat(<i8>(contexts + 7));
  memory.copy(raw, base, lanes * sizeof<T>());
  startEvents(coded, codedEnd, plain, plainBits);
  for (let c: usize = 0; c < <usize>contexts; c++) store<u32>(work + (c << 2), readEventGap(state, c));
  for (let tile: usize = 0; tile < lanes; tile += TILE) {
    const from = base + tile * sizeof<T>();
    const to = raw + tile * sizeof<T>();
    const inside = lanesLeft(lanes - tile);
    const l0 = levels16<T>(from, shift, mask, lowest, top);
    const l1 = levels16<T>(from + 16 * sizeof<T>(), shift, mask, lowest, top);
    const l2 = levels16<T>(from + 32 * sizeof<T>(), shift, mask, lowest, top);
    const l3 = levels16<T>(from + 48 * sizeof<T>(), shift, mask, lowest, top);
    let level = i8x16.splat(<i8>DENSE);
    const one = i8x16.splat(1);
    for (let c: usize = 0; c < <usize>contexts; c++) {
      let members = lanesOf(l0, l1, l2, l3, level) & inside;
      level = i8x16.add(level, one);
      let count = <u32>popcnt<u64>(members);
      let left = load<u32>(work + (c << 2));
      while (left < count) {
        const lane = laneAfter(members, left);
        const difference = readDifference(state, DENSE + <u32>c);
        if (difference == 0) return -1;
        change<T>(to + <usize>lane * sizeof<T>(), from + <usize>lane * sizeof<T>(), difference);
        members &= ~(u64.MAX_VALUE >> (63 - lane));
        count -= left + 1;
        left = readEventGap(state, c);
      }
      store<u32>(work + (c << 2), left - count);
    }
    for (let dense = denseLanes(l0, l1, l2, l3) & inside; dense != 0; dense &= dense - 1) {
      const lane = <usize>ctz<u64>(dense) * sizeof<T>();
      const level = levelAt<T>(from + lane, shift, bits, low, contexts + 7);
      if (!readBit(state + (level << 2))) continue;
      const difference = readDifference(state, level);
      if (difference == 0) return -1;
      change<T>(to + lane, from + lane, difference);
    }
  }
  return finishEvents(coded, codedEnd);
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
