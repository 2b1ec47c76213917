// Constants and 64-bit arithmetic of XXH3 (https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md).

export const PRIME32_1: u64 = 0x9e3779b1;
export const PRIME32_2: u64 = 0x85ebca77;
export const PRIME32_3: u64 = 0xc2b2ae3d;
export const PRIME64_1: u64 = 0x9e3779b185ebca87;
export const PRIME64_2: u64 = 0xc2b2ae3d27d4eb4f;
export const PRIME64_3: u64 = 0x165667b19e3779f9;
export const PRIME64_4: u64 = 0x85ebca77c2b2ae63;
export const PRIME64_5: u64 = 0x27d4eb2f165667c5;
export const PRIME_MX1: u64 = 0x165667919e3779f9;
export const PRIME_MX2: u64 = 0x9fb21c651e98df25;

// The upper half of a 128-bit product.
export function productHigh(a: u64, b: u64): u64 {
  const a0 = a & 0xffffffff;
  const a1 = a >> 32;
  const b0 = b & 0xffffffff;
  const b1 = b >> 32;
  const cross = ((a0 * b0) >> 32) + ((a1 * b0) & 0xffffffff) + a0 * b1;
  return a1 * b1 + ((a1 * b0) >> 32) + (cross >> 32);
}

export function foldedProduct(a: u64, b: u64): u64 {
  return (a * b) ^ productHigh(a, b);
}

export function avalanche3(value: u64): u64 {
  let h = (value ^ (value >> 37)) * PRIME_MX1;
  return h ^ (h >> 32);
}

export function avalanche64(value: u64): u64 {
  let h = (value ^ (value >> 33)) * PRIME64_2;
  h = (h ^ (h >> 29)) * PRIME64_3;
  return h ^ (h >> 32);
}

// Canonical order: the high half first, big-endian.
export function storeHash(output: usize, low: u64, high: u64): void {
  store<u64>(output, bswap<u64>(high));
  store<u64>(output, bswap<u64>(low), 8);
}
