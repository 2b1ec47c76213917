// How often lanes differ, by the exponent of the base.

import { changes, lanesLeft, TILE } from './gap-tiles';

// Adds, for every `stride`-th tile, its lanes by exponent to 256 counts, those that differ to 256 more, and 1 to another
// count where any do.
function sample<T>(raw: usize, base: usize, lanes: usize, bits: i32, stride: usize, counts: usize): void {
  const shift = <i32>(8 * sizeof<T>()) - 1 - bits;
  const ones = (1 << bits) - 1;
  for (let tile: usize = 0; tile < lanes; tile += stride * TILE) {
    const from = base + tile * sizeof<T>();
    const changed = changes<T>(raw + tile * sizeof<T>(), from) & lanesLeft(lanes - tile);
    const end = min<usize>(TILE, lanes - tile);
    for (let lane: usize = 0; lane < end; lane++) {
      const slot = counts + ((<usize>((<i32>load<T>(from + lane * sizeof<T>()) >> shift) & ones)) << 2);
      store<u32>(slot, load<u32>(slot) + 1);
      store<u32>(slot, load<u32>(slot, 1024) + <u32>((changed >> lane) & 1), 1024);
    }
    store<u32>(counts, load<u32>(counts, 2048) + <u32>(changed != 0), 2048);
  }
}

export function sampleChanges16(
  raw: usize,
  base: usize,
  lanes: usize,
  bits: i32,
  stride: usize,
  counts: usize,
): void {
  sample<i16>(raw, base, lanes, bits, stride, counts);
}

export function sampleChanges32(
  raw: usize,
  base: usize,
  lanes: usize,
  bits: i32,
  stride: usize,
  counts: usize,
): void {
  sample<i32>(raw, base, lanes, bits, stride, counts);
}
