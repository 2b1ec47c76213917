// What is told of lanes that differ, one after the other, in adaptive bits and plain ones: see ../gap-model.ts for the state.

import { bytePosition, finishWriting, readBit, startReading, startWriting, writeBit } from './adaptive-bits';

// The difference, i32, and the level of a lane.
export const EVENT_BYTES: usize = 8;
export const EVENTS_MAX: usize = 16384;

const DENSE: u32 = 8;
const SIZES: usize = 32;
const LARGE: usize = 8 << 2;
const LENGTHS: usize = 24 << 2;
const TOPS: usize = LENGTHS + ((16 * SIZES) << 2);
const SUMS: usize = TOPS + ((16 * SIZES) << 2);
const NUMBERS: usize = SUMS + (8 << 2);

const QUOTIENT_MAX: u32 = 20;
const GAP_BITS: u32 = 17;
const REMAINDER_BITS_MAX: u32 = 16;
const NUMBER_MAX: u32 = 64;

let plain: usize = 0;
let pending: u64 = 0;
let count: u32 = 0;
let position: usize = 0;
let limit: usize = 0;

// The bits of the remainder of the next gap: the fewest with number << (bits + 1) >= sum.
function remainderBits(sum: u32, number: u32): u32 {
  if (sum <= number << 1) return 0;
  const doublings = clz<u32>(number) - clz<u32>(sum);
  const more = <u32>(number << doublings < sum);
  return min<u32>(doublings + more - 1, REMAINDER_BITS_MAX);
}

function learn(slot: usize, sum: u32, number: u32, gap: u32): void {
  const half = <u32>(number + 1 >= NUMBER_MAX);
  store<u32>(slot + SUMS, (sum + gap) >> half);
  store<u32>(slot + NUMBERS, (number + 1) >> half);
}

// At most 57 bits.
function writePlain(bits: u64, length: u32): void {
  pending |= bits << count;
  count += length;
  store<u64>(plain, pending);
  plain += count >> 3;
  pending >>= count & ~7;
  count &= 7;
}

function writeGap(slot: usize, gap: u32): void {
  const sum = load<u32>(slot + SUMS);
  const number = load<u32>(slot + NUMBERS);
  const remainder = remainderBits(sum, number);
  const quotient = gap >> remainder;
  if (quotient < QUOTIENT_MAX) {
    const rest = gap & ((1 << remainder) - 1);
    writePlain((((<u64>1) << quotient) - 1) | ((<u64>rest) << (quotient + 1)), quotient + 1 + remainder);
  } else {
    writePlain((((<u64>1) << QUOTIENT_MAX) - 1) | ((<u64>gap) << QUOTIENT_MAX), QUOTIENT_MAX + GAP_BITS);
  }
  learn(slot, sum, number, gap);
}

function writeDifference(state: usize, level: u32, difference: i32): void {
  const rest = <u32>abs<i32>(difference) - 1;
  const slot = state + ((<usize>level) << 2);
  writeBit(slot + LARGE, rest != 0);
  let plainBits: u32 = 0;
  let plainLength: u32 = 0;
  if (rest != 0) {
    const row = state + <usize>level * (SIZES << 2);
    const length: u32 = 31 - clz<u32>(rest);
    for (let shorter: u32 = 0; shorter < length; shorter++) writeBit(row + LENGTHS + (shorter << 2), true);
    writeBit(row + LENGTHS + (length << 2), false);
    if (length > 0) {
      plainLength = length - 1;
      writeBit(row + TOPS + (length << 2), ((rest >> plainLength) & 1) != 0);
      plainBits = rest & ((1 << plainLength) - 1);
    }
  }
  writePlain(<u64>plainBits | ((<u64>(<u32>difference >> 31)) << plainLength), plainLength + 1);
}

// Codes the events up to `end` with the gaps at the start and after each; both streams end with the bytes that are full
// soon after `room`. Returns the bytes of `to`, or -1 where either stream is longer than `room`.
export function codeEvents(
  events: usize,
  end: usize,
  gaps: usize,
  contexts: usize,
  state: usize,
  coded: usize,
  to: usize,
  room: usize,
): i64 {
  startWriting(coded);
  plain = to;
  pending = 0;
  count = 0;
  for (let c: usize = 0; c < contexts; c++) writeGap(state + (c << 2), load<u32>(gaps + (c << 2)));
  let gap = gaps + (contexts << 2);
  for (let event = events; event < end; event += EVENT_BYTES, gap += 4) {
    const difference = load<i32>(event);
    const level = load<u32>(event, 4);
    if (level >= DENSE) {
      writeDifference(state, level, difference);
      writeGap(state + ((<usize>(level - DENSE)) << 2), load<u32>(gap));
    } else {
      writeBit(state + ((<usize>level) << 2), difference != 0);
      if (difference != 0) writeDifference(state, level, difference);
    }
    if (plain - to > room || bytePosition() - coded > room) return -1;
  }
  if (plain - to > room) return -1;
  finishWriting();
  return <i64>(plain - to) + <i64>(count > 0);
}

// Reads coded bytes up to `codedEnd` and zeros after them, and `bits` bits from `from` and anything after them.
export function startEvents(coded: usize, codedEnd: usize, from: usize, bits: usize): void {
  startReading(coded, codedEnd);
  plain = from;
  position = 0;
  limit = bits;
}

function peek(): u64 {
  return load<u64>(plain + (position >> 3)) >> (position & 7);
}

// Once the bits are used up, all gaps are so long that nothing else is read.
export function readEventGap(state: usize, context: usize): u32 {
  if (position > limit) return u32.MAX_VALUE;
  const slot = state + (context << 2);
  const sum = load<u32>(slot + SUMS);
  const number = load<u32>(slot + NUMBERS);
  const remainder = remainderBits(sum, number);
  const bits = peek();
  const quotient = <u32>ctz<u64>(~bits);
  let gap: u32;
  if (quotient < QUOTIENT_MAX) {
    gap = (quotient << remainder) | (<u32>(bits >> (quotient + 1)) & ((1 << remainder) - 1));
    position += quotient + 1 + remainder;
  } else {
    gap = <u32>(bits >> QUOTIENT_MAX) & ((1 << GAP_BITS) - 1);
    position += QUOTIENT_MAX + GAP_BITS;
  }
  learn(slot, sum, number, gap);
  return gap;
}

// Returns 0 for damage.
export function readDifference(state: usize, level: u32): i32 {
  const slot = state + ((<usize>level) << 2);
  let rest: u32 = 0;
  if (readBit(slot + LARGE)) {
    const row = state + <usize>level * (SIZES << 2);
    let length: u32 = 0;
    while (readBit(row + LENGTHS + (length << 2))) {
      length++;
      if (length >= SIZES - 1) return 0;
    }
    rest = 1;
    if (length > 0) {
      const plainLength = length - 1;
      rest = 2 | <u32>readBit(row + TOPS + (length << 2));
      rest = (rest << plainLength) | (<u32>peek() & ((1 << plainLength) - 1));
      position += plainLength;
    }
  }
  if (position > limit) return 0;
  const sign = -(<i32>(peek() & 1));
  position++;
  return (<i32>(rest + 1) ^ sign) - sign;
}

// Returns how many bits were read, or -1 where the coded bytes do not end where they should.
export function finishEvents(coded: usize, codedEnd: usize): i32 {
  const read = bytePosition() - coded;
  const length = codedEnd - coded;
  return position <= limit && length <= read && length + 4 >= read ? <i32>position : -1;
}
