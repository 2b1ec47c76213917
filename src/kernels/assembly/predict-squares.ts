// What update rules of optimizers say of means of squares, eight lanes a step; the caller pads every window to whole steps. The
// fields of `order` and the constants, which lie one after another at `k`, are those of FORMAT.md, "Rules".

import { constant, Lanes } from './predict-arithmetic';

// Up to this weight of a new square, the sums of most lanes are the same whichever way the square is rounded.
const LIGHT_MAX: f32 = 0.00390625;
// Steps that may be computed twice besides a quarter of all: more are where rows had no gradient or training begins.
const AGAIN_MAX: usize = 64;

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
  if (lanes == 0) return;
  const end = lanes << 2;
  const isLight = load<f32>(k + 12) <= LIGHT_MAX;
  let from: usize = 0;
  if (order == 0 && isLight) from = SecondMoment.predictLight(v0, m, m0, output, end, 0, k);
  else if (order == 2 && isLight) from = SecondMoment.predictLight(v0, m, m0, output, end, 2, k);
  if (from >= end) return;
  if (order == 0) SecondMoment.predict(v0, m, m0, output, from, end, 0, k);
  else if (order == 2) SecondMoment.predict(v0, m, m0, output, from, end, 2, k);
  else if (order == 16) SecondMoment.predict(v0, m, m0, output, from, end, 16, k);
  else SecondMoment.predict(v0, m, m0, output, from, end, order, k);
}

// The compiler moves constants out of loops that end with their condition, and only out of those.
class SecondMoment {
  @inline
  static predict(
    v0: usize,
    m: usize,
    m0: usize,
    output: usize,
    from: usize,
    end: usize,
    order: i32,
    k: usize,
  ): void {
    const isLazy = order >> 6 != 0;
    const wideBeta = f64x2.splat(<f64>load<f32>(k));
    const inverse = f64x2.splat(1.0 / <f64>load<f32>(k + 4));
    const beta = constant(k, 2);
    const rest = constant(k, 3);
    let i = from;
    do {
      let v = SecondMoment.next(v0 + i, m + i, m0 + i, wideBeta, inverse, beta, rest, order);
      let w = SecondMoment.next(v0 + i + 16, m + i + 16, m0 + i + 16, wideBeta, inverse, beta, rest, order);
      if (Lanes.hasNaN(v, w)) {
        v = Lanes.canonical(v);
        w = Lanes.canonical(w);
      }
      if (isLazy) {
        v = SecondMoment.kept(v, v0 + i, m + i, m0 + i);
        w = SecondMoment.kept(w, v0 + i + 16, m + i + 16, m0 + i + 16);
      }
      v128.store(output + i, v);
      v128.store(output + i, w, 16);
      i += 32;
    } while (i < end);
  }

  // Orders 0 and 2; returns where it stopped. The product that is added lies between the neighbours of its rounding to single
  // precision, and sums round monotonically: where both neighbours lead to the same one, it is the fused one. All other
  // steps, among them those with a zero, infinity or NaN as product, of which one neighbour is NaN, are computed again.
  @inline
  static predictLight(
    v0: usize,
    m: usize,
    m0: usize,
    output: usize,
    end: usize,
    order: i32,
    k: usize,
  ): usize {
    const wideBeta = f64x2.splat(<f64>load<f32>(k));
    const inverse = f64x2.splat(1.0 / <f64>load<f32>(k + 4));
    const beta = constant(k, 2);
    const rest = constant(k, 3);
    const one = i32x4.splat(1);
    let again: usize = 0;
    let i: usize = 0;
    do {
      const a = f32x4.mul(v128.load(v0 + i), beta);
      const b = f32x4.mul(v128.load(v0 + i, 16), beta);
      const g = Lanes.gradient(m + i, m0 + i, wideBeta, inverse, false);
      const h = Lanes.gradient(m + i + 16, m0 + i + 16, wideBeta, inverse, false);
      const x = SecondMoment.square(g, rest, order);
      const y = SecondMoment.square(h, rest, order);
      const v = f32x4.add(a, i32x4.sub(x, one));
      const w = f32x4.add(b, i32x4.sub(y, one));
      const isOpen = v128.or(
        f32x4.ne(v, f32x4.add(a, i32x4.add(x, one))),
        f32x4.ne(w, f32x4.add(b, i32x4.add(y, one))),
      );
      if (v128.any_true(order == 0 ? isOpen : v128.or(isOpen, v128.or(f32x4.ne(g, g), f32x4.ne(h, h))))) {
        const j = i + 16;
        const first = SecondMoment.next(v0 + i, m + i, m0 + i, wideBeta, inverse, beta, rest, order);
        v128.store(output + i, Lanes.canonical(first));
        const next = SecondMoment.next(v0 + j, m + j, m0 + j, wideBeta, inverse, beta, rest, order);
        v128.store(output + j, Lanes.canonical(next));
        again++;
        if (again > AGAIN_MAX + (i >> 7)) return i + 32;
      } else {
        v128.store(output + i, v);
        v128.store(output + i, w, 16);
      }
      i += 32;
    } while (i < end);
    return end;
  }

  @inline
  static square(g: v128, rest: v128, order: i32): v128 {
    const rounded = order == 0 ? g : Lanes.shortened(g, 16);
    return f32x4.mul(f32x4.mul(rest, rounded), rounded);
  }

  // Four lanes, of which a NaN may have any bits.
  @inline
  static next(
    v0: usize,
    m: usize,
    m0: usize,
    wideBeta: v128,
    inverse: v128,
    beta: v128,
    rest: v128,
    order: i32,
  ): v128 {
    const fromProducts = (order & 1) != 0;
    if (order >> 1 == 0) {
      const low = Lanes.wideGradient(Lanes.wide(m), Lanes.wide(m0), wideBeta, inverse, fromProducts);
      const high = Lanes.wideGradient(Lanes.wideNext(m), Lanes.wideNext(m0), wideBeta, inverse, fromProducts);
      return v128.shuffle<u32>(
        SecondMoment.pair(v128.load64_zero(v0), low, beta, rest),
        SecondMoment.pair(v128.load64_zero(v0, 8), high, beta, rest),
        0,
        1,
        4,
        5,
      );
    }
    const precision = (order >> 1) & 3;
    let g = Lanes.gradient(m, m0, wideBeta, inverse, fromProducts);
    if (precision == 1) g = Lanes.shortened(Lanes.canonical(g), 16);
    else if (precision == 2) g = Lanes.shortened(Lanes.canonical(g), 13);
    return SecondMoment.added(v128.load(v0), g, beta, rest, (order >> 3) & 7);
  }

  // Two lanes of sum 0, which are rounded and made wide again where they are.
  @inline
  static pair(v0: v128, gradient: v128, beta: v128, rest: v128): v128 {
    const g = f32x4.demote_f64x2_zero(gradient);
    const square = f64x2.mul(Lanes.wideLow(f32x4.mul(rest, g)), Lanes.wideLow(g));
    return f32x4.demote_f64x2_zero(f64x2.add(square, Lanes.wideLow(f32x4.mul(v0, beta))));
  }

  // The lanes of which the first moment stayed keep theirs.
  @inline
  static kept(v: v128, v0: usize, m: usize, m0: usize): v128 {
    return v128.bitselect(v128.load(v0), v, i32x4.eq(v128.load(m), v128.load(m0)));
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
