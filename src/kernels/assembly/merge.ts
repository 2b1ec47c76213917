// The inverse of split.ts: planes in, raw lanes out. 16 lanes a step; the caller pads every window to whole steps.
//
//   d = (residual >>> 1) ^ -(residual & 1);  raw = o(d + o(base)), since o undoes itself

function restore8(z: v128, base: usize, mask: v128): v128 {
  const b = v128.load(base);
  const d = v128.xor(i8x16.shr_u(z, 1), i8x16.neg(v128.and(z, i8x16.splat(1))));
  const o = i8x16.add(d, v128.xor(b, v128.and(i8x16.shr_s(b, 7), mask)));
  return v128.xor(o, v128.and(i8x16.shr_s(o, 7), mask));
}

function restore16(z: v128, base: usize, mask: v128): v128 {
  const b = v128.load(base);
  const d = v128.xor(i16x8.shr_u(z, 1), i16x8.neg(v128.and(z, i16x8.splat(1))));
  const o = i16x8.add(d, v128.xor(b, v128.and(i16x8.shr_s(b, 15), mask)));
  return v128.xor(o, v128.and(i16x8.shr_s(o, 15), mask));
}

function restore32(z: v128, base: usize, mask: v128): v128 {
  const b = v128.load(base);
  const d = v128.xor(i32x4.shr_u(z, 1), i32x4.neg(v128.and(z, i32x4.splat(1))));
  const o = i32x4.add(d, v128.xor(b, v128.and(i32x4.shr_s(b, 31), mask)));
  return v128.xor(o, v128.and(i32x4.shr_s(o, 31), mask));
}

function restore64(z: v128, base: usize, mask: v128): v128 {
  const b = v128.load(base);
  const d = v128.xor(i64x2.shr_u(z, 1), i64x2.neg(v128.and(z, i64x2.splat(1))));
  const o = i64x2.add(d, v128.xor(b, v128.and(i64x2.shr_s(b, 63), mask)));
  return v128.xor(o, v128.and(i64x2.shr_s(o, 63), mask));
}

function lowBytes(a: v128, b: v128): v128 {
  return v128.shuffle<u8>(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
}

function highBytes(a: v128, b: v128): v128 {
  return v128.shuffle<u8>(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
}

function lowPairs(a: v128, b: v128): v128 {
  return v128.shuffle<u16>(a, b, 0, 8, 1, 9, 2, 10, 3, 11);
}

function highPairs(a: v128, b: v128): v128 {
  return v128.shuffle<u16>(a, b, 4, 12, 5, 13, 6, 14, 7, 15);
}

export function merge8(planes: usize, base: usize, raw: usize, stride: usize, float: i32): void {
  const mask = i8x16.splat(float ? 0x7f : 0);
  for (let i: usize = 0; i < stride; i += 16) {
    v128.store(raw + i, restore8(v128.load(planes + i), base + i, mask));
  }
}

export function merge16(planes: usize, base: usize, raw: usize, stride: usize, float: i32): void {
  const mask = i16x8.splat(float ? 0x7fff : 0);
  for (let i: usize = 0; i < stride; i += 16) {
    const at = i << 1;
    const low = v128.load(planes + i);
    const high = v128.load(planes + stride + i);
    v128.store(raw + at, restore16(lowBytes(low, high), base + at, mask));
    v128.store(raw + at + 16, restore16(highBytes(low, high), base + at + 16, mask));
  }
}

export function merge32(planes: usize, base: usize, raw: usize, stride: usize, float: i32): void {
  const mask = i32x4.splat(float ? 0x7fffffff : 0);
  for (let i: usize = 0; i < stride; i += 16) {
    const r = raw + (i << 2);
    const b = base + (i << 2);
    const p0 = v128.load(planes + i);
    const p1 = v128.load(planes + stride + i);
    const p2 = v128.load(planes + 2 * stride + i);
    const p3 = v128.load(planes + 3 * stride + i);
    const low0 = lowBytes(p0, p1);
    const high0 = lowBytes(p2, p3);
    const low1 = highBytes(p0, p1);
    const high1 = highBytes(p2, p3);
    v128.store(r, restore32(lowPairs(low0, high0), b, mask));
    v128.store(r + 16, restore32(highPairs(low0, high0), b + 16, mask));
    v128.store(r + 32, restore32(lowPairs(low1, high1), b + 32, mask));
    v128.store(r + 48, restore32(highPairs(low1, high1), b + 48, mask));
  }
}

// Restores 4 lanes of 64 bits from their lower and upper halves.
function store64(low: v128, high: v128, raw: usize, base: usize, mask: v128): void {
  v128.store(raw, restore64(v128.shuffle<u32>(low, high, 0, 4, 1, 5), base, mask));
  v128.store(raw + 16, restore64(v128.shuffle<u32>(low, high, 2, 6, 3, 7), base + 16, mask));
}

export function merge64(planes: usize, base: usize, raw: usize, stride: usize, float: i32): void {
  const mask = i64x2.splat(float ? 0x7fffffffffffffff : 0);
  for (let i: usize = 0; i < stride; i += 16) {
    const r = raw + (i << 3);
    const b = base + (i << 3);
    const p = planes + i;
    const p0 = v128.load(p);
    const p1 = v128.load(p + stride);
    const p2 = v128.load(p + 2 * stride);
    const p3 = v128.load(p + 3 * stride);
    const p4 = v128.load(p + 4 * stride);
    const p5 = v128.load(p + 5 * stride);
    const p6 = v128.load(p + 6 * stride);
    const p7 = v128.load(p + 7 * stride);
    const a0 = lowBytes(p0, p1);
    const b0 = lowBytes(p2, p3);
    const c0 = lowBytes(p4, p5);
    const d0 = lowBytes(p6, p7);
    const a1 = highBytes(p0, p1);
    const b1 = highBytes(p2, p3);
    const c1 = highBytes(p4, p5);
    const d1 = highBytes(p6, p7);
    store64(lowPairs(a0, b0), lowPairs(c0, d0), r, b, mask);
    store64(highPairs(a0, b0), highPairs(c0, d0), r + 32, b + 32, mask);
    store64(lowPairs(a1, b1), lowPairs(c1, d1), r + 64, b + 64, mask);
    store64(highPairs(a1, b1), highPairs(c1, d1), r + 96, b + 96, mask);
  }
}
