// Casts between float types, four lanes a step: integers only, so that NaN payloads are decided here.

import { Lanes } from './predict-arithmetic';

function storeHalves(output: usize, lanes: v128): void {
  v128.store64_lane(output, v128.shuffle<u16>(lanes, lanes, 0, 2, 4, 6, 0, 2, 4, 6), 0);
}

// Stores four lanes as bf16 or f16.
export function narrowHalves(output: usize, x: v128, isF16: bool): void {
  const one = Lanes.canonical(x);
  storeHalves(output, isF16 ? f16Of(one) : i32x4.shr_u(Lanes.shortened(one, 16), 16));
}

// The lanes of which four halves are the patterns.
export function widenHalves(x: v128, isF16: bool): v128 {
  return isF16 ? wideOfF16(x) : i32x4.shl(x, 16);
}

// The bits of |x| are rounded at bit 13 and the exponent moved from bias 127 to 15. Below the normal range of f16 the
// addition of 0.5 rounds at the place of its last bit.
function f16Of(x: v128): v128 {
  const size = v128.and(x, i32x4.splat(0x7fffffff));
  const normal = i32x4.sub(i32x4.shr_u(Lanes.shortened(size, 13), 13), i32x4.splat(112 << 10));
  const small = i32x4.sub(f32x4.add(size, f32x4.splat(0.5)), i32x4.splat(0x3f000000));
  let half = v128.bitselect(small, normal, i32x4.lt_s(size, i32x4.splat(0x38800000)));
  half = i32x4.min_s(half, i32x4.splat(0x7c00));
  half = v128.bitselect(i32x4.splat(0x7e00), half, i32x4.gt_s(size, i32x4.splat(0x7f800000)));
  return v128.or(half, v128.and(i32x4.shr_u(x, 16), i32x4.splat(0x8000)));
}

// The exponent moves from bias 15 to 127: by integers for infinities and NaNs, by an exact product for all others.
function wideOfF16(x: v128): v128 {
  const bits = i32x4.shl(v128.and(x, i32x4.splat(0x7fff)), 13);
  const finite = f32x4.mul(bits, f32x4.splat(5192296858534827628530496329220096.0));
  const special = v128.or(bits, i32x4.splat(0x7f800000));
  const size = v128.bitselect(special, finite, i32x4.ge_s(bits, i32x4.splat(0x7c00 << 13)));
  return v128.or(size, i32x4.shl(v128.and(x, i32x4.splat(0x8000)), 16));
}

function widenAll(input: usize, output: usize, lanes: usize, isF16: bool): void {
  for (let i: usize = 0; i < lanes << 2; i += 16) {
    v128.store(output + i, widenHalves(v128.load16x4_u(input + (i >> 1)), isF16));
  }
}

export function narrowToBf16(input: usize, output: usize, lanes: usize): void {
  for (let i: usize = 0; i < lanes << 2; i += 32) {
    v128.store(output + (i >> 1), Lanes.narrowToBf16(v128.load(input + i), v128.load(input + i + 16)));
  }
}

export function narrowToF16(input: usize, output: usize, lanes: usize): void {
  for (let i: usize = 0; i < lanes << 2; i += 16) narrowHalves(output + (i >> 1), v128.load(input + i), true);
}

export function widenBf16(input: usize, output: usize, lanes: usize): void {
  widenAll(input, output, lanes, false);
}

export function widenF16(input: usize, output: usize, lanes: usize): void {
  widenAll(input, output, lanes, true);
}
