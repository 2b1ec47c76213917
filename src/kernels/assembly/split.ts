// Residual and byte planes: raw lanes in, planes out. 16 lanes a step; the caller pads every window to whole steps.
//
//   o(x) = x ^ ((x >> bits-1) & mask)      mask: all bits but the sign for floats, 0 for integers
//   d = o(raw) - o(base);  residual = (d << 1) ^ (d >> bits-1)

function residual8(raw: usize, base: usize, mask: v128): v128 {
  const a = v128.load(raw);
  const b = v128.load(base);
  const d = i8x16.sub(
    v128.xor(a, v128.and(i8x16.shr_s(a, 7), mask)),
    v128.xor(b, v128.and(i8x16.shr_s(b, 7), mask)),
  );
  return v128.xor(i8x16.shl(d, 1), i8x16.shr_s(d, 7));
}

function residual16(raw: usize, base: usize, mask: v128): v128 {
  const a = v128.load(raw);
  const b = v128.load(base);
  const d = i16x8.sub(
    v128.xor(a, v128.and(i16x8.shr_s(a, 15), mask)),
    v128.xor(b, v128.and(i16x8.shr_s(b, 15), mask)),
  );
  return v128.xor(i16x8.shl(d, 1), i16x8.shr_s(d, 15));
}

function residual32(raw: usize, base: usize, mask: v128): v128 {
  const a = v128.load(raw);
  const b = v128.load(base);
  const d = i32x4.sub(
    v128.xor(a, v128.and(i32x4.shr_s(a, 31), mask)),
    v128.xor(b, v128.and(i32x4.shr_s(b, 31), mask)),
  );
  return v128.xor(i32x4.shl(d, 1), i32x4.shr_s(d, 31));
}

function residual64(raw: usize, base: usize, mask: v128): v128 {
  const a = v128.load(raw);
  const b = v128.load(base);
  const d = i64x2.sub(
    v128.xor(a, v128.and(i64x2.shr_s(a, 63), mask)),
    v128.xor(b, v128.and(i64x2.shr_s(b, 63), mask)),
  );
  return v128.xor(i64x2.shl(d, 1), i64x2.shr_s(d, 63));
}

function evenBytes(a: v128, b: v128): v128 {
  return v128.shuffle<u8>(a, b, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
}

function oddBytes(a: v128, b: v128): v128 {
  return v128.shuffle<u8>(a, b, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
}

// Stores 16 lanes of 32 bits (four vectors) as four planes.
function store32(a: v128, b: v128, c: v128, d: v128, plane: usize, stride: usize): void {
  const low0 = v128.shuffle<u16>(a, b, 0, 2, 4, 6, 8, 10, 12, 14);
  const low1 = v128.shuffle<u16>(c, d, 0, 2, 4, 6, 8, 10, 12, 14);
  const high0 = v128.shuffle<u16>(a, b, 1, 3, 5, 7, 9, 11, 13, 15);
  const high1 = v128.shuffle<u16>(c, d, 1, 3, 5, 7, 9, 11, 13, 15);
  v128.store(plane, evenBytes(low0, low1));
  v128.store(plane + stride, oddBytes(low0, low1));
  v128.store(plane + 2 * stride, evenBytes(high0, high1));
  v128.store(plane + 3 * stride, oddBytes(high0, high1));
}

export function split8(raw: usize, base: usize, planes: usize, stride: usize, float: i32): void {
  const mask = i8x16.splat(float ? 0x7f : 0);
  for (let i: usize = 0; i < stride; i += 16) {
    v128.store(planes + i, residual8(raw + i, base + i, mask));
  }
}

export function split16(raw: usize, base: usize, planes: usize, stride: usize, float: i32): void {
  const mask = i16x8.splat(float ? 0x7fff : 0);
  for (let i: usize = 0; i < stride; i += 16) {
    const at = i << 1;
    const a = residual16(raw + at, base + at, mask);
    const b = residual16(raw + at + 16, base + at + 16, mask);
    v128.store(planes + i, evenBytes(a, b));
    v128.store(planes + stride + i, oddBytes(a, b));
  }
}

export function split32(raw: usize, base: usize, planes: usize, stride: usize, float: i32): void {
  const mask = i32x4.splat(float ? 0x7fffffff : 0);
  for (let i: usize = 0; i < stride; i += 16) {
    const r = raw + (i << 2);
    const b = base + (i << 2);
    store32(
      residual32(r, b, mask),
      residual32(r + 16, b + 16, mask),
      residual32(r + 32, b + 32, mask),
      residual32(r + 48, b + 48, mask),
      planes + i,
      stride,
    );
  }
}

export function split64(raw: usize, base: usize, planes: usize, stride: usize, float: i32): void {
  const mask = i64x2.splat(float ? 0x7fffffffffffffff : 0);
  for (let i: usize = 0; i < stride; i += 16) {
    const r = raw + (i << 3);
    const b = base + (i << 3);
    const v0 = residual64(r, b, mask);
    const v1 = residual64(r + 16, b + 16, mask);
    const v2 = residual64(r + 32, b + 32, mask);
    const v3 = residual64(r + 48, b + 48, mask);
    const v4 = residual64(r + 64, b + 64, mask);
    const v5 = residual64(r + 80, b + 80, mask);
    const v6 = residual64(r + 96, b + 96, mask);
    const v7 = residual64(r + 112, b + 112, mask);
    store32(
      v128.shuffle<u32>(v0, v1, 0, 2, 4, 6),
      v128.shuffle<u32>(v2, v3, 0, 2, 4, 6),
      v128.shuffle<u32>(v4, v5, 0, 2, 4, 6),
      v128.shuffle<u32>(v6, v7, 0, 2, 4, 6),
      planes + i,
      stride,
    );
    store32(
      v128.shuffle<u32>(v0, v1, 1, 3, 5, 7),
      v128.shuffle<u32>(v2, v3, 1, 3, 5, 7),
      v128.shuffle<u32>(v4, v5, 1, 3, 5, 7),
      v128.shuffle<u32>(v6, v7, 1, 3, 5, 7),
      planes + 4 * stride + i,
      stride,
    );
  }
}
