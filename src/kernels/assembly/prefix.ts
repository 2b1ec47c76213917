// Prefix codes of residuals of 32-bit floats; the formulas are in ../reference-prefix.ts. A lane is one number: its
// symbol's code above its raw bits, so that the encoder adds a table entry and the decoder masks.
//
// Encode entry, i32 a symbol: ((code - 1) << k) * 64 + bits.  v has its highest bit at k, so v + ((code - 1) << k) is the
// code followed by the k bits of v below.
// Decode entry, u32 for each 9 bits of a context: (2^k - 1) << 16 | (64 - bits) << 8 | bits; shifts take counts modulo 64.

const SYMBOLS: usize = 17;
const CONTEXTS: usize = 15;
const CODE_BITS: u32 = 9;

// Builds the entries of all symbols from the lengths of their codes: canonical, short codes and small symbols first.
export function buildPrefixEncode(lengths: usize, table: usize): void {
  for (let context: usize = 0; context < CONTEXTS; context++) {
    let code: u32 = 0;
    for (let length: u32 = 1; length <= CODE_BITS; length++) {
      for (let k: usize = 0; k < SYMBOLS; k++) {
        const at = context * SYMBOLS + k;
        if (<u32>load<u8>(lengths + at) != length) continue;
        const above = (<i32>code - 1) << (<i32>k);
        store<i32>(table + (at << 2), above * 64 + <i32>length + <i32>k);
        code++;
      }
      code <<= 1;
    }
  }
}

export function buildPrefixDecode(lengths: usize, table: usize): void {
  let to = table;
  for (let context: usize = 0; context < CONTEXTS; context++) {
    for (let length: u32 = 1; length <= CODE_BITS; length++) {
      for (let k: usize = 0; k < SYMBOLS; k++) {
        if (<u32>load<u8>(lengths + context * SYMBOLS + k) != length) continue;
        const bits = length + <u32>k;
        const entry = (((1 << (<u32>k)) - 1) << 16) | ((64 - bits) << 8) | bits;
        const end = to + ((<usize>4) << (CODE_BITS - length));
        for (; to < end; to += 4) store<u32>(to, entry);
      }
    }
  }
}

function ordered(x: v128): v128 {
  return v128.xor(x, i32x4.shr_u(i32x4.shr_s(x, 31), 1));
}

function residual(raw: usize, base: usize): v128 {
  const d = i32x4.sub(ordered(v128.load(raw)), ordered(v128.load(base)));
  return v128.xor(i32x4.shl(d, 1), i32x4.shr_s(d, 31));
}

function narrowed(a: v128, b: v128, c: v128, d: v128): v128 {
  return i8x16.narrow_i16x8_u(i16x8.narrow_i32x4_s(a, b), i16x8.narrow_i32x4_s(c, d));
}

function exponent(base: usize): v128 {
  return v128.and(i32x4.shr_u(v128.load(base), 23), i32x4.splat(255));
}

// The contexts of 16 lanes; `first` is of bytes.
function contexts(base: usize, first: v128): v128 {
  const e = narrowed(exponent(base), exponent(base + 16), exponent(base + 32), exponent(base + 48));
  return i8x16.min_u(i8x16.sub_sat_u(e, first), i8x16.splat(14));
}

// The exponents of values v = upper + 1 as floats: exact up to 2^24.
function magnitude(v: v128): v128 {
  return i32x4.shr_u(f32x4.convert_i32x4_s(v), 23);
}

// The symbols of 16 lanes: 17 x context + class, which is the exponent of the value, at most 16.
function symbolsOf(contexts: v128, a: v128, b: v128, c: v128, d: v128): v128 {
  const k = i8x16.sub(narrowed(magnitude(a), magnitude(b), magnitude(c), magnitude(d)), i8x16.splat(127));
  const twice = i8x16.add(contexts, contexts);
  const fourfold = i8x16.add(twice, twice);
  const eightfold = i8x16.add(fourfold, fourfold);
  const all = i8x16.add(i8x16.add(eightfold, eightfold), contexts);
  return i8x16.add(all, i8x16.min_u(k, i8x16.splat(16)));
}

// Values of 2^16 and more keep their lower 16 bits here, and a bit above them, which becomes the code.
function shortened(v: v128): v128 {
  const long = v128.or(v128.and(v, i32x4.splat(0xffff)), i32x4.splat(0x10000));
  return v128.bitselect(long, v, i32x4.gt_s(v, i32x4.splat(0xffff)));
}

function lowBytes(a: v128, b: v128, c: v128, d: v128): v128 {
  const low = v128.shuffle<u8>(a, b, 0, 4, 8, 12, 16, 20, 24, 28, 0, 0, 0, 0, 0, 0, 0, 0);
  const high = v128.shuffle<u8>(c, d, 0, 4, 8, 12, 16, 20, 24, 28, 0, 0, 0, 0, 0, 0, 0, 0);
  return v128.shuffle<u64>(low, high, 0, 2);
}

function storeLow(to: usize, lane: usize, lowSize: i32, a: v128, b: v128, c: v128, d: v128): void {
  if (lowSize == 1) {
    v128.store(to + lane, lowBytes(a, b, c, d));
  } else {
    v128.store(to + (lane << 1), v128.shuffle<u16>(a, b, 0, 2, 4, 6, 8, 10, 12, 14));
    v128.store(to + (lane << 1) + 16, v128.shuffle<u16>(c, d, 0, 2, 4, 6, 8, 10, 12, 14));
  }
}

// Writes the symbols of lanes whose count is a multiple of 16: what statistics are made of.
export function prefixSymbols(
  raw: usize,
  base: usize,
  lanes: usize,
  lowSize: i32,
  firstExponent: i32,
  symbols: usize,
): void {
  const first = i8x16.splat(<i8>firstExponent);
  const one = i32x4.splat(1);
  const shift = lowSize << 3;
  for (let i: usize = 0; i < lanes; i += 16) {
    const r = raw + (i << 2);
    const b = base + (i << 2);
    const v0 = i32x4.add(i32x4.shr_u(residual(r, b), shift), one);
    const v1 = i32x4.add(i32x4.shr_u(residual(r + 16, b + 16), shift), one);
    const v2 = i32x4.add(i32x4.shr_u(residual(r + 32, b + 32), shift), one);
    const v3 = i32x4.add(i32x4.shr_u(residual(r + 48, b + 48), shift), one);
    v128.store(symbols + i, symbolsOf(contexts(b, first), v0, v1, v2, v3));
  }
}

// Writes the low bytes, the symbols and the values of all lanes, and the tops of long values to `tops`; returns how many.
// Every array but `tops` is written in steps of 16 lanes.
export function prefixSplit(
  raw: usize,
  base: usize,
  lanes: usize,
  lowSize: i32,
  firstExponent: i32,
  low: usize,
  symbols: usize,
  values: usize,
  tops: usize,
): usize {
  const first = i8x16.splat(<i8>firstExponent);
  const one = i32x4.splat(1);
  const limit = i32x4.splat(0xffff);
  const shift = lowSize << 3;
  let top = tops;
  for (let i: usize = 0; i < lanes; i += 16) {
    const r = raw + (i << 2);
    const b = base + (i << 2);
    const to = values + (i << 2);
    const z0 = residual(r, b);
    const z1 = residual(r + 16, b + 16);
    const z2 = residual(r + 32, b + 32);
    const z3 = residual(r + 48, b + 48);
    storeLow(low, i, lowSize, z0, z1, z2, z3);
    const v0 = i32x4.add(i32x4.shr_u(z0, shift), one);
    const v1 = i32x4.add(i32x4.shr_u(z1, shift), one);
    const v2 = i32x4.add(i32x4.shr_u(z2, shift), one);
    const v3 = i32x4.add(i32x4.shr_u(z3, shift), one);
    v128.store(symbols + i, symbolsOf(contexts(b, first), v0, v1, v2, v3));
    const most = i32x4.max_s(i32x4.max_s(v0, v1), i32x4.max_s(v2, v3));
    v128.store(to, v0);
    v128.store(to, v1, 16);
    v128.store(to, v2, 32);
    v128.store(to, v3, 48);
    if (!v128.any_true(i32x4.gt_s(most, limit))) continue;
    for (let lane = i; lane < min<usize>(i + 16, lanes); lane++) {
      const value = load<u32>(values + (lane << 2));
      if (value <= 0xffff) continue;
      store<u8>(top++, <u8>((value - 1) >> 16));
    }
    v128.store(to, shortened(v0));
    v128.store(to, shortened(v1), 16);
    v128.store(to, shortened(v2), 32);
    v128.store(to, shortened(v3), 48);
  }
  return top - tops;
}

// Writes lanes first, first + 4, ... as bits, the lowest first, and returns how many; up to 8 more bytes are overwritten.
export function prefixEncode(
  symbols: usize,
  values: usize,
  lanes: usize,
  first: usize,
  table: usize,
  out: usize,
): usize {
  let pending: u64 = 0;
  let count: u64 = 0;
  let to = out;
  let symbol = symbols + first;
  let value = values + (first << 2);
  const end = symbols + lanes;
  for (; symbol + 4 < end; symbol += 8) {
    const e0 = load<i32>(table + ((<usize>load<u8>(symbol)) << 2));
    const e1 = load<i32>(table + ((<usize>load<u8>(symbol, 4)) << 2));
    const v0 = load<u32>(value) + <u32>(e0 >> 6);
    const v1 = load<u32>(value, 16) + <u32>(e1 >> 6);
    pending |= (<u64>v0 | ((<u64>v1) << (<u64>e0))) << count;
    count += <u64>((e0 + e1) & 63);
    store<u64>(to, pending);
    to += <usize>(count >> 3);
    pending >>= count & ~7;
    count &= 7;
    value += 32;
  }
  if (symbol < end) {
    const e0 = load<i32>(table + ((<usize>load<u8>(symbol)) << 2));
    const v0 = load<u32>(value) + <u32>(e0 >> 6);
    pending |= (<u64>v0) << count;
    count += <u64>(e0 & 63);
  }
  store<u64>(to, pending);
  return ((to - out) << 3) + <usize>count;
}

// Writes the place of the decode table of each lane's context, in units of 2^11 bytes.
export function prefixContexts(base: usize, lanes: usize, firstExponent: i32, output: usize): void {
  const first = i8x16.splat(<i8>firstExponent);
  for (let i: usize = 0; i < lanes; i += 16) v128.store(output + i, contexts(base + (i << 2), first));
}

// The 57 and more bits that end at bit `position`, the last one on top.
function bitsBefore(stream: usize, position: i32): u64 {
  return load<u64>(stream + <usize>((position + 7) >> 3) - 8) << (<u64>-position & 7);
}

function entryOf(table: usize, context: usize, bits: u64): u32 {
  return load<u32>(table + ((<usize>load<u8>(context)) << 11) + (<usize>(bits >> 53) & 0x7fc));
}

function storeValue(to: usize, bits: u64, entry: u32): void {
  const mask = entry >> 16;
  store<u32>(to, (<u32>(bits >> (<u64>entry >> 8)) & mask) + mask);
}

// For each of four streams: where it begins, and its bits that are left, u32 each.
function placeStreams(sizes: usize, coded: usize, streams: usize): void {
  let start = coded;
  for (let stream: usize = 0; stream < 16; stream += 4) {
    const bits = load<u32>(sizes + stream);
    store<u32>(streams + stream, <u32>start);
    store<u32>(streams + stream, bits, 16);
    start += (bits + 7) >> 3;
  }
}

// Decodes the last lanes, up to a multiple of 8, and returns how many are left.
function decodeTail(streams: usize, contexts: usize, table: usize, lanes: usize, values: usize): usize {
  let lane = lanes;
  while (lane & 7) {
    lane--;
    const stream = streams + ((lane & 3) << 2);
    const left = load<i32>(stream, 16);
    const bits = bitsBefore(<usize>load<u32>(stream), left);
    const entry = entryOf(table, contexts + lane, bits);
    storeValue(values + (lane << 2), bits, entry);
    store<i32>(stream, left - <i32>(entry & 63), 16);
  }
  return lane;
}

// Decodes four streams, the last lane first: `sizes` holds their bits, u32 each, the streams begin at `coded`, `streams` is
// 32 bytes of scratch. Writes for each lane the value less 1, and returns 1 if all streams were used up. Reads outside the
// streams if they are damaged, at most 52 KB before the first.
export function prefixDecode(
  sizes: usize,
  coded: usize,
  contexts: usize,
  table: usize,
  lanes: usize,
  values: usize,
  streams: usize,
): i32 {
  placeStreams(sizes, coded, streams);
  let lane = decodeTail(streams, contexts, table, lanes, values);
  const a0 = <usize>load<u32>(streams);
  const a1 = <usize>load<u32>(streams, 4);
  const a2 = <usize>load<u32>(streams, 8);
  const a3 = <usize>load<u32>(streams, 12);
  let p0 = load<i32>(streams, 16);
  let p1 = load<i32>(streams, 20);
  let p2 = load<i32>(streams, 24);
  let p3 = load<i32>(streams, 28);
  while (lane > 0) {
    lane -= 8;
    const c = contexts + lane;
    const to = values + (lane << 2);
    let b0 = bitsBefore(a0, p0);
    let b1 = bitsBefore(a1, p1);
    let b2 = bitsBefore(a2, p2);
    let b3 = bitsBefore(a3, p3);
    let e0 = entryOf(table, c + 4, b0);
    let e1 = entryOf(table, c + 5, b1);
    let e2 = entryOf(table, c + 6, b2);
    let e3 = entryOf(table, c + 7, b3);
    storeValue(to + 16, b0, e0);
    storeValue(to + 20, b1, e1);
    storeValue(to + 24, b2, e2);
    storeValue(to + 28, b3, e3);
    p0 -= e0 & 63;
    p1 -= e1 & 63;
    p2 -= e2 & 63;
    p3 -= e3 & 63;
    b0 <<= <u64>e0;
    b1 <<= <u64>e1;
    b2 <<= <u64>e2;
    b3 <<= <u64>e3;
    e0 = entryOf(table, c, b0);
    e1 = entryOf(table, c + 1, b1);
    e2 = entryOf(table, c + 2, b2);
    e3 = entryOf(table, c + 3, b3);
    storeValue(to, b0, e0);
    storeValue(to + 4, b1, e1);
    storeValue(to + 8, b2, e2);
    storeValue(to + 12, b3, e3);
    p0 -= e0 & 63;
    p1 -= e1 & 63;
    p2 -= e2 & 63;
    p3 -= e3 & 63;
  }
  return <i32>((p0 | p1 | p2 | p3) == 0);
}

function restored(upper: v128, low: v128, shift: i32, base: usize): v128 {
  const z = v128.or(i32x4.shl(upper, shift), low);
  const d = v128.xor(i32x4.shr_u(z, 1), i32x4.neg(v128.and(z, i32x4.splat(1))));
  return ordered(i32x4.add(d, ordered(v128.load(base))));
}

function lowOf(low: usize, lane: usize, lowSize: i32): v128 {
  if (lowSize == 2) return v128.load16x4_u(low + (lane << 1));
  return i32x4.extend_low_i16x8_u(i16x8.extend_low_i8x16_u(v128.load32_zero(low + lane)));
}

// Puts lanes together from values less 1, low bytes and the tops of long values, in steps of 8 lanes. Returns the number of
// tops used, or -1 if there are fewer than needed.
export function prefixMerge(
  values: usize,
  low: usize,
  lowSize: i32,
  tops: usize,
  topCount: usize,
  base: usize,
  lanes: usize,
  raw: usize,
): i32 {
  const limit = i32x4.splat(0xfffe);
  const shift = lowSize << 3;
  let used: usize = 0;
  for (let i: usize = 0; i < lanes; i += 8) {
    const at = values + (i << 2);
    const longest = i32x4.max_s(v128.load(at), v128.load(at, 16));
    if (v128.any_true(i32x4.gt_s(longest, limit))) {
      for (let lane = i; lane < min<usize>(i + 8, lanes); lane++) {
        const value = load<u32>(values + (lane << 2));
        if (value <= 0xfffe) continue;
        if (used >= topCount) return -1;
        store<u32>(values + (lane << 2), (value & 0xffff) | ((<u32>load<u8>(tops + used)) << 16));
        used++;
      }
    }
    const b = base + (i << 2);
    const r = raw + (i << 2);
    v128.store(r, restored(v128.load(at), lowOf(low, i, lowSize), shift, b));
    v128.store(r, restored(v128.load(at, 16), lowOf(low, i + 4, lowSize), shift, b + 16), 16);
  }
  return <i32>used;
}
