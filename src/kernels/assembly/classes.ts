// Classes of residuals: symbols, exponents of the base and the bits that follow apart; the formulas are in
// ../reference-classes.ts. Vector steps take 16 lanes; the caller pads every window to whole steps.
//
// A class is read off the float that the size converts to: the top bits of its bits are 4 * (127 + k) + two mantissa
// bits. Sizes of more than 24 bits lose the lower 8 first, so that the conversion never rounds up.

function residual16(raw: usize, base: usize): v128 {
  const mask = i16x8.splat(0x7fff);
  const a = v128.load(raw);
  const b = v128.load(base);
  return i16x8.sub(
    v128.xor(a, v128.and(i16x8.shr_s(a, 15), mask)),
    v128.xor(b, v128.and(i16x8.shr_s(b, 15), mask)),
  );
}

function ordered32(x: v128): v128 {
  return v128.xor(x, i32x4.shr_u(i32x4.shr_s(x, 31), 1));
}

// Returns four symbols and stores their sizes. `b` need only have the sign of the base.
function symbolsOf(d: v128, b: v128, sizes: usize): v128 {
  const size = i32x4.abs(d);
  v128.store(sizes, size);
  return nearSymbols(d, size, b);
}

function nearSymbols(d: v128, size: v128, b: v128): v128 {
  const long = i32x4.gt_u(size, i32x4.splat(0xffffff));
  const exact = v128.andnot(size, v128.and(long, i32x4.splat(0xff)));
  const scaled = i32x4.sub(i32x4.shr_u(f32x4.convert_i32x4_u(exact), 21), i32x4.splat(512));
  const level = v128.bitselect(size, scaled, i32x4.lt_u(size, i32x4.splat(4)));
  const sign = v128.andnot(i32x4.shr_u(v128.xor(d, b), 31), i32x4.eq(size, i32x4.splat(0)));
  return i32x4.add(i32x4.shl(level, 1), sign);
}

function narrowed(a: v128, b: v128, c: v128, d: v128): v128 {
  return i8x16.narrow_i16x8_u(i16x8.narrow_i32x4_s(a, b), i16x8.narrow_i32x4_s(c, d));
}

function exponents16(base: usize, shift: i32, mask: v128): v128 {
  const a = v128.and(i16x8.shr_u(v128.load(base), shift), mask);
  const b = v128.and(i16x8.shr_u(v128.load(base, 16), shift), mask);
  return i8x16.narrow_i16x8_u(a, b);
}

function exponents32(base: usize, shift: i32, mask: v128): v128 {
  const a = v128.and(i32x4.shr_u(v128.load(base), shift), mask);
  const b = v128.and(i32x4.shr_u(v128.load(base, 16), shift), mask);
  const c = v128.and(i32x4.shr_u(v128.load(base, 32), shift), mask);
  const d = v128.and(i32x4.shr_u(v128.load(base, 48), shift), mask);
  return narrowed(a, b, c, d);
}

export function laneExponents8(base: usize, lanes: usize, bits: i32, exponents: usize): void {
  const ones: i32 = (1 << bits) - 1;
  const mask = i8x16.splat(<i8>ones);
  for (let i: usize = 0; i < lanes; i += 16) v128.store(exponents + i, v128.and(v128.load(base + i), mask));
}

export function laneExponents16(base: usize, lanes: usize, bits: i32, exponents: usize): void {
  const ones: i32 = (1 << bits) - 1;
  const mask = i16x8.splat(<i16>ones);
  for (let i: usize = 0; i < lanes; i += 16) {
    v128.store(exponents + i, exponents16(base + (i << 1), 15 - bits, mask));
  }
}

export function laneExponents32(base: usize, lanes: usize, bits: i32, exponents: usize): void {
  const mask = i32x4.splat((1 << bits) - 1);
  for (let i: usize = 0; i < lanes; i += 16) {
    v128.store(exponents + i, exponents32(base + (i << 2), 31 - bits, mask));
  }
}

function ordered8(x: v128): v128 {
  return v128.xor(x, v128.and(i8x16.shr_s(x, 7), i8x16.splat(0x7f)));
}

// Eight symbols of differences and base lanes of 16 bits.
function symbols16(d: v128, b: v128, sizes: usize): v128 {
  const low = symbolsOf(i32x4.extend_low_i16x8_s(d), i32x4.extend_low_i16x8_s(b), sizes);
  const high = symbolsOf(i32x4.extend_high_i16x8_s(d), i32x4.extend_high_i16x8_s(b), sizes + 16);
  return i16x8.narrow_i32x4_s(low, high);
}

export function splitClasses8(raw: usize, base: usize, lanes: usize, symbols: usize, sizes: usize): void {
  for (let i: usize = 0; i < lanes; i += 16) {
    const b = v128.load(base + i);
    const d = i8x16.sub(ordered8(v128.load(raw + i)), ordered8(b));
    const to = sizes + (i << 2);
    const low = symbols16(i16x8.extend_low_i8x16_s(d), i16x8.extend_low_i8x16_s(b), to);
    const high = symbols16(i16x8.extend_high_i8x16_s(d), i16x8.extend_high_i8x16_s(b), to + 32);
    v128.store(symbols + i, i8x16.narrow_i16x8_u(low, high));
  }
}

export function splitClasses16(raw: usize, base: usize, lanes: usize, symbols: usize, sizes: usize): void {
  for (let i: usize = 0; i < lanes; i += 16) {
    const d = residual16(raw + (i << 1), base + (i << 1));
    const e = residual16(raw + (i << 1) + 16, base + (i << 1) + 16);
    const b = v128.load(base + (i << 1));
    const c = v128.load(base + (i << 1), 16);
    const to = sizes + (i << 2);
    const s0 = symbolsOf(i32x4.extend_low_i16x8_s(d), i32x4.extend_low_i16x8_s(b), to);
    const s1 = symbolsOf(i32x4.extend_high_i16x8_s(d), i32x4.extend_high_i16x8_s(b), to + 16);
    const s2 = symbolsOf(i32x4.extend_low_i16x8_s(e), i32x4.extend_low_i16x8_s(c), to + 32);
    const s3 = symbolsOf(i32x4.extend_high_i16x8_s(e), i32x4.extend_high_i16x8_s(c), to + 48);
    v128.store(symbols + i, narrowed(s0, s1, s2, s3));
  }
}

function symbols32(raw: usize, base: usize, sizes: usize): v128 {
  const b = v128.load(base);
  return symbolsOf(i32x4.sub(ordered32(v128.load(raw)), ordered32(b)), b, sizes);
}

export function splitClasses32(raw: usize, base: usize, lanes: usize, symbols: usize, sizes: usize): void {
  for (let i: usize = 0; i < lanes; i += 16) {
    const at = i << 2;
    const s0 = symbols32(raw + at, base + at, sizes + at);
    const s1 = symbols32(raw + at + 16, base + at + 16, sizes + at + 16);
    const s2 = symbols32(raw + at + 32, base + at + 32, sizes + at + 32);
    const s3 = symbols32(raw + at + 48, base + at + 48, sizes + at + 48);
    v128.store(symbols + i, narrowed(s0, s1, s2, s3));
  }
}

// Returns whether none of 16 symbols has bits apart, so that each is twice its size, plus a sign.
function arePlain(symbols: v128): bool {
  return !v128.any_true(v128.and(symbols, i8x16.splat(<i8>0xf0)));
}
// Of far lanes, those that differ by 2^24 or more: sign, exponent and first bit of the mantissa against the base.
const FAR: i32 = 184;
const FAR_EXPONENTS: i32 = 17;
const FAR_BELOW: i32 = 8;
const ESCAPE: i32 = 252;
const FAR_BITS: u32 = 22;

// Exponent and first bit of the mantissa change together: twice the exponent's change plus that bit, in one subtraction.
export function splitFarClasses32(raw: usize, base: usize, lanes: usize, symbols: usize, sizes: usize): void {
  const octave = i32x4.splat(0xffffff);
  const codes = i32x4.splat(2 * FAR_EXPONENTS);
  for (let i: usize = 0; i < lanes; i += 4) {
    const a = v128.load(raw + (i << 2));
    const b = v128.load(base + (i << 2));
    const d = i32x4.sub(ordered32(a), ordered32(b));
    const size = i32x4.abs(d);
    let rest = size;
    let symbol = nearSymbols(d, size, b);
    const far = i32x4.gt_u(size, octave);
    if (v128.any_true(far)) {
      const to = v128.and(i32x4.shr_u(a, FAR_BITS), i32x4.splat(0x1ff));
      const from = v128.and(i32x4.shr_u(b, FAR_BITS), i32x4.splat(0x1fe));
      const code = i32x4.add(i32x4.sub(to, from), i32x4.splat(2 * FAR_BELOW));
      const inside = i32x4.lt_u(code, codes);
      const flip = v128.and(i32x4.shr_s(v128.xor(a, b), 31), codes);
      const coded = i32x4.add(i32x4.add(code, i32x4.splat(FAR)), flip);
      const bits = v128.bitselect(v128.and(a, i32x4.splat((1 << FAR_BITS) - 1)), a, inside);
      rest = v128.bitselect(bits, size, far);
      symbol = v128.bitselect(v128.bitselect(coded, i32x4.splat(ESCAPE), inside), symbol, far);
    }
    v128.store(sizes + (i << 2), rest);
    v128.store32_lane(symbols + i, narrowed(symbol, symbol, symbol, symbol), 0);
  }
}

export function restBits(symbol: u32): u32 {
  return <u32>max<i32>(<i32>(symbol >> 3) - 1, 0);
}

export function farRestBits(symbol: u32): u32 {
  return select<u32>(32, min<u32>(restBits(symbol), FAR_BITS), symbol == ESCAPE);
}

export function restBits16(symbols: v128): v128 {
  return i8x16.sub_sat_u(i8x16.shr_u(symbols, 3), i8x16.splat(1));
}

// Bits apart of 16 lanes, a byte each.
export function farRestBits16(symbols: v128): v128 {
  const near = i8x16.min_u(restBits16(symbols), i8x16.splat(<i8>FAR_BITS));
  return i8x16.add(
    near,
    v128.and(i8x16.eq(symbols, i8x16.splat(<i8>ESCAPE)), i8x16.splat(32 - <i8>FAR_BITS)),
  );
}

// Two lanes at a time, unless one of them is escaped: their bits and those that are pending fit 64.
export function packFarRests(symbols: usize, sizes: usize, lanes: usize, rests: usize): usize {
  let out = rests;
  let pending: u64 = 0;
  let count: u32 = 0;
  for (let i: usize = 0; i < lanes; i += 8) {
    let widths = i64x2.extract_lane(farRestBits16(v128.load64_zero(symbols + i)), 0);
    const end = min<usize>(i + 8, lanes);
    for (let lane = i; lane < end; lane += 2) {
      const first = <u32>widths & 255;
      const second = lane + 1 < end ? <u32>(widths >> 8) & 255 : 0;
      widths >>= 16;
      const low = <u64>load<u32>(sizes + (lane << 2)) & (((<u64>1) << first) - 1);
      const high = <u64>load<u32>(sizes + (lane << 2), 4) & (((<u64>1) << second) - 1);
      if (((first | second) & 32) == 0) {
        pending |= (low | (high << first)) << count;
        count += first + second;
      } else {
        pending |= low << count;
        count += first;
        store<u64>(out, pending);
        out += count >> 3;
        pending >>= count & ~7;
        count &= 7;
        pending |= high << count;
        count += second;
      }
      store<u64>(out, pending);
      out += count >> 3;
      pending >>= count & ~7;
      count &= 7;
    }
  }
  return out - rests + <usize>(count > 0);
}

// Writes sizes, and the bits of far lanes, and returns the bits read, as unpackRests does.
export function unpackFarRests(symbols: usize, rests: usize, lanes: usize, sizes: usize): usize {
  let position: usize = 0;
  for (let i: usize = 0; i < lanes; i++) {
    const symbol = <u32>load<u8>(symbols + i);
    const level = symbol >> 1;
    const bits = farRestBits(symbol);
    const rest = <u32>((load<u64>(rests + (position >> 3)) >> (position & 7)) & (((<u64>1) << bits) - 1));
    const top = select<u32>(level, 4 + (level & 3), level < 4);
    store<u32>(sizes + (i << 2), select<u32>((top << bits) + rest, rest, symbol < <u32>FAR));
    position += bits;
  }
  return position;
}

export function mergeFarClasses32(symbols: usize, sizes: usize, base: usize, lanes: usize, raw: usize): void {
  for (let i: usize = 0; i < lanes; i += 4) {
    const b = v128.load(base + (i << 2));
    const near = ordered32(i32x4.add(differences(symbols + i, sizes + (i << 2), b), ordered32(b)));
    const s = i32x4.extend_low_i16x8_u(i16x8.extend_low_i8x16_u(v128.load32_zero(symbols + i)));
    const far = i32x4.gt_s(s, i32x4.splat(FAR - 1));
    if (!v128.any_true(far)) {
      v128.store(raw + (i << 2), near);
      continue;
    }
    const code = i32x4.sub(s, i32x4.splat(FAR));
    const row = i32x4.shr_u(code, 1);
    const flip = i32x4.gt_s(row, i32x4.splat(FAR_EXPONENTS - 1));
    const level = i32x4.sub(row, v128.and(flip, i32x4.splat(FAR_EXPONENTS)));
    const change = i32x4.sub(level, i32x4.splat(FAR_BELOW));
    const exponent = v128.and(i32x4.add(i32x4.shr_u(b, 23), change), i32x4.splat(255));
    const sign = i32x4.shl(i32x4.shr_u(v128.xor(b, flip), 31), 31);
    const rest = v128.load(sizes + (i << 2));
    const top = i32x4.shl(v128.and(code, i32x4.splat(1)), FAR_BITS);
    const lane = v128.or(v128.or(sign, i32x4.shl(exponent, 23)), v128.or(top, rest));
    const exact = v128.bitselect(rest, lane, i32x4.eq(s, i32x4.splat(ESCAPE)));
    v128.store(raw + (i << 2), v128.bitselect(exact, near, far));
  }
}

// Packs the lower bits of the sizes and returns the bytes written; up to 8 more are overwritten.
export function packRests(symbols: usize, sizes: usize, lanes: usize, rests: usize): usize {
  let out = rests;
  let pending: u64 = 0;
  let count: u32 = 0;
  for (let i: usize = 0; i < lanes; i++) {
    if ((i & 15) == 0 && i + 16 <= lanes && arePlain(v128.load(symbols + i))) {
      i += 15;
      continue;
    }
    const bits = restBits(load<u8>(symbols + i));
    pending |= (<u64>(load<u32>(sizes + (i << 2)) & ((1 << bits) - 1))) << count;
    count += bits;
    store<u64>(out, pending);
    out += count >> 3;
    pending >>= count & ~7;
    count &= 7;
  }
  return out - rests + <usize>(count > 0);
}

function add(counter: usize, change: i32): void {
  store<i32>(counter, load<i32>(counter) + change);
}

// Adds to `counts`, 256 u32 for each exponent; `histogram` is that of the exponents: all lanes count as 0 first.
export function countClasses(
  symbols: usize,
  exponents: usize,
  lanes: usize,
  histogram: usize,
  counts: usize,
): void {
  for (let exponent: usize = 0; exponent < 256; exponent++) {
    add(counts + (exponent << 10), load<i32>(histogram + (exponent << 2)));
  }
  for (let i: usize = 0; i < lanes; i += 16) {
    let changed = <u32>i8x16.bitmask(i8x16.ne(v128.load(symbols + i), i8x16.splat(0)));
    if (lanes - i < 16) changed &= (1 << (<u32>(lanes - i))) - 1;
    for (; changed != 0; changed &= changed - 1) {
      const lane = i + <usize>ctz<u32>(changed);
      const row = counts + ((<usize>load<u8>(exponents + lane)) << 10);
      add(row, -1);
      add(row + ((<usize>load<u8>(symbols + lane)) << 2), 1);
    }
  }
}

function storeSizes(sizes: v128, to: usize): void {
  const low = i16x8.extend_low_i8x16_u(sizes);
  const high = i16x8.extend_high_i8x16_u(sizes);
  v128.store(to, i32x4.extend_low_i16x8_u(low));
  v128.store(to, i32x4.extend_high_i16x8_u(low), 16);
  v128.store(to, i32x4.extend_low_i16x8_u(high), 32);
  v128.store(to, i32x4.extend_high_i16x8_u(high), 48);
}

// Writes the sizes and returns the bits read, which may lie past what the caller put there.
export function unpackRests(symbols: usize, rests: usize, lanes: usize, sizes: usize): usize {
  let position: usize = 0;
  for (let i: usize = 0; i < lanes; i++) {
    if ((i & 15) == 0 && i + 16 <= lanes) {
      const plain = v128.load(symbols + i);
      if (arePlain(plain)) {
        storeSizes(i8x16.shr_u(plain, 1), sizes + (i << 2));
        i += 15;
        continue;
      }
    }
    const symbol = <u32>load<u8>(symbols + i);
    const level = symbol >> 1;
    const bits = restBits(symbol);
    const rest = <u32>(load<u64>(rests + (position >> 3)) >> (position & 7)) & ((1 << bits) - 1);
    const top = select<u32>(level, 4 + (level & 3), level < 4);
    store<u32>(sizes + (i << 2), (top << bits) + rest);
    position += bits;
  }
  return position;
}

// The signed difference of four lanes; `b` need only have the sign of the base.
function differences(symbols: usize, sizes: usize, b: v128): v128 {
  const bytes = i16x8.extend_low_i8x16_u(v128.load32_zero(symbols));
  const sign = i32x4.shr_s(v128.xor(i32x4.shl(i32x4.extend_low_i16x8_u(bytes), 31), b), 31);
  return i32x4.sub(v128.xor(v128.load(sizes), sign), sign);
}

function lowBytes16(symbols: usize, sizes: usize, b: v128): v128 {
  const mask = i32x4.splat(0xff);
  const low = v128.and(differences(symbols, sizes, i32x4.extend_low_i16x8_s(b)), mask);
  const high = v128.and(differences(symbols + 4, sizes + 16, i32x4.extend_high_i16x8_s(b)), mask);
  return i16x8.narrow_i32x4_s(low, high);
}

export function mergeClasses8(symbols: usize, sizes: usize, base: usize, lanes: usize, raw: usize): void {
  for (let i: usize = 0; i < lanes; i += 16) {
    const b = v128.load(base + i);
    const low = lowBytes16(symbols + i, sizes + (i << 2), i16x8.extend_low_i8x16_s(b));
    const high = lowBytes16(symbols + i + 8, sizes + (i << 2) + 32, i16x8.extend_high_i8x16_s(b));
    v128.store(raw + i, ordered8(i8x16.add(i8x16.narrow_i16x8_u(low, high), ordered8(b))));
  }
}

export function mergeClasses16(symbols: usize, sizes: usize, base: usize, lanes: usize, raw: usize): void {
  const mask = i16x8.splat(0x7fff);
  for (let i: usize = 0; i < lanes; i += 8) {
    const b = v128.load(base + (i << 1));
    const low = differences(symbols + i, sizes + (i << 2), i32x4.extend_low_i16x8_s(b));
    const high = differences(symbols + i + 4, sizes + (i << 2) + 16, i32x4.extend_high_i16x8_s(b));
    const d = v128.shuffle<u16>(low, high, 0, 2, 4, 6, 8, 10, 12, 14);
    const o = i16x8.add(d, v128.xor(b, v128.and(i16x8.shr_s(b, 15), mask)));
    v128.store(raw + (i << 1), v128.xor(o, v128.and(i16x8.shr_s(o, 15), mask)));
  }
}

export function mergeClasses32(symbols: usize, sizes: usize, base: usize, lanes: usize, raw: usize): void {
  for (let i: usize = 0; i < lanes; i += 4) {
    const b = v128.load(base + (i << 2));
    const o = i32x4.add(differences(symbols + i, sizes + (i << 2), b), ordered32(b));
    v128.store(raw + (i << 2), ordered32(o));
  }
}
