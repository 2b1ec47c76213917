/**
 * XXH3-128 of at most 240 bytes and the arithmetic shared with the long form, in 64-bit bigints. The steps and constants
 * are those of https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md with the seed 0 left out.
 */

/** Longer inputs take the striped loop. */
export const SHORT_BYTES_MAX = 240;

export const PRIME32_1 = 0x9e3779b1n;
export const PRIME32_2 = 0x85ebca77n;
export const PRIME32_3 = 0xc2b2ae3dn;
export const PRIME64_1 = 0x9e3779b185ebca87n;
export const PRIME64_2 = 0xc2b2ae3d27d4eb4fn;
export const PRIME64_3 = 0x165667b19e3779f9n;
export const PRIME64_4 = 0x85ebca77c2b2ae63n;
export const PRIME64_5 = 0x27d4eb2f165667c5n;
const PRIME_MX1 = 0x165667919e3779f9n;
const PRIME_MX2 = 0x9fb21c651e98df25n;

/** The secret's smallest size in the specification, from which the last round of 129 to 240 bytes counts back. */
const SECRET_BYTES_MIN = 136;

type Pair = [low: bigint, high: bigint];

export function wrap(value: bigint): bigint {
  return BigInt.asUintN(64, value);
}

export function read64(view: DataView, offset: number): bigint {
  return view.getBigUint64(offset, true);
}

function read32(view: DataView, offset: number): bigint {
  return BigInt(view.getUint32(offset, true));
}

/** The two halves of a 128-bit product, combined by exclusive or. */
export function foldedProduct(a: bigint, b: bigint): bigint {
  const product = a * b;
  return wrap(product) ^ (product >> 64n);
}

function shifted(value: bigint, bits: bigint): bigint {
  return value ^ (value >> bits);
}

export function avalanche3(value: bigint): bigint {
  return shifted(wrap(shifted(value, 37n) * PRIME_MX1), 32n);
}

function avalanche64(value: bigint): bigint {
  return shifted(wrap(shifted(wrap(shifted(value, 33n) * PRIME64_2), 29n) * PRIME64_3), 32n);
}

function swap64(value: bigint): bigint {
  const view = new DataView(new ArrayBuffer(8));
  view.setBigUint64(0, value);
  return view.getBigUint64(0, true);
}

export function shortHash(input: DataView, secret: DataView): Pair {
  const length = input.byteLength;
  if (length === 0) {
    return [
      avalanche64(read64(secret, 64) ^ read64(secret, 72)),
      avalanche64(read64(secret, 80) ^ read64(secret, 88)),
    ];
  }
  if (length <= 3) return hash1To3(input, secret);
  if (length <= 8) return hash4To8(input, secret);
  if (length <= 16) return hash9To16(input, secret);
  return length <= 128 ? hash17To128(input, secret) : hash129To240(input, secret);
}

function hash1To3(input: DataView, secret: DataView): Pair {
  const length = input.byteLength;
  const low =
    (input.getUint8(0) << 16) |
    (input.getUint8(length >> 1) << 24) |
    input.getUint8(length - 1) |
    (length << 8);
  const swapped = ((low << 24) | ((low & 0xff00) << 8) | ((low >>> 8) & 0xff00) | (low >>> 24)) >>> 0;
  const high = (swapped << 13) | (swapped >>> 19);
  return [
    avalanche64(BigInt(low >>> 0) ^ read32(secret, 0) ^ read32(secret, 4)),
    avalanche64(BigInt(high >>> 0) ^ read32(secret, 8) ^ read32(secret, 12)),
  ];
}

function hash4To8(input: DataView, secret: DataView): Pair {
  const length = input.byteLength;
  const word = read32(input, 0) | (read32(input, length - 4) << 32n);
  const keyed = word ^ read64(secret, 16) ^ read64(secret, 24);
  const product = keyed * wrap(PRIME64_1 + (BigInt(length) << 2n));
  const high = wrap((product >> 64n) + (wrap(product) << 1n));
  const mixed = wrap(shifted(wrap(product) ^ (high >> 3n), 35n) * PRIME_MX2);
  return [shifted(mixed, 28n), avalanche3(high)];
}

function hash9To16(input: DataView, secret: DataView): Pair {
  const length = input.byteLength;
  const first = read64(input, 0);
  const last = read64(input, length - 8);
  const product = wrap(first ^ last ^ read64(secret, 32) ^ read64(secret, 40)) * PRIME64_1;
  const keyed = last ^ read64(secret, 48) ^ read64(secret, 56);
  const high = wrap((product >> 64n) + keyed + (keyed & 0xffffffffn) * (PRIME32_2 - 1n));
  const low = wrap(wrap(product) + (BigInt(length - 1) << 54n)) ^ swap64(high);
  const second = low * PRIME64_2;
  return [avalanche3(wrap(second)), avalanche3(wrap((second >> 64n) + high * PRIME64_2))];
}

function mix16(input: DataView, at: number, secret: DataView, secretAt: number): bigint {
  return foldedProduct(
    read64(input, at) ^ read64(secret, secretAt),
    read64(input, at + 8) ^ read64(secret, secretAt + 8),
  );
}

function mix32(sum: Pair, input: DataView, a: number, b: number, secret: DataView, secretAt: number): void {
  sum[0] = wrap(sum[0] + mix16(input, a, secret, secretAt)) ^ wrap(read64(input, b) + read64(input, b + 8));
  sum[1] =
    wrap(sum[1] + mix16(input, b, secret, secretAt + 16)) ^ wrap(read64(input, a) + read64(input, a + 8));
}

function finished(sum: Pair, length: number): Pair {
  const high = sum[0] * PRIME64_1 + sum[1] * PRIME64_4 + BigInt(length) * PRIME64_2;
  return [avalanche3(wrap(sum[0] + sum[1])), wrap(-avalanche3(wrap(high)))];
}

function hash17To128(input: DataView, secret: DataView): Pair {
  const length = input.byteLength;
  const sum: Pair = [wrap(BigInt(length) * PRIME64_1), 0n];
  for (let round = Math.floor((length - 1) / 32); round >= 0; round--) {
    mix32(sum, input, 16 * round, length - 16 * (round + 1), secret, 32 * round);
  }
  return finished(sum, length);
}

function hash129To240(input: DataView, secret: DataView): Pair {
  const length = input.byteLength;
  const sum: Pair = [wrap(BigInt(length) * PRIME64_1), 0n];
  for (let at = 0; at < 128; at += 32) mix32(sum, input, at, at + 16, secret, at);
  sum[0] = avalanche3(sum[0]);
  sum[1] = avalanche3(sum[1]);
  for (let at = 128; at + 32 <= length; at += 32) mix32(sum, input, at, at + 16, secret, at - 128 + 3);
  mix32(sum, input, length - 16, length - 32, secret, SECRET_BYTES_MIN - 17 - 16);
  return finished(sum, length);
}
