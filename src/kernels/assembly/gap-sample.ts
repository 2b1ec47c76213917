// How often lanes differ, by the exponent of the base.

import { lanesLeft, TILE, Tiles } from './gap-tiles';

// Counts of lanes by exponent: neighbours have counts of their own, as one counter would wait for itself.
const SPARE: usize = 4096;
const TABLE_BYTES: usize = 1024;

function add(slot: usize): void {
  store<u32>(slot, load<u32>(slot) + 1);
}

// Adds, for every `stride`-th tile, its lanes by exponent to 256 counts, those that differ to 256 more, and 1 to another
// count where any do. There is room for as many more tables behind as lanes are counted at a time.
function sample<T>(raw: usize, base: usize, lanes: usize, bits: i32, stride: usize, counts: usize): void {
  const shift = <i32>(8 * sizeof<T>()) - 1 - bits;
  const ones = (1 << bits) - 1;
  const spare = counts + SPARE;
  memory.fill(spare, 0, 4 * TABLE_BYTES);
  for (let tile: usize = 0; tile < lanes; tile += stride * TILE) {
    const from = base + tile * sizeof<T>();
    const end = from + min<usize>(TILE, lanes - tile) * sizeof<T>();
    let lane = from;
    for (; lane + 4 * sizeof<T>() <= end; lane += 4 * sizeof<T>()) {
      add(spare + (exponentAt<T>(lane, shift, ones) << 2));
      add(spare + TABLE_BYTES + (exponentAt<T>(lane + sizeof<T>(), shift, ones) << 2));
      add(spare + 2 * TABLE_BYTES + (exponentAt<T>(lane + 2 * sizeof<T>(), shift, ones) << 2));
      add(spare + 3 * TABLE_BYTES + (exponentAt<T>(lane + 3 * sizeof<T>(), shift, ones) << 2));
    }
    for (; lane < end; lane += sizeof<T>()) add(spare + (exponentAt<T>(lane, shift, ones) << 2));
    let changed = Tiles.changes<T>(raw + tile * sizeof<T>(), from) & lanesLeft(lanes - tile);
    if (changed != 0) add(counts + 2048);
    for (; changed != 0; changed &= changed - 1) {
      const at = from + <usize>ctz<u64>(changed) * sizeof<T>();
      add(counts + TABLE_BYTES + (exponentAt<T>(at, shift, ones) << 2));
    }
  }
  for (let slot: usize = 0; slot < TABLE_BYTES; slot += 16) {
    const at = spare + slot;
    const first = i32x4.add(v128.load(at), v128.load(at + TABLE_BYTES));
    const second = i32x4.add(v128.load(at + 2 * TABLE_BYTES), v128.load(at + 3 * TABLE_BYTES));
    v128.store(counts + slot, i32x4.add(v128.load(counts + slot), i32x4.add(first, second)));
  }
}

function exponentAt<T>(lane: usize, shift: i32, ones: i32): usize {
  return <usize>((<i32>load<T>(lane) >> shift) & ones);
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
