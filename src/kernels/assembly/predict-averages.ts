// Averages and maxima that optimizers and trainers keep, four lanes a step; the caller pads every window to whole steps. The
// fields of `order` and the constants, which lie one after another at `k`, are those of FORMAT.md, "Rules".

import { constant, Lanes } from './predict-arithmetic';

export function predictAverage(
  before: usize,
  x: usize,
  output: usize,
  lanes: usize,
  order: i32,
  k: usize,
): void {
  const kept = constant(k, 0);
  const rest = constant(k, 1);
  for (let i: usize = 0; i < lanes << 2; i += 16) {
    const a = Lanes.mixed(v128.load(before + i), v128.load(x + i), kept, rest, order);
    v128.store(output + i, Lanes.canonical(a));
  }
}

// The larger one; the first where neither is.
export function predictMaximum(before: usize, x: usize, output: usize, lanes: usize): void {
  for (let i: usize = 0; i < lanes << 2; i += 16) {
    const a = v128.load(before + i);
    const b = v128.load(x + i);
    v128.store(output + i, v128.bitselect(b, a, f32x4.gt(b, a)));
  }
}
