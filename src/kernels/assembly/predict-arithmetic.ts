// Arithmetic on four single-precision lanes that predictors share. Every step rounds as FORMAT.md, "Rules", says.
// Only static methods can be decorated: a call for every four lanes takes longer than the arithmetic.

export class Lanes {
  // round32(a * b + c), where the product and the sum are in double precision: stands for a fused multiply-add.
  @inline
  static fused(a: v128, b: v128, c: v128): v128 {
    const low = f64x2.add(f64x2.mul(Lanes.wideLow(a), Lanes.wideLow(b)), Lanes.wideLow(c));
    const high = f64x2.add(f64x2.mul(Lanes.wideHigh(a), Lanes.wideHigh(b)), Lanes.wideHigh(c));
    return Lanes.narrow(low, high);
  }

  @inline
  static wideLow(x: v128): v128 {
    return f64x2.promote_low_f32x4(x);
  }

  @inline
  static wideHigh(x: v128): v128 {
    return f64x2.promote_low_f32x4(v128.shuffle<u32>(x, x, 2, 3, 2, 3));
  }

  // Two lanes from memory, which takes no shuffle.
  @inline
  static wide(at: usize): v128 {
    return f64x2.promote_low_f32x4(v128.load64_zero(at));
  }

  // The two lanes after them.
  @inline
  static wideNext(at: usize): v128 {
    return f64x2.promote_low_f32x4(v128.load64_zero(at, 8));
  }

  @inline
  static narrow(low: v128, high: v128): v128 {
    return v128.shuffle<u32>(f32x4.demote_f64x2_zero(low), f32x4.demote_f64x2_zero(high), 0, 1, 4, 5);
  }

  // WebAssembly leaves the bits of a computed NaN open: they become those of the canonical quiet NaN.
  @inline
  static canonical(x: v128): v128 {
    return v128.bitselect(i32x4.splat(0x7fc00000), x, f32x4.ne(x, x));
  }

  // Asked once for eight lanes, since what computes has no NaN as a rule.
  @inline
  static hasNaN(a: v128, b: v128): bool {
    return v128.any_true(v128.or(f32x4.ne(a, a), f32x4.ne(b, b)));
  }

  // The gradient that led from m0 to m, given beta1 and 1 / (1 - beta1), in double precision, rounded at the end.
  @inline
  static gradient(m: usize, m0: usize, beta: v128, inverse: v128, fromProducts: bool): v128 {
    return Lanes.narrow(
      Lanes.wideGradient(Lanes.wide(m), Lanes.wide(m0), beta, inverse, fromProducts),
      Lanes.wideGradient(Lanes.wideNext(m), Lanes.wideNext(m0), beta, inverse, fromProducts),
    );
  }

  @inline
  static wideGradient(m: v128, m0: v128, beta: v128, inverse: v128, fromProducts: bool): v128 {
    return fromProducts
      ? f64x2.mul(f64x2.sub(m, f64x2.mul(beta, m0)), inverse)
      : f64x2.add(m0, f64x2.mul(f64x2.sub(m, m0), inverse));
  }

  // An average before and after something new, which has the weight `rest`.
  @inline
  static mixed(m0: v128, g: v128, beta: v128, rest: v128, order: i32): v128 {
    if (order == 0) return Lanes.fused(rest, f32x4.sub(g, m0), m0);
    if (order == 1) return f32x4.add(m0, f32x4.mul(rest, f32x4.sub(g, m0)));
    if (order == 2) return Lanes.fused(rest, g, f32x4.mul(m0, beta));
    if (order == 3) return f32x4.add(f32x4.mul(m0, beta), f32x4.mul(rest, g));
    return Lanes.fused(m0, beta, f32x4.mul(rest, g));
  }

  // Rounds a canonical float to nearest even at bit `drop` of its pattern: 16 leaves the 8 significant bits of bf16.
  @inline
  static shortened(x: v128, drop: i32): v128 {
    const odd = v128.and(i32x4.shr_u(x, drop), i32x4.splat(1));
    const carried = i32x4.add(i32x4.add(x, i32x4.splat((1 << (drop - 1)) - 1)), odd);
    return v128.and(carried, i32x4.splat(-1 << drop));
  }

  // Eight floats as bf16, to nearest even; NaN is the canonical one.
  @inline
  static narrowToBf16(a: v128, b: v128): v128 {
    const isNaN = i16x8.narrow_i32x4_s(f32x4.ne(a, a), f32x4.ne(b, b));
    return v128.bitselect(
      i16x8.splat(0x7fc0),
      i16x8.narrow_i32x4_u(Lanes.topHalf(a), Lanes.topHalf(b)),
      isNaN,
    );
  }

  @inline
  static topHalf(x: v128): v128 {
    const odd = v128.and(i32x4.shr_u(x, 16), i32x4.splat(1));
    return i32x4.shr_u(i32x4.add(x, i32x4.add(odd, i32x4.splat(0x7fff))), 16);
  }
}

// The constant with number `at` in all lanes.
export function constant(k: usize, at: usize): v128 {
  return v128.load32_splat(k + (at << 2));
}
