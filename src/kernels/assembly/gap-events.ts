// What is told of lanes that differ, one after the other, in adaptive bits and plain ones: see ../gap-model.ts for the state.

import { bytePosition, finishWriting, MostlyZeros, readBit, startWriting, writeBit } from './adaptive-bits';

// The difference, i32, and the level of a lane.
export const EVENT_BYTES: usize = 8;
export const EVENTS_MAX: usize = 16384;

const DENSE: u32 = 8;
const SIZES: usize = 32;
const LARGE: usize = 8 << 2;
export const SPARSE_LARGE: usize = LARGE + (8 << 2);
const LENGTHS: usize = 24 << 2;
const TOPS: usize = LENGTHS + ((16 * SIZES) << 2);
const SUMS: usize = TOPS + ((16 * SIZES) << 2);
const NUMBERS: usize = SUMS + (8 << 2);

const QUOTIENT_MAX: u32 = 20;
const GAP_BITS: u32 = 17;
const REMAINDER_BITS_MAX: i32 = 16;
const NUMBER_MAX: u32 = 64;

// Plain bits are at a position from the start of their bytes; those of the byte there that come first are in it. Inlined, as
// calls for each lane would take as long as what they do.
export class Plain {
  // The bits of the remainder of the next gap: the fewest with number << (bits + 1) >= sum.
  @inline
  static remainderBits(sum: u32, number: u32): u32 {
    const doublings = <i32>(clz<u32>(number) - clz<u32>(sum));
    const more = <i32>(number << doublings < sum);
    return <u32>min<i32>(max<i32>(doublings + more - 1, 0), REMAINDER_BITS_MAX);
  }

  @inline
  static learn(slot: usize, sum: u32, number: u32, gap: u32): void {
    const half = <u32>(number + 1 >= NUMBER_MAX);
    store<u32>(slot + SUMS, (sum + gap) >> half);
    store<u32>(slot + NUMBERS, (number + 1) >> half);
  }

  // Writes at most 57 bits. Returns the position after them.
  @inline
  static write(to: usize, position: usize, bits: u64, length: u32): usize {
    const at = to + (position >> 3);
    store<u64>(at, <u64>load<u8>(at) | (bits << (position & 7)));
    return position + length;
  }

  // The next bits, 57 at least.
  @inline
  static peek(from: usize, position: usize): u64 {
    return load<u64>(from + (position >> 3)) >> (position & 7);
  }

  // The code of a gap of the level with this slot, which learns it: 64 times the bits, and their length.
  @inline
  static gapCode(slot: usize, gap: u32): u64 {
    const sum = load<u32>(slot + SUMS);
    const number = load<u32>(slot + NUMBERS);
    const remainder = Plain.remainderBits(sum, number);
    const quotient = gap >> remainder;
    Plain.learn(slot, sum, number, gap);
    if (quotient >= QUOTIENT_MAX)
      return (
        (((((<u64>1) << QUOTIENT_MAX) - 1) | ((<u64>gap) << QUOTIENT_MAX)) << 6) | (QUOTIENT_MAX + GAP_BITS)
      );
    const rest = gap & ((1 << remainder) - 1);
    const bits = (((<u64>1) << quotient) - 1) | ((<u64>rest) << (quotient + 1));
    return (bits << 6) | (quotient + 1 + remainder);
  }

  // The gap that bits begin with, of the level with this slot, which learns it: 64 times the gap, and the length of its code.
  @inline
  static gapOf(slot: usize, bits: u64): u64 {
    const sum = load<u32>(slot + SUMS);
    const number = load<u32>(slot + NUMBERS);
    const remainder = Plain.remainderBits(sum, number);
    const quotient = <u32>ctz<u64>(~bits);
    let gap: u32 = 0;
    let length: u32 = QUOTIENT_MAX + GAP_BITS;
    if (quotient < QUOTIENT_MAX) {
      gap = (quotient << remainder) | (<u32>(bits >> (quotient + 1)) & ((1 << remainder) - 1));
      length = quotient + 1 + remainder;
    } else gap = <u32>(bits >> QUOTIENT_MAX) & ((1 << GAP_BITS) - 1);
    Plain.learn(slot, sum, number, gap);
    return ((<u64>gap) << 6) | length;
  }
}

// Writes the adaptive bits of a lane.
function writeSize(state: usize, level: u32, difference: i32): void {
  const slot = state + ((<usize>level) << 2);
  if (level < DENSE) {
    writeBit(slot, difference != 0);
    if (difference == 0) return;
  }
  const rest = <u32>abs<i32>(difference) - 1;
  writeBit(slot + LARGE, rest != 0);
  if (rest == 0) return;
  const row = state + <usize>level * (SIZES << 2);
  const length: u32 = 31 - clz<u32>(rest);
  for (let shorter: u32 = 0; shorter < length; shorter++) writeBit(row + LENGTHS + (shorter << 2), true);
  writeBit(row + LENGTHS + (length << 2), false);
  if (length > 0) writeBit(row + TOPS + (length << 2), ((rest >> (length - 1)) & 1) != 0);
}

// Writes the adaptive bits of events. Returns false where they are more than `room` bytes.
function codeSizes(events: usize, end: usize, state: usize, coded: usize, room: usize): bool {
  startWriting(coded);
  for (let event = events; event < end; event += EVENT_BYTES) {
    const difference = load<i32>(event);
    const level = load<u32>(event, 4);
    // Most lanes are of sparse levels and one off.
    if (level >= DENSE && <u32>(difference + 1) <= 2)
      MostlyZeros.write(state + LARGE + ((<usize>level) << 2));
    else writeSize(state, level, difference);
    if (bytePosition() - coded > room) return false;
  }
  finishWriting();
  return true;
}

// Writes the plain bits of a difference. Returns the position after them.
function writeDifference(to: usize, position: usize, difference: i32): usize {
  const rest = <u32>abs<i32>(difference) - 1;
  // The bits of the rest below the highest one, but the first of them.
  const length: u32 = rest > 3 ? 30 - clz<u32>(rest) : 0;
  const bits = <u64>(rest & ((1 << length) - 1));
  return Plain.write(to, position, bits | ((<u64>(<u32>difference >> 31)) << length), length + 1);
}

// Writes the gaps at the start and after each event, and before those the plain bits of the event. Returns the number of
// bits, or -1 where they are more than `room` bytes.
function codeGaps(
  events: usize,
  end: usize,
  gaps: usize,
  contexts: usize,
  state: usize,
  to: usize,
  room: usize,
): i64 {
  store<u8>(to, 0);
  let position: usize = 0;
  for (let c: usize = 0; c < contexts; c++) {
    const code = Plain.gapCode(state + (c << 2), load<u32>(gaps + (c << 2)));
    position = Plain.write(to, position, code >> 6, <u32>code & 63);
  }
  let gap = gaps + (contexts << 2);
  for (let event = events; event < end; event += EVENT_BYTES, gap += 4) {
    const difference = load<i32>(event);
    const level = load<u32>(event, 4);
    if (level < DENSE) {
      if (difference != 0) position = writeDifference(to, position, difference);
    } else {
      const code = Plain.gapCode(state + ((<usize>(level - DENSE)) << 2), load<u32>(gap));
      const length = <u32>code & 63;
      if (<u32>(difference + 4) <= 8) {
        const sign = <u64>(<u32>difference >> 31);
        position = Plain.write(to, position, sign | ((code >> 6) << 1), length + 1);
      } else position = Plain.write(to, writeDifference(to, position, difference), code >> 6, length);
    }
    if (position >> 3 > room) return -1;
  }
  return position >> 3 > room ? -1 : position;
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
  const bits = codeGaps(events, end, gaps, contexts, state, to, room);
  return bits >= 0 && codeSizes(events, end, state, coded, room) ? (bits + 7) >> 3 : -1;
}

// Reads what follows the first adaptive bit, a one, of a lane: all of it but the sign. Returns 2^32 times the size of the
// difference, 0 for damage, and the position after that.
export function readRest(state: usize, level: u32, from: usize, position: usize): u64 {
  if (level < DENSE && !readBit(state + LARGE + ((<usize>level) << 2))) return ((<u64>1) << 32) | position;
  const row = state + <usize>level * (SIZES << 2);
  let length: u32 = 0;
  while (readBit(row + LENGTHS + (length << 2))) {
    length++;
    if (length >= SIZES - 1) return position;
  }
  if (length == 0) return ((<u64>2) << 32) | position;
  const plainLength = length - 1;
  const top = 2 | <u32>readBit(row + TOPS + (length << 2));
  const rest = (top << plainLength) | (<u32>Plain.peek(from, position) & ((1 << plainLength) - 1));
  return ((<u64>(rest + 1)) << 32) | (position + plainLength);
}

// Whether coded bytes end where they should.
export function isCodedEnd(coded: usize, codedEnd: usize): bool {
  const read = bytePosition() - coded;
  const length = codedEnd - coded;
  return length <= read && length + 4 >= read;
}
