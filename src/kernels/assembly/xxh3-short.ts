// XXH3-128 of at most 240 bytes, seed 0.

import {
  avalanche3,
  avalanche64,
  foldedProduct,
  PRIME_MX2,
  PRIME32_2,
  PRIME64_1,
  PRIME64_2,
  PRIME64_4,
  productHigh,
  storeHash,
} from './xxh3-arithmetic';

export function hashShort(input: usize, length: usize, secret: usize, output: usize): void {
  if (length == 0) {
    const low = load<u64>(secret, 64) ^ load<u64>(secret, 72);
    const high = load<u64>(secret, 80) ^ load<u64>(secret, 88);
    storeHash(output, avalanche64(low), avalanche64(high));
  } else if (length <= 3) hash1To3(input, length, secret, output);
  else if (length <= 8) hash4To8(input, length, secret, output);
  else if (length <= 16) hash9To16(input, length, secret, output);
  else if (length <= 128) hash17To128(input, length, secret, output);
  else hash129To240(input, length, secret, output);
}

function hash1To3(input: usize, length: usize, secret: usize, output: usize): void {
  const low =
    ((<u32>load<u8>(input)) << 16) |
    ((<u32>load<u8>(input + (length >> 1))) << 24) |
    <u32>load<u8>(input + length - 1) |
    ((<u32>length) << 8);
  const high = rotl<u32>(bswap<u32>(low), 13);
  storeHash(
    output,
    avalanche64(<u64>(low ^ load<u32>(secret) ^ load<u32>(secret, 4))),
    avalanche64(<u64>(high ^ load<u32>(secret, 8) ^ load<u32>(secret, 12))),
  );
}

function hash4To8(input: usize, length: usize, secret: usize, output: usize): void {
  const word = <u64>load<u32>(input) | ((<u64>load<u32>(input + length - 4)) << 32);
  const keyed = word ^ load<u64>(secret, 16) ^ load<u64>(secret, 24);
  const factor = PRIME64_1 + ((<u64>length) << 2);
  let low = keyed * factor;
  const high = productHigh(keyed, factor) + (low << 1);
  low ^= high >> 3;
  low = (low ^ (low >> 35)) * PRIME_MX2;
  storeHash(output, low ^ (low >> 28), avalanche3(high));
}

function hash9To16(input: usize, length: usize, secret: usize, output: usize): void {
  const first = load<u64>(input);
  const last = load<u64>(input + length - 8);
  const mixed = first ^ last ^ load<u64>(secret, 32) ^ load<u64>(secret, 40);
  const keyed = last ^ load<u64>(secret, 48) ^ load<u64>(secret, 56);
  const high = productHigh(mixed, PRIME64_1) + keyed + (keyed & 0xffffffff) * (PRIME32_2 - 1);
  const low = (mixed * PRIME64_1 + ((<u64>(length - 1)) << 54)) ^ bswap<u64>(high);
  storeHash(output, avalanche3(low * PRIME64_2), avalanche3(productHigh(low, PRIME64_2) + high * PRIME64_2));
}

function mix16(input: usize, secret: usize): u64 {
  return foldedProduct(load<u64>(input) ^ load<u64>(secret), load<u64>(input, 8) ^ load<u64>(secret, 8));
}

function sum16(input: usize): u64 {
  return load<u64>(input) + load<u64>(input, 8);
}

function storeFinished(output: usize, low: u64, high: u64, length: usize): void {
  const mixed = low * PRIME64_1 + high * PRIME64_4 + <u64>length * PRIME64_2;
  storeHash(output, avalanche3(low + high), 0 - avalanche3(mixed));
}

function hash17To128(input: usize, length: usize, secret: usize, output: usize): void {
  let low = <u64>length * PRIME64_1;
  let high: u64 = 0;
  for (let round = <isize>((length - 1) >> 5); round >= 0; round--) {
    const a = input + <usize>(16 * round);
    const b = input + length - <usize>(16 * (round + 1));
    const key = secret + <usize>(32 * round);
    low = (low + mix16(a, key)) ^ sum16(b);
    high = (high + mix16(b, key + 16)) ^ sum16(a);
  }
  storeFinished(output, low, high, length);
}

function hash129To240(input: usize, length: usize, secret: usize, output: usize): void {
  let low = <u64>length * PRIME64_1;
  let high: u64 = 0;
  for (let at: usize = 0; at < 128; at += 32) {
    low = (low + mix16(input + at, secret + at)) ^ sum16(input + at + 16);
    high = (high + mix16(input + at + 16, secret + at + 16)) ^ sum16(input + at);
  }
  low = avalanche3(low);
  high = avalanche3(high);
  for (let at: usize = 128; at + 32 <= length; at += 32) {
    const key = secret + at - 128 + 3;
    low = (low + mix16(input + at, key)) ^ sum16(input + at + 16);
    high = (high + mix16(input + at + 16, key + 16)) ^ sum16(input + at);
  }
  const a = input + length - 16;
  const b = input + length - 32;
  const key = secret + 136 - 17 - 16;
  low = (low + mix16(a, key)) ^ sum16(b);
  high = (high + mix16(b, key + 16)) ^ sum16(a);
  storeFinished(output, low, high, length);
}
