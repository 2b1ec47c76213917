// What update rules of optimizers predict, four lanes a step; the caller pads every window to whole steps. The fields of
// `order`, a kind of arithmetic each, are those of FORMAT.md, "Rules".

import { canonical, fused, gradient, shortened } from './predict-arithmetic';

export function predictSecondMoment(
  v0: usize,
  m: usize,
  m0: usize,
  output: usize,
  lanes: usize,
  order: i32,
  beta1: f32,
  rest1: f32,
  beta2: f32,
  rest2: f32,
): void {
  const fromProducts = (order & 1) != 0;
  const precision = (order >> 1) & 3;
  const sum = order >> 3;
  const wideBeta = f64x2.splat(<f64>beta1);
  const inverse = f64x2.splat(1.0 / <f64>rest1);
  const beta = f32x4.splat(beta2);
  const rest = f32x4.splat(rest2);
  for (let i: usize = 0; i < lanes << 2; i += 16) {
    let g = gradient(v128.load(m + i), v128.load(m0 + i), wideBeta, inverse, fromProducts);
    if (precision == 1) g = shortened(g, 16);
    else if (precision == 2) g = shortened(g, 13);
    v128.store(output + i, canonical(secondMoment(v128.load(v0 + i), g, beta, rest, sum)));
  }
}

function secondMoment(v0: v128, g: v128, beta: v128, rest: v128, sum: i32): v128 {
  if (sum == 0) return fused(f32x4.mul(rest, g), g, f32x4.mul(v0, beta));
  if (sum == 1) return fused(rest, f32x4.mul(g, g), f32x4.mul(v0, beta));
  if (sum == 2) return f32x4.add(f32x4.mul(v0, beta), f32x4.mul(f32x4.mul(rest, g), g));
  if (sum == 3) return f32x4.add(f32x4.mul(v0, beta), f32x4.mul(rest, f32x4.mul(g, g)));
  if (sum == 4) return fused(v0, beta, f32x4.mul(f32x4.mul(rest, g), g));
  return fused(v0, beta, f32x4.mul(rest, f32x4.mul(g, g)));
}

export function predictAdamWeights(
  w0: usize,
  m: usize,
  v: usize,
  output: usize,
  lanes: usize,
  order: i32,
  decay: f32,
  scale: f32,
  bias1: f32,
  bias2: f32,
  eps: f32,
): void {
  const decayKind = order & 3;
  const denominatorKind = (order >> 2) & 3;
  const updateKind = order >> 4;
  const k = f32x4.splat(decay);
  const s = f32x4.splat(scale);
  const b = f32x4.splat(bias1);
  const q = f32x4.splat(bias2);
  const e = f32x4.splat(eps);
  for (let i: usize = 0; i < lanes << 2; i += 16) {
    const w = v128.load(w0 + i);
    const d = denominator(v128.load(v + i), q, e, denominatorKind);
    const p = decayed(w, k, decayKind);
    v128.store(output + i, canonical(updated(p, w, v128.load(m + i), d, k, s, b, updateKind)));
  }
}

function decayed(w: v128, k: v128, kind: i32): v128 {
  if (kind == 1) return f32x4.mul(w, k);
  if (kind == 2) return f32x4.sub(w, f32x4.mul(k, w));
  if (kind == 3) return fused(f32x4.neg(k), w, w);
  return w;
}

function denominator(v: v128, q: v128, e: v128, kind: i32): v128 {
  if (kind == 0) return f32x4.add(f32x4.div(f32x4.sqrt(v), q), e);
  if (kind == 1) return f32x4.add(f32x4.mul(f32x4.sqrt(v), q), e);
  if (kind == 2) return f32x4.add(f32x4.sqrt(f32x4.div(v, q)), e);
  return fused(f32x4.sqrt(v), q, e);
}

function updated(p: v128, w: v128, m: v128, d: v128, k: v128, s: v128, b: v128, kind: i32): v128 {
  if (kind == 0) return f32x4.add(p, f32x4.div(f32x4.mul(s, m), d));
  if (kind == 1) return f32x4.add(p, f32x4.mul(s, f32x4.div(m, d)));
  if (kind == 2) return fused(s, f32x4.div(m, d), p);
  if (kind == 7) return f32x4.add(p, f32x4.div(m, d));
  const u = f32x4.div(f32x4.div(m, b), d);
  if (kind == 3) return f32x4.add(p, f32x4.mul(s, u));
  if (kind == 4) return fused(s, u, p);
  if (kind == 5) return f32x4.add(p, f32x4.mul(s, f32x4.add(u, f32x4.mul(k, w))));
  return fused(s, fused(k, w, u), p);
}

export function predictMomentumWeights(
  w0: usize,
  buffer: usize,
  buffer0: usize,
  output: usize,
  lanes: usize,
  order: i32,
  scale: f32,
  momentum: f32,
  rest: f32,
): void {
  const isFused = (order & 1) != 0;
  const isNesterov = (order & 2) != 0;
  const s = f32x4.splat(scale);
  const u = f32x4.splat(momentum);
  const wideMomentum = f64x2.splat(<f64>momentum);
  const inverse = f64x2.splat(1.0 / <f64>rest);
  for (let i: usize = 0; i < lanes << 2; i += 16) {
    const w = v128.load(w0 + i);
    let step = v128.load(buffer + i);
    if (isNesterov) {
      const g = gradient(step, v128.load(buffer0 + i), wideMomentum, inverse, true);
      step = isFused ? fused(u, step, g) : f32x4.add(g, f32x4.mul(u, step));
    }
    v128.store(output + i, canonical(isFused ? fused(s, step, w) : f32x4.add(w, f32x4.mul(s, step))));
  }
}

// bf16 gradients, which the record holds, are read four at a time.
export function predictFirstMoment(
  m0: usize,
  gradients: usize,
  output: usize,
  lanes: usize,
  order: i32,
  beta1: f32,
  rest1: f32,
): void {
  const beta = f32x4.splat(beta1);
  const rest = f32x4.splat(rest1);
  for (let i: usize = 0; i < lanes << 2; i += 16) {
    const g = i32x4.shl(v128.load16x4_u(gradients + (i >> 1)), 16);
    v128.store(output + i, canonical(firstMoment(v128.load(m0 + i), g, beta, rest, order)));
  }
}

function firstMoment(m0: v128, g: v128, beta: v128, rest: v128, order: i32): v128 {
  if (order == 0) return fused(rest, f32x4.sub(g, m0), m0);
  if (order == 1) return f32x4.add(m0, f32x4.mul(rest, f32x4.sub(g, m0)));
  if (order == 2) return fused(rest, g, f32x4.mul(m0, beta));
  if (order == 3) return f32x4.add(f32x4.mul(m0, beta), f32x4.mul(rest, g));
  return fused(m0, beta, f32x4.mul(rest, g));
}

// The bf16 gradients that led from m0 to m, for the encoder. The fields of `order` are those of predictFirstMoment.
export function recoverGradient(
  m: usize,
  m0: usize,
  output: usize,
  lanes: usize,
  order: i32,
  beta1: f32,
  rest1: f32,
): void {
  const wideBeta = f64x2.splat(<f64>beta1);
  const inverse = f64x2.splat(1.0 / <f64>rest1);
  const fromProducts = order >= 2;
  for (let i: usize = 0; i < lanes << 2; i += 16) {
    const g = gradient(v128.load(m + i), v128.load(m0 + i), wideBeta, inverse, fromProducts);
    const high = i32x4.shr_u(shortened(g, 16), 16);
    v128.store64_lane(output + (i >> 1), v128.shuffle<u16>(high, high, 0, 2, 4, 6, 0, 2, 4, 6), 0);
  }
}
