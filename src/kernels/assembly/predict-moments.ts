// What update rules of optimizers say of moments, four or eight lanes a step; the caller pads every window to whole steps. The
// fields of `order` and the constants, which lie one after another at `k`, are those of FORMAT.md, "Rules".

import { narrowHalves, widenHalves } from './cast';
import { constant, Lanes } from './predict-arithmetic';

// bf16 gradients, which the record holds, are read four at a time. The order that torch has is a loop of its own.
export function predictFirstMoment(
  m0: usize,
  gradients: usize,
  output: usize,
  lanes: usize,
  order: i32,
  k: usize,
): void {
  if (lanes == 0) return;
  if (order == 0) FirstMoment.predict(m0, gradients, output, lanes, 0, k);
  else FirstMoment.predict(m0, gradients, output, lanes, order, k);
}

class FirstMoment {
  @inline
  static predict(m0: usize, gradients: usize, output: usize, lanes: usize, order: i32, k: usize): void {
    const beta = constant(k, 0);
    const rest = constant(k, 1);
    const end = lanes << 2;
    let i: usize = 0;
    do {
      let a = FirstMoment.next(m0 + i, gradients + (i >> 1), beta, rest, order);
      let b = FirstMoment.next(m0 + i + 16, gradients + (i >> 1) + 8, beta, rest, order);
      if (Lanes.hasNaN(a, b)) {
        a = Lanes.canonical(a);
        b = Lanes.canonical(b);
      }
      v128.store(output + i, a);
      v128.store(output + i, b, 16);
      i += 32;
    } while (i < end);
  }

  @inline
  static next(m0: usize, gradients: usize, beta: v128, rest: v128, order: i32): v128 {
    const g = i32x4.shl(v128.load16x4_u(gradients), 16);
    return Lanes.mixed(v128.load(m0), g, beta, rest, order);
  }
}

// The moment without a gradient.
export function predictFadedMoment(m0: usize, output: usize, lanes: usize, order: i32, k: usize): void {
  const beta = constant(k, 0);
  const rest = constant(k, 1);
  const zero = f32x4.splat(0);
  for (let i: usize = 0; i < lanes << 2; i += 16) {
    v128.store(output + i, Lanes.canonical(Lanes.mixed(v128.load(m0 + i), zero, beta, rest, order)));
  }
}

// Gradients of 16 bits times a scale, which the record holds.
export function predictScaledMoment(
  m0: usize,
  gradients: usize,
  output: usize,
  lanes: usize,
  order: i32,
  k: usize,
): void {
  const beta = constant(k, 0);
  const rest = constant(k, 1);
  const scale = constant(k, 2);
  const isF16 = (order & 8) != 0;
  for (let i: usize = 0; i < lanes << 2; i += 16) {
    const g = f32x4.mul(scale, widenHalves(v128.load16x4_u(gradients + (i >> 1)), isF16));
    v128.store(output + i, Lanes.canonical(Lanes.mixed(v128.load(m0 + i), g, beta, rest, order & 7)));
  }
}

// The same where the decay of the weights is a part of the gradient.
export function predictDecayedMoment(
  m0: usize,
  w0: usize,
  gradients: usize,
  output: usize,
  lanes: usize,
  order: i32,
  k: usize,
): void {
  const beta = constant(k, 0);
  const rest = constant(k, 1);
  const scale = constant(k, 2);
  const decay = constant(k, 3);
  const isF16 = (order & 8) != 0;
  const isFused = (order & 16) == 0;
  for (let i: usize = 0; i < lanes << 2; i += 16) {
    const own = f32x4.mul(scale, widenHalves(v128.load16x4_u(gradients + (i >> 1)), isF16));
    const w = v128.load(w0 + i);
    const g = isFused ? Lanes.fused(decay, w, own) : f32x4.add(own, f32x4.mul(decay, w));
    v128.store(output + i, Lanes.canonical(Lanes.mixed(v128.load(m0 + i), g, beta, rest, order & 7)));
  }
}

// The bf16 gradients that led from m0 to m, for the encoder. The fields of `order` are those of predictFirstMoment.
export function recoverGradient(
  m: usize,
  m0: usize,
  output: usize,
  lanes: usize,
  order: i32,
  k: usize,
): void {
  const wideBeta = f64x2.splat(<f64>load<f32>(k));
  const inverse = f64x2.splat(1.0 / <f64>load<f32>(k + 4));
  const fromProducts = order >= 2;
  for (let i: usize = 0; i < lanes << 2; i += 32) {
    const first = Lanes.gradient(m + i, m0 + i, wideBeta, inverse, fromProducts);
    const second = Lanes.gradient(m + i + 16, m0 + i + 16, wideBeta, inverse, fromProducts);
    v128.store(output + (i >> 1), Lanes.narrowToBf16(first, second));
  }
}

// The same for the gradients of predictScaledMoment and, with the weights before, of predictDecayedMoment.
export function recoverScaled(
  m: usize,
  m0: usize,
  w0: usize,
  output: usize,
  lanes: usize,
  order: i32,
  k: usize,
): void {
  const beta = f64x2.splat(<f64>load<f32>(k));
  const inverse = f64x2.splat(1.0 / <f64>load<f32>(k + 4));
  const unscale = f64x2.splat(1.0 / <f64>load<f32>(k + 8));
  const decay = f64x2.splat(w0 == 0 ? 0 : <f64>load<f32>(k + 12));
  for (let i: usize = 0; i < lanes << 2; i += 16) {
    const after = v128.load(m + i);
    const before = v128.load(m0 + i);
    const w = w0 == 0 ? f32x4.splat(0) : v128.load(w0 + i);
    const low = scaledGradient(
      Lanes.wideLow(after),
      Lanes.wideLow(before),
      Lanes.wideLow(w),
      beta,
      inverse,
      unscale,
      decay,
    );
    const high = scaledGradient(
      Lanes.wideHigh(after),
      Lanes.wideHigh(before),
      Lanes.wideHigh(w),
      beta,
      inverse,
      unscale,
      decay,
    );
    narrowHalves(output + (i >> 1), Lanes.canonical(Lanes.narrow(low, high)), (order & 8) != 0);
  }
}

function scaledGradient(
  m: v128,
  m0: v128,
  w: v128,
  beta: v128,
  inverse: v128,
  unscale: v128,
  decay: v128,
): v128 {
  const g = f64x2.mul(f64x2.sub(m, f64x2.mul(beta, m0)), inverse);
  return f64x2.mul(f64x2.sub(g, f64x2.mul(decay, w)), unscale);
}
