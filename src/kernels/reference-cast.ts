/** Casts between float types, the plain twin of assembly/cast.ts: integers, so that NaN payloads are decided here. */

const SIGN = 0x80000000;
const INFINITY = 0x7f800000;

function wordAt(bytes: Uint8Array, lane: number): number {
  const at = lane * 4;
  return (bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24)) >>> 0;
}

function halfAt(bytes: Uint8Array, lane: number): number {
  return bytes[lane * 2] | (bytes[lane * 2 + 1] << 8);
}

function storeWord(bytes: Uint8Array, lane: number, word: number): void {
  for (let byte = 0; byte < 4; byte++) bytes[lane * 4 + byte] = word >>> (8 * byte);
}

function storeHalf(bytes: Uint8Array, lane: number, half: number): void {
  bytes[lane * 2] = half;
  bytes[lane * 2 + 1] = half >>> 8;
}

/** Drops the lowest bits of a pattern, rounding to nearest even. */
function rounded(pattern: number, drop: number): number {
  return (pattern + 2 ** (drop - 1) - 1 + ((pattern >>> drop) & 1)) >>> drop;
}

export function narrowToBf16Reference(input: Uint8Array, output: Uint8Array): void {
  for (let lane = 0; lane < output.length / 2; lane++) {
    const word = wordAt(input, lane);
    const isNan = (word & ~SIGN) >>> 0 > INFINITY;
    storeHalf(output, lane, isNan ? 0x7fc0 : rounded(word, 16));
  }
}

export function widenBf16Reference(input: Uint8Array, output: Uint8Array): void {
  for (let lane = 0; lane < input.length / 2; lane++) storeWord(output, lane, halfAt(input, lane) << 16);
}

export function narrowToF16Reference(input: Uint8Array, output: Uint8Array): void {
  for (let lane = 0; lane < output.length / 2; lane++) {
    const word = wordAt(input, lane);
    const size = (word & ~SIGN) >>> 0;
    const sign = (word >>> 16) & 0x8000;
    storeHalf(output, lane, size > INFINITY ? 0x7e00 : sign | f16Of(size));
  }
}

/** The f16 pattern nearest to a positive f32 pattern. */
function f16Of(size: number): number {
  const exponent = size >>> 23;
  if (exponent >= 113) return Math.min(rounded(size, 13) - (112 << 10), 0x7c00);
  const drop = 126 - exponent;
  return drop > 25 ? 0 : rounded((size & 0x7fffff) | 0x800000, drop);
}

export function widenF16Reference(input: Uint8Array, output: Uint8Array): void {
  for (let lane = 0; lane < input.length / 2; lane++) {
    const half = halfAt(input, lane);
    const sign = (half & 0x8000) << 16;
    storeWord(output, lane, sign | f32Of(half & 0x7fff));
  }
}

/** The f32 pattern of a positive f16 pattern. */
function f32Of(size: number): number {
  if (size >= 0x7c00) return (size << 13) | INFINITY;
  if (size >= 0x400) return (size + (112 << 10)) << 13;
  if (size === 0) return 0;
  const top = 31 - Math.clz32(size);
  return ((top + 103) << 23) | ((size << (23 - top)) & 0x7fffff);
}
