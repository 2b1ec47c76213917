// Tiles of 64 lanes: which of them differ, and of which level they are. Reads whole tiles.

export const TILE: usize = 64;
export const DENSE: u32 = 8;

function bits64(a: v128, b: v128, c: v128, d: v128): u64 {
  return (
    <u64>(<u32>(i8x16.bitmask(a) | (i8x16.bitmask(b) << 16))) |
    ((<u64>(<u32>(i8x16.bitmask(c) | (i8x16.bitmask(d) << 16)))) << 32)
  );
}

// Which of the lanes of a tile differ.
export function changes<T>(raw: usize, base: usize): u64 {
  return bits64(
    changes16<T>(raw, base),
    changes16<T>(raw + 16 * sizeof<T>(), base + 16 * sizeof<T>()),
    changes16<T>(raw + 32 * sizeof<T>(), base + 32 * sizeof<T>()),
    changes16<T>(raw + 48 * sizeof<T>(), base + 48 * sizeof<T>()),
  );
}

function changes16<T>(raw: usize, base: usize): v128 {
  const a = v128.load(raw);
  const b = v128.load(base);
  const c = v128.load(raw, 16);
  const d = v128.load(base, 16);
  if (sizeof<T>() == 2) return i8x16.narrow_i16x8_s(i16x8.ne(a, b), i16x8.ne(c, d));
  return i8x16.narrow_i16x8_s(
    i16x8.narrow_i32x4_s(i32x4.ne(a, b), i32x4.ne(c, d)),
    i16x8.narrow_i32x4_s(
      i32x4.ne(v128.load(raw, 32), v128.load(base, 32)),
      i32x4.ne(v128.load(raw, 48), v128.load(base, 48)),
    ),
  );
}

function exponents16<T>(base: usize, shift: i32, mask: v128): v128 {
  if (sizeof<T>() == 2) {
    return i8x16.narrow_i16x8_u(
      v128.and(i16x8.shr_u(v128.load(base), shift), mask),
      v128.and(i16x8.shr_u(v128.load(base, 16), shift), mask),
    );
  }
  return i8x16.narrow_i16x8_u(
    i16x8.narrow_i32x4_s(
      v128.and(i32x4.shr_u(v128.load(base), shift), mask),
      v128.and(i32x4.shr_u(v128.load(base, 16), shift), mask),
    ),
    i16x8.narrow_i32x4_s(
      v128.and(i32x4.shr_u(v128.load(base, 32), shift), mask),
      v128.and(i32x4.shr_u(v128.load(base, 48), shift), mask),
    ),
  );
}

export function levels16<T>(base: usize, shift: i32, mask: v128, lowest: v128, top: v128): v128 {
  const exponents = exponents16<T>(base, shift, mask);
  return i8x16.min_u(i8x16.sub_sat_u(i8x16.add_sat_u(exponents, i8x16.splat(8)), lowest), top);
}

export function lanesOf(l0: v128, l1: v128, l2: v128, l3: v128, level: v128): u64 {
  return bits64(i8x16.eq(l0, level), i8x16.eq(l1, level), i8x16.eq(l2, level), i8x16.eq(l3, level));
}

export function denseLanes(l0: v128, l1: v128, l2: v128, l3: v128): u64 {
  const first = i8x16.splat(<i8>DENSE);
  return bits64(i8x16.lt_u(l0, first), i8x16.lt_u(l1, first), i8x16.lt_u(l2, first), i8x16.lt_u(l3, first));
}

export function exponentMask<T>(bits: i32): v128 {
  const ones: i32 = (1 << bits) - 1;
  return sizeof<T>() == 2 ? i16x8.splat(<i16>ones) : i32x4.splat(ones);
}

export function ordered<T>(lane: i32): i32 {
  return lane ^ ((lane >> 31) & (sizeof<T>() == 2 ? 0x7fff : 0x7fffffff));
}

export function differenceAt<T>(raw: usize, base: usize): i32 {
  const d = ordered<T>(<i32>load<T>(raw)) - ordered<T>(<i32>load<T>(base));
  return sizeof<T>() == 2 ? (d << 16) >> 16 : d;
}

export function levelAt<T>(base: usize, shift: i32, bits: i32, low: i32, top: i32): u32 {
  const exponent = (<i32>load<T>(base) >> shift) & ((1 << bits) - 1);
  return <u32>min<i32>(max<i32>(exponent + 8 - low, 0), top);
}

// The lanes of a tile that are in the block.
export function lanesLeft(left: usize): u64 {
  return left >= TILE ? u64.MAX_VALUE : ((<u64>1) << left) - 1;
}
