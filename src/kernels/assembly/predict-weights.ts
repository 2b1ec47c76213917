// What update rules of optimizers say of weights, four or eight lanes a step; the caller pads every window to whole steps. The
// fields of `order` and the constants, which lie one after another at `k`, are those of FORMAT.md, "Rules".

import { constant, Lanes } from './predict-arithmetic';

// Up to this divisor, quotients of square roots are normal numbers.
const DIVISOR_MAX: f32 = 1125899906842624;

// The orders that torch has are loops of their own.
export function predictAdamWeights(
  w0: usize,
  m: usize,
  v: usize,
  output: usize,
  lanes: usize,
  order: i32,
  k: usize,
): void {
  if (lanes == 0) return;
  const hasInverse = abs(load<f32>(k + 12)) <= DIVISOR_MAX;
  if (order == 0 && hasInverse) AdamWeights.predict(w0, m, v, output, lanes, 0, k, true);
  else if (order == 1 && hasInverse) AdamWeights.predict(w0, m, v, output, lanes, 1, k, true);
  else if (order == 33 && hasInverse) AdamWeights.predict(w0, m, v, output, lanes, 33, k, true);
  else AdamWeights.predict(w0, m, v, output, lanes, order, k, false);
}

// The weights stay where the first moment stayed: the row had no gradient.
export function predictLazyAdamWeights(
  w0: usize,
  m: usize,
  v: usize,
  m0: usize,
  output: usize,
  lanes: usize,
  order: i32,
  k: usize,
): void {
  const decay = constant(k, 0);
  const scale = constant(k, 1);
  const bias1 = constant(k, 2);
  const bias2 = constant(k, 3);
  const eps = constant(k, 4);
  for (let i: usize = 0; i < lanes << 2; i += 16) {
    const before = v128.load(w0 + i);
    const first = v128.load(m + i);
    const d = Step.denominator(v128.load(v + i), bias2, eps, (order >> 2) & 3);
    const w = Lanes.canonical(AdamWeights.next(before, first, d, decay, scale, bias1, order));
    v128.store(output + i, v128.bitselect(before, w, i32x4.eq(first, v128.load(m0 + i))));
  }
}

class AdamWeights {
  @inline
  static predict(
    w0: usize,
    m: usize,
    v: usize,
    output: usize,
    lanes: usize,
    order: i32,
    k: usize,
    hasInverse: bool,
  ): void {
    const decay = constant(k, 0);
    const scale = constant(k, 1);
    const bias1 = constant(k, 2);
    const bias2 = constant(k, 3);
    const eps = constant(k, 4);
    const inverse = f64x2.splat(1.0 / <f64>load<f32>(k + 12));
    const end = lanes << 2;
    let i: usize = 0;
    do {
      const d = AdamWeights.divisor(v + i, bias2, inverse, eps, order, hasInverse);
      const e = AdamWeights.divisor(v + i + 16, bias2, inverse, eps, order, hasInverse);
      let a = AdamWeights.next(v128.load(w0 + i), v128.load(m + i), d, decay, scale, bias1, order);
      let b = AdamWeights.next(v128.load(w0 + i, 16), v128.load(m + i, 16), e, decay, scale, bias1, order);
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
  static divisor(v: usize, bias2: v128, inverse: v128, eps: v128, order: i32, hasInverse: bool): v128 {
    return hasInverse
      ? f32x4.add(Step.quotient(f32x4.sqrt(v128.load(v)), inverse), eps)
      : Step.denominator(v128.load(v), bias2, eps, (order >> 2) & 3);
  }

  // A NaN may have any bits.
  @inline
  static next(w: v128, m: v128, d: v128, decay: v128, scale: v128, bias1: v128, order: i32): v128 {
    const kind = (order >> 4) & 7;
    const decayKind = order & 3;
    if (order < 128) {
      const p = Step.decayed(w, decay, decayKind);
      return Step.updated(p, w, m, d, decay, scale, bias1, kind);
    }
    return laterDecayed(w, m, d, decay, scale, bias1, order);
  }
}

function laterDecayed(w: v128, m: v128, d: v128, decay: v128, scale: v128, bias1: v128, order: i32): v128 {
  const kind = (order >> 4) & 7;
  const decayKind = order & 3;
  const isJoint = decayKind == 0;
  const u = Step.updated(
    w,
    w,
    m,
    isJoint ? f32x4.mul(bias1, d) : d,
    decay,
    scale,
    isJoint ? f32x4.splat(1) : bias1,
    kind,
  );
  return Step.decayed(u, decay, decayKind);
}

class Step {
  @inline
  static decayed(w: v128, k: v128, kind: i32): v128 {
    if (kind == 1) return f32x4.mul(w, k);
    if (kind == 2) return f32x4.sub(w, f32x4.mul(k, w));
    if (kind == 3) return Lanes.fused(f32x4.neg(k), w, w);
    return w;
  }

  @inline
  static denominator(v: v128, q: v128, e: v128, kind: i32): v128 {
    if (kind == 0) return f32x4.add(f32x4.div(f32x4.sqrt(v), q), e);
    if (kind == 1) return f32x4.add(f32x4.mul(f32x4.sqrt(v), q), e);
    if (kind == 2) return f32x4.add(f32x4.sqrt(f32x4.div(v, q)), e);
    return Lanes.fused(f32x4.sqrt(v), q, e);
  }

  // x / q, given 1 / q in double precision. A quotient of singles that is a normal number is farther from where roundings
  // to single precision meet than the two roundings here move it: by 2^-49 of its value, against 2^-52.
  @inline
  static quotient(x: v128, inverse: v128): v128 {
    return Lanes.narrow(f64x2.mul(Lanes.wideLow(x), inverse), f64x2.mul(Lanes.wideHigh(x), inverse));
  }

  @inline
  static updated(p: v128, w: v128, m: v128, d: v128, k: v128, s: v128, b: v128, kind: i32): v128 {
    if (kind == 0) return f32x4.add(p, f32x4.div(f32x4.mul(s, m), d));
    if (kind == 1) return f32x4.add(p, f32x4.mul(s, f32x4.div(m, d)));
    if (kind == 2) return Lanes.fused(s, f32x4.div(m, d), p);
    if (kind == 7) return f32x4.add(p, f32x4.div(m, d));
    const u = f32x4.div(f32x4.div(m, b), d);
    if (kind == 3) return f32x4.add(p, f32x4.mul(s, u));
    if (kind == 4) return Lanes.fused(s, u, p);
    if (kind == 5) return f32x4.add(p, f32x4.mul(s, f32x4.add(u, f32x4.mul(k, w))));
    return Lanes.fused(s, Lanes.fused(k, w, u), p);
  }
}

export function predictNadamWeights(
  w0: usize,
  m: usize,
  v: usize,
  m0: usize,
  output: usize,
  lanes: usize,
  order: i32,
  k: usize,
): void {
  const decay = constant(k, 0);
  const ahead = constant(k, 1);
  const scale = constant(k, 2);
  const bias2 = constant(k, 3);
  const eps = constant(k, 4);
  const wideBeta = f64x2.splat(<f64>load<f32>(k + 20));
  const inverse = f64x2.splat(1.0 / <f64>load<f32>(k + 24));
  const isQuotientFirst = order >> 4 != 0;
  for (let i: usize = 0; i < lanes << 2; i += 16) {
    const first = v128.load(m + i);
    const g = Lanes.gradient(m + i, m0 + i, wideBeta, inverse, false);
    const d = Step.denominator(v128.load(v + i), bias2, eps, (order >> 2) & 3);
    const p = added(Step.decayed(v128.load(w0 + i), decay, order & 3), ahead, g, d, isQuotientFirst);
    v128.store(output + i, Lanes.canonical(added(p, scale, first, d, isQuotientFirst)));
  }
}

function added(p: v128, scale: v128, x: v128, d: v128, isQuotientFirst: bool): v128 {
  return f32x4.add(
    p,
    isQuotientFirst ? f32x4.mul(scale, f32x4.div(x, d)) : f32x4.div(f32x4.mul(scale, x), d),
  );
}

export function predictMomentumWeights(
  w0: usize,
  buffer: usize,
  output: usize,
  lanes: usize,
  order: i32,
  k: usize,
): void {
  const s = constant(k, 0);
  for (let i: usize = 0; i < lanes << 2; i += 16) {
    v128.store(output + i, Lanes.canonical(stepped(v128.load(w0 + i), v128.load(buffer + i), s, order)));
  }
}

export function predictNesterovWeights(
  w0: usize,
  buffer: usize,
  buffer0: usize,
  output: usize,
  lanes: usize,
  order: i32,
  k: usize,
): void {
  const s = constant(k, 0);
  const u = constant(k, 1);
  const wideMomentum = f64x2.splat(<f64>load<f32>(k + 4));
  const inverse = f64x2.splat(1.0 / <f64>load<f32>(k + 8));
  for (let i: usize = 0; i < lanes << 2; i += 16) {
    const after = v128.load(buffer + i);
    const g = Lanes.gradient(buffer + i, buffer0 + i, wideMomentum, inverse, true);
    const n = order == 1 ? Lanes.fused(u, after, g) : f32x4.add(g, f32x4.mul(u, after));
    v128.store(output + i, Lanes.canonical(stepped(v128.load(w0 + i), n, s, order)));
  }
}

function stepped(w: v128, n: v128, s: v128, order: i32): v128 {
  return order == 1 ? Lanes.fused(s, n, w) : f32x4.add(w, f32x4.mul(s, n));
}

export function predictLionWeights(
  w0: usize,
  m: usize,
  m0: usize,
  output: usize,
  lanes: usize,
  order: i32,
  k: usize,
): void {
  const decay = constant(k, 0);
  const scale = constant(k, 1);
  const ratio = f64x2.splat(<f64>load<f32>(k + 8));
  for (let i: usize = 0; i < lanes << 2; i += 16) {
    const w = v128.load(w0 + i);
    const after = v128.load(m + i);
    const before = v128.load(m0 + i);
    const low = direction(Lanes.wideLow(after), Lanes.wideLow(before), ratio);
    const high = direction(Lanes.wideHigh(after), Lanes.wideHigh(before), ratio);
    const u = signOf(Lanes.narrow(low, high));
    const next =
      order == 4
        ? f32x4.add(w, f32x4.mul(scale, f32x4.add(u, f32x4.mul(decay, w))))
        : f32x4.add(Step.decayed(w, decay, order), f32x4.mul(scale, u));
    v128.store(output + i, Lanes.canonical(next));
  }
}

function direction(m: v128, m0: v128, ratio: v128): v128 {
  return f64x2.add(m0, f64x2.mul(ratio, f64x2.sub(m, m0)));
}

// 1 with the sign of each lane; zeros and NaN stay.
function signOf(x: v128): v128 {
  const one = v128.or(v128.and(x, i32x4.splat(0x80000000)), f32x4.splat(1));
  const zero = f32x4.splat(0);
  return v128.bitselect(one, x, v128.or(f32x4.gt(x, zero), f32x4.lt(x, zero)));
}
