/** Inputs of the kernel and codec tests: seeded, awkward on purpose. */
import type { Kernels, LaneLayout } from '../../src/kernels/index.js';

/** mulberry32: a small seeded generator of 32-bit numbers. */
export function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
}

export function randomBytes(length: number, seed: number): Uint8Array {
  const next = randomNumbers(seed);
  return Uint8Array.from({ length }, () => next() >>> 11);
}

/** A copy in the arena. */
export function inArena(kernels: Kernels, bytes: Uint8Array): Uint8Array {
  const copy = kernels.arena.take(bytes.length);
  if (copy === undefined) throw new Error('the arena is full');
  copy.set(bytes);
  return copy;
}

/** A copy that starts `shift` bytes into a larger buffer. */
export function shifted(bytes: Uint8Array, shift: number): Uint8Array {
  const buffer = new Uint8Array(bytes.length + shift + 3);
  buffer.set(bytes, shift);
  return buffer.subarray(shift, shift + bytes.length);
}

/** Returns whether two arrays hold the same bytes; far faster than a structural comparison. */
export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

export const LAYOUTS: readonly LaneLayout[] = ([1, 2, 4, 8] as const).flatMap((laneBytes) => [
  { laneBytes, lane: 'float' as const },
  { laneBytes, lane: 'integer' as const },
]);

/** Bit patterns where sign, order and overflow go wrong first, as big-endian bytes of the top of a lane. */
const EDGE_TOPS = [
  '00', // +0
  '80', // -0, the smallest integer
  '7f80', // infinity of f32 and bf16
  'ff80',
  '7fc0', // quiet NaN
  '7f800001', // signalling NaN with a payload
  'ffffffff', // NaN, -1
  '7fffffff', // the largest integer
  '00000001', // denormal
  '80000001',
  '0080', // smallest normal number
  '7ff0', // infinity of f64
  'fff8000000000001',
  '7c00', // infinity of f16
];

/** Lanes of every edge pattern in every byte order position, repeated to `lanes`. */
export function edgeLanes(lanes: number, laneBytes: number): Uint8Array {
  const bytes = new Uint8Array(lanes * laneBytes);
  for (let lane = 0; lane < lanes; lane++) {
    const top = EDGE_TOPS[(lane * 5 + (lane >> 4)) % EDGE_TOPS.length];
    for (let byte = 0; byte < laneBytes && byte * 2 < top.length; byte++) {
      const value = Number.parseInt(top.slice(byte * 2, byte * 2 + 2), 16);
      bytes[lane * laneBytes + laneBytes - 1 - byte] = value;
    }
  }
  return bytes;
}

/** Bytes of which about one in `every` is not zero. */
export function sparseBytes(length: number, every: number, seed: number): Uint8Array {
  const next = randomNumbers(seed);
  return Uint8Array.from({ length }, () => (next() % every === 0 ? (next() >>> 9) | 1 : 0));
}

/** Bytes with a steep distribution, which the entropy coder compresses. */
export function skewedBytes(length: number, seed: number): Uint8Array {
  const next = randomNumbers(seed);
  return Uint8Array.from({ length }, () => Math.clz32(next() | 1) * 3);
}

/** Any valid frequencies for these bytes: every byte that occurs has one, and they add up to 4,096. */
export function anyFrequencies(bytes: Uint8Array): Uint16Array {
  const counts = new Uint32Array(256);
  for (const byte of bytes) counts[byte]++;
  counts[0] += 1;
  counts[255] += 1;
  const frequencies = new Uint16Array(256);
  const scale = (4096 - 256) / (bytes.length + 2);
  let total = 0;
  let largest = 0;
  for (let symbol = 0; symbol < 256; symbol++) {
    if (counts[symbol] === 0) continue;
    frequencies[symbol] = 1 + Math.floor(counts[symbol] * scale);
    total += frequencies[symbol];
    if (frequencies[symbol] > frequencies[largest]) largest = symbol;
  }
  frequencies[largest] += 4096 - total;
  return frequencies;
}
