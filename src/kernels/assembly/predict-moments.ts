// What update rules of optimizers say of moments, four lanes a step; the caller pads every window to whole steps. The
// fields of `order` and the constants, which lie one after another at `k`, are those of FORMAT.md, "Rules".

import { narrowHalves, widenHalves } from './cast';
import { constant, Lanes } from './predict-arithmetic';

// The orders that torch has are loops of their own.
export function predictSecondMoment(
  v0: usize,
  m: usize,
  m0: usize,
  output: usize,
  lanes: usize,
  order: i32,
  k: usize,
): void {
  if (order == 0) SecondMoment.predict(v0, m, m0, output, lanes, 0, k);
  else if (order == 2) SecondMoment.predict(v0, m, m0, output, lanes, 2, k);
  else if (order == 16) SecondMoment.predict(v0, m, m0, output, lanes, 16, k);
  else SecondMoment.predict(v0, m, m0, output, lanes, order, k);
}

class SecondMoment {
  @inline
  static predict(v0: usize, m: usize, m0: usize, output: usize, lanes: usize, order: i32, k: usize): void {
    const fromProducts = (order & 1) != 0;
    const precision = (order >> 1) & 3;
    const sum = (order >> 3) & 7;
    const isLazy = order >> 6 != 0;
    const wideBeta = f64x2.splat(<f64>load<f32>(k));
    const inverse = f64x2.splat(1.0 / <f64>load<f32>(k + 4));
    const beta = constant(k, 2);
    const rest = constant(k, 3);
    for (let i: usize = 0; i < lanes << 2; i += 16) {
      const before = v128.load(v0 + i);
      let g = Lanes.gradient(m + i, m0 + i, wideBeta, inverse, fromProducts);
      if (precision == 1) g = Lanes.shortened(Lanes.canonical(g), 16);
      else if (precision == 2) g = Lanes.shortened(Lanes.canonical(g), 13);
      let v = Lanes.canonical(SecondMoment.added(before, g, beta, rest, sum));
      if (isLazy) v = v128.bitselect(before, v, i32x4.eq(v128.load(m + i), v128.load(m0 + i)));
      v128.store(output + i, v);
    }
  }

  @inline
  static added(v0: v128, g: v128, beta: v128, rest: v128, sum: i32): v128 {
    if (sum == 0) return Lanes.fused(f32x4.mul(rest, g), g, f32x4.mul(v0, beta));
    if (sum == 1) return Lanes.fused(rest, f32x4.mul(g, g), f32x4.mul(v0, beta));
    if (sum == 2) return f32x4.add(f32x4.mul(v0, beta), f32x4.mul(f32x4.mul(rest, g), g));
    if (sum == 3) return f32x4.add(f32x4.mul(v0, beta), f32x4.mul(rest, f32x4.mul(g, g)));
    if (sum == 4) return Lanes.fused(v0, beta, f32x4.mul(f32x4.mul(rest, g), g));
    if (sum == 5) return Lanes.fused(v0, beta, f32x4.mul(rest, f32x4.mul(g, g)));
    const apart = f32x4.sub(f32x4.mul(g, g), v0);
    return sum == 6 ? f32x4.add(v0, f32x4.mul(rest, apart)) : Lanes.fused(rest, apart, v0);
  }
}

// The mean of squares that a step was divided by: of the step, which is (x - kept * x0) / rest, follows the gradient.
export function predictStepSquare(
  s0: usize,
  x: usize,
  x0: usize,
  output: usize,
  lanes: usize,
  order: i32,
  k: usize,
): void {
  const kept = f64x2.splat(<f64>load<f32>(k));
  const inverse = f64x2.splat(1.0 / <f64>load<f32>(k + 4));
  const beta = constant(k, 2);
  const rest = constant(k, 3);
  const wideBeta = f64x2.splat(<f64>load<f32>(k + 8));
  const wideRest = f64x2.splat(<f64>load<f32>(k + 12));
  const eps = f64x2.splat(<f64>load<f32>(k + 16));
  const isInside = (order & 8) != 0;
  for (let i: usize = 0; i < lanes << 2; i += 16) {
    const before = v128.load(s0 + i);
    const after = v128.load(x + i);
    const after0 = v128.load(x0 + i);
    const low = stepGradient(
      Lanes.wideLow(before),
      Lanes.wideLow(after),
      Lanes.wideLow(after0),
      kept,
      inverse,
      wideBeta,
      wideRest,
      eps,
      isInside,
    );
    const high = stepGradient(
      Lanes.wideHigh(before),
      Lanes.wideHigh(after),
      Lanes.wideHigh(after0),
      kept,
      inverse,
      wideBeta,
      wideRest,
      eps,
      isInside,
    );
    v128.store(
      output + i,
      Lanes.canonical(
        SecondMoment.added(before, Lanes.canonical(Lanes.narrow(low, high)), beta, rest, order & 7),
      ),
    );
  }
}

// With u the step and c = rest * u * u, the root r of the new mean solves r * r = beta * s0 + c * (r + eps) * (r + eps);
// with eps under the root, the new mean s solves s = beta * s0 + c * (s + eps).
function stepGradient(
  s0: v128,
  x: v128,
  x0: v128,
  kept: v128,
  inverse: v128,
  beta: v128,
  rest: v128,
  eps: v128,
  isInside: bool,
): v128 {
  const u = f64x2.mul(f64x2.sub(x, f64x2.mul(kept, x0)), inverse);
  const c = f64x2.mul(rest, f64x2.mul(u, u));
  const left = f64x2.sub(f64x2.splat(1), c);
  if (isInside) return f64x2.mul(u, f64x2.sqrt(f64x2.div(f64x2.add(f64x2.mul(beta, s0), eps), left)));
  const lost = f64x2.mul(c, eps);
  const known = f64x2.add(f64x2.mul(lost, eps), f64x2.mul(beta, s0));
  const root = f64x2.sqrt(f64x2.add(f64x2.mul(lost, lost), f64x2.mul(left, known)));
  return f64x2.mul(u, f64x2.add(f64x2.div(f64x2.add(lost, root), left), eps));
}

// bf16 gradients, which the record holds, are read four at a time.
export function predictFirstMoment(
  m0: usize,
  gradients: usize,
  output: usize,
  lanes: usize,
  order: i32,
  k: usize,
): void {
  const beta = constant(k, 0);
  const rest = constant(k, 1);
  for (let i: usize = 0; i < lanes << 2; i += 16) {
    const g = i32x4.shl(v128.load16x4_u(gradients + (i >> 1)), 16);
    v128.store(output + i, Lanes.canonical(mixed(v128.load(m0 + i), g, beta, rest, order)));
  }
}

// The moment without a gradient.
export function predictFadedMoment(m0: usize, output: usize, lanes: usize, order: i32, k: usize): void {
  const beta = constant(k, 0);
  const rest = constant(k, 1);
  const zero = f32x4.splat(0);
  for (let i: usize = 0; i < lanes << 2; i += 16) {
    v128.store(output + i, Lanes.canonical(mixed(v128.load(m0 + i), zero, beta, rest, order)));
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
    v128.store(output + i, Lanes.canonical(mixed(v128.load(m0 + i), g, beta, rest, order & 7)));
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
    v128.store(output + i, Lanes.canonical(mixed(v128.load(m0 + i), g, beta, rest, order & 7)));
  }
}

// An average before and after something new, which has the weight `rest`.
export function mixed(m0: v128, g: v128, beta: v128, rest: v128, order: i32): v128 {
  if (order == 0) return Lanes.fused(rest, f32x4.sub(g, m0), m0);
  if (order == 1) return f32x4.add(m0, f32x4.mul(rest, f32x4.sub(g, m0)));
  if (order == 2) return Lanes.fused(rest, g, f32x4.mul(m0, beta));
  if (order == 3) return f32x4.add(f32x4.mul(m0, beta), f32x4.mul(rest, g));
  return Lanes.fused(m0, beta, f32x4.mul(rest, g));
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
