// Byte histograms. Four tables, so that equal neighbours do not wait for each other's store; runs of zeros are skipped.
// `counts` is 256 u32, `spare` three more such tables.

export function histogram(bytes: usize, length: usize, counts: usize, spare: usize): void {
  memory.fill(counts, 0, 1024);
  memory.fill(spare, 0, 3072);
  count(bytes, bytes + length, counts, spare);
  join(counts, spare);
}

// Counts the first 64 of each 1088 bytes: no multiple of the length of a row, as it mostly is.
export function sampledHistogram(bytes: usize, length: usize, counts: usize, spare: usize): void {
  memory.fill(counts, 0, 1024);
  memory.fill(spare, 0, 3072);
  for (let start: usize = 0; start < length; start += 1088) {
    count(bytes + start, bytes + min<usize>(start + 64, length), counts, spare);
  }
  join(counts, spare);
}

function count(bytes: usize, end: usize, counts: usize, spare: usize): void {
  const wideEnd = bytes + ((end - bytes) & ~7);
  let zeros: u32 = 0;
  let at = bytes;
  for (; at < wideEnd; at += 8) {
    const word = load<u64>(at);
    if (word == 0) {
      zeros += 8;
      continue;
    }
    const low = <u32>word;
    const high = <u32>(word >> 32);
    bump(counts + ((low & 0xff) << 2));
    bump(spare + (((low >> 8) & 0xff) << 2));
    bump(spare + 1024 + (((low >> 16) & 0xff) << 2));
    bump(spare + 2048 + ((low >> 24) << 2));
    bump(counts + ((high & 0xff) << 2));
    bump(spare + (((high >> 8) & 0xff) << 2));
    bump(spare + 1024 + (((high >> 16) & 0xff) << 2));
    bump(spare + 2048 + ((high >> 24) << 2));
  }
  for (; at < end; at++) bump(counts + ((<usize>load<u8>(at)) << 2));
  store<u32>(counts, load<u32>(counts) + zeros);
}

function join(counts: usize, spare: usize): void {
  for (let i: usize = 0; i < 1024; i += 16) {
    const first = i32x4.add(v128.load(counts + i), v128.load(spare + i));
    const second = i32x4.add(v128.load(spare + 1024 + i), v128.load(spare + 2048 + i));
    v128.store(counts + i, i32x4.add(first, second));
  }
}

// The lowest byte, the highest one << 8, and << 16 the bits that are not the same in all; of at least one byte.
export function byteRange(bytes: usize, length: usize): i32 {
  const first = i8x16.splat(load<i8>(bytes));
  let low = first;
  let high = first;
  let varying = i8x16.splat(0);
  let at: usize = 0;
  for (; at + 16 <= length; at += 16) {
    const x = v128.load(bytes + at);
    low = i8x16.min_u(low, x);
    high = i8x16.max_u(high, x);
    varying = v128.or(varying, v128.xor(x, first));
  }
  for (; at < length; at++) {
    const x = i8x16.splat(load<i8>(bytes + at));
    low = i8x16.min_u(low, x);
    high = i8x16.max_u(high, x);
    varying = v128.or(varying, v128.xor(x, first));
  }
  low = i8x16.min_u(low, v128.shuffle<u64>(low, low, 1, 0));
  high = i8x16.max_u(high, v128.shuffle<u64>(high, high, 1, 0));
  let lows = i64x2.extract_lane(low, 0);
  let highs = i64x2.extract_lane(high, 0);
  let bits = i64x2.extract_lane(varying, 0) | i64x2.extract_lane(varying, 1);
  let lowest: u32 = 255;
  let highest: u32 = 0;
  let set: u32 = 0;
  for (let byte = 0; byte < 8; byte++) {
    lowest = min(lowest, <u32>(lows & 0xff));
    highest = max(highest, <u32>(highs & 0xff));
    set |= <u32>(bits & 0xff);
    lows >>= 8;
    highs >>= 8;
    bits >>= 8;
  }
  return <i32>(lowest | (highest << 8) | (set << 16));
}

function bump(counter: usize): void {
  store<u32>(counter, load<u32>(counter) + 1);
}
