// XXH3-128 of more than 240 bytes, seed 0, in pieces: hashStart, hashBlocks for whole blocks of 1,024 bytes, hashFinish
// for the last 1 to 1,024 bytes. `sums` is 64 bytes of accumulators.
//
// A stripe is 64 bytes; for each of its 8 lanes:  key = data ^ secret
//   sums[lane ^ 1] += data;  sums[lane] += low32(key) * high32(key)
// After 16 stripes:  sums = (sums ^ (sums >> 47) ^ secret) * PRIME32_1

import {
  avalanche3,
  foldedProduct,
  PRIME32_1,
  PRIME32_2,
  PRIME32_3,
  PRIME64_1,
  PRIME64_2,
  PRIME64_3,
  PRIME64_4,
  PRIME64_5,
  storeHash,
} from './xxh3-arithmetic';

const BLOCK_BYTES: usize = 1024;
const LAST_SECRET: usize = 128; // the last 64 of its 192 bytes

export function hashStart(sums: usize): void {
  store<u64>(sums, PRIME32_3);
  store<u64>(sums, PRIME64_1, 8);
  store<u64>(sums, PRIME64_2, 16);
  store<u64>(sums, PRIME64_3, 24);
  store<u64>(sums, PRIME64_4, 32);
  store<u64>(sums, PRIME32_2, 40);
  store<u64>(sums, PRIME64_5, 48);
  store<u64>(sums, PRIME32_1, 56);
}

function mixed(sum: v128, input: usize, secret: usize): v128 {
  const data = v128.load(input);
  const key = v128.xor(data, v128.load(secret));
  const low = v128.shuffle<u32>(key, key, 0, 2, 0, 2);
  const high = v128.shuffle<u32>(key, key, 1, 3, 1, 3);
  const swapped = v128.shuffle<u64>(data, data, 1, 0);
  return i64x2.add(i64x2.add(sum, swapped), i64x2.extmul_low_i32x4_u(low, high));
}

function scrambled(sum: v128, secret: usize): v128 {
  const key = v128.xor(v128.xor(sum, i64x2.shr_u(sum, 47)), v128.load(secret));
  return i64x2.mul(key, i64x2.splat(PRIME32_1));
}

export function hashBlocks(input: usize, blocks: usize, secret: usize, sums: usize): void {
  let a = v128.load(sums);
  let b = v128.load(sums, 16);
  let c = v128.load(sums, 32);
  let d = v128.load(sums, 48);
  const end = input + blocks * BLOCK_BYTES;
  for (let block = input; block < end; block += BLOCK_BYTES) {
    let key = secret;
    for (let at = block; at < block + BLOCK_BYTES; at += 128) {
      a = mixed(a, at, key);
      b = mixed(b, at + 16, key + 16);
      c = mixed(c, at + 32, key + 32);
      d = mixed(d, at + 48, key + 48);
      a = mixed(a, at + 64, key + 8);
      b = mixed(b, at + 80, key + 24);
      c = mixed(c, at + 96, key + 40);
      d = mixed(d, at + 112, key + 56);
      key += 16;
    }
    const last = secret + LAST_SECRET;
    a = scrambled(a, last);
    b = scrambled(b, last + 16);
    c = scrambled(c, last + 32);
    d = scrambled(d, last + 48);
  }
  v128.store(sums, a);
  v128.store(sums, b, 16);
  v128.store(sums, c, 32);
  v128.store(sums, d, 48);
}

function addStripe(input: usize, secret: usize, sums: usize): void {
  for (let at: usize = 0; at < 64; at += 16) {
    v128.store(sums + at, mixed(v128.load(sums + at), input + at, secret + at));
  }
}

function mergedSums(sums: usize, secret: usize, start: u64): u64 {
  let result = start;
  for (let at: usize = 0; at < 64; at += 16) {
    result += foldedProduct(
      load<u64>(sums + at) ^ load<u64>(secret + at),
      load<u64>(sums + at, 8) ^ load<u64>(secret + at, 8),
    );
  }
  return avalanche3(result);
}

// `input` is the last `tail` bytes (1 to 1,024) of `length`; the 64 bytes before `input + tail` are those of the input.
export function hashFinish(
  input: usize,
  tail: usize,
  length: f64,
  secret: usize,
  sums: usize,
  output: usize,
): void {
  const stripes = (tail - 1) >> 6;
  for (let stripe: usize = 0; stripe < stripes; stripe++) {
    addStripe(input + (stripe << 6), secret + (stripe << 3), sums);
  }
  addStripe(input + tail - 64, secret + LAST_SECRET - 7, sums);
  const size = <u64>length;
  storeHash(
    output,
    mergedSums(sums, secret + 11, size * PRIME64_1),
    mergedSums(sums, secret + LAST_SECRET - 11, ~(size * PRIME64_2)),
  );
}
