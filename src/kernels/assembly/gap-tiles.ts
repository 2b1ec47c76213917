// Tiles of 64 lanes: which of them differ, and of which level they are. Reads whole tiles.
// Only static methods can be inlined: calls would take as long as what they do.

export const TILE: usize = 64;
export const DENSE: u32 = 8;

// So many lanes are looked at together: what is known of them stays in the nearest cache.
export const STRIP: usize = 64 * TILE;

// What is known of a strip. Masks of each tile: lanes of sparse levels, and lanes whose level has each of its lower bits,
// from the highest one on. Lanes of each of 8 sparse levels, 16 bits each, before each tile, and at the end.
const MASK_BYTES: usize = 32;
const TOTALS: usize = 64 * MASK_BYTES;
const TOTAL_BYTES: usize = 16;
export const STRIP_BYTES: usize = TOTALS + 65 * TOTAL_BYTES;

export class Tiles {
  // Where the masks of a tile are.
  @inline
  static masksAt(strip: usize, tile: usize): usize {
    return strip + tile * MASK_BYTES;
  }

  // Where the lanes of each level before a tile are.
  @inline
  static totalsAt(strip: usize, tile: usize): usize {
    return strip + TOTALS + tile * TOTAL_BYTES;
  }

  @inline
  static bits(a: v128, b: v128, c: v128, d: v128): u64 {
    return (
      <u64>(<u32>(i8x16.bitmask(a) | (i8x16.bitmask(b) << 16))) |
      ((<u64>(<u32>(i8x16.bitmask(c) | (i8x16.bitmask(d) << 16)))) << 32)
    );
  }

  @inline
  static place(to: usize, a: v128, b: v128, c: v128, d: v128): void {
    store<u16>(to, <u16>i8x16.bitmask(a));
    store<u16>(to, <u16>i8x16.bitmask(b), 2);
    store<u16>(to, <u16>i8x16.bitmask(c), 4);
    store<u16>(to, <u16>i8x16.bitmask(d), 6);
  }

  // Which of the lanes of a tile differ.
  @inline
  static changes<T>(raw: usize, base: usize): u64 {
    return Tiles.bits(
      Tiles.changes16<T>(raw, base),
      Tiles.changes16<T>(raw + 16 * sizeof<T>(), base + 16 * sizeof<T>()),
      Tiles.changes16<T>(raw + 32 * sizeof<T>(), base + 32 * sizeof<T>()),
      Tiles.changes16<T>(raw + 48 * sizeof<T>(), base + 48 * sizeof<T>()),
    );
  }

  @inline
  static changes16<T>(raw: usize, base: usize): v128 {
    if (sizeof<T>() == 2) {
      return i8x16.narrow_i16x8_s(
        i16x8.ne(v128.load(raw), v128.load(base)),
        i16x8.ne(v128.load(raw, 16), v128.load(base, 16)),
      );
    }
    return i8x16.narrow_i16x8_s(
      i16x8.narrow_i32x4_s(
        i32x4.ne(v128.load(raw), v128.load(base)),
        i32x4.ne(v128.load(raw, 16), v128.load(base, 16)),
      ),
      i16x8.narrow_i32x4_s(
        i32x4.ne(v128.load(raw, 32), v128.load(base, 32)),
        i32x4.ne(v128.load(raw, 48), v128.load(base, 48)),
      ),
    );
  }

  // The exponents of as many lanes as fit.
  @inline
  static exponents<T>(base: usize, shift: i32, ones: i32): v128 {
    return sizeof<T>() == 2
      ? v128.and(i16x8.shr_u(v128.load(base), shift), i16x8.splat(<i16>ones))
      : v128.and(i32x4.shr_u(v128.load(base), shift), i32x4.splat(ones));
  }

  // The levels of 16 lanes, in the upper bits of bytes.
  @inline
  static levels<T>(base: usize, shift: i32, ones: i32, low: v128, top: v128): v128 {
    const first = Tiles.exponents<T>(base, shift, ones);
    const second = Tiles.exponents<T>(base + 16, shift, ones);
    let exponents: v128;
    if (sizeof<T>() == 2) exponents = i8x16.narrow_i16x8_u(first, second);
    else {
      const third = Tiles.exponents<T>(base + 32, shift, ones);
      const fourth = Tiles.exponents<T>(base + 48, shift, ones);
      exponents = i8x16.narrow_i16x8_u(
        i16x8.narrow_i32x4_s(first, second),
        i16x8.narrow_i32x4_s(third, fourth),
      );
    }
    const levels = i8x16.sub_sat_u(i8x16.add_sat_u(exponents, i8x16.splat(<i8>DENSE)), low);
    return i16x8.shl(i8x16.min_u(levels, top), 4);
  }

  // Those of some lanes that are among others, if any are; else all.
  @inline
  static preferred(lanes: u64, others: u64): u64 {
    const both = lanes & others;
    return both | (lanes & (<u64>(both != 0) - 1));
  }

  // Lanes of a sparse level, given the masks of their tile.
  @inline
  static same(sparse: u64, bit2: u64, bit1: u64, bit0: u64, level: u32): u64 {
    const not2 = <u64>((level >> 2) & 1) - 1;
    const not1 = <u64>((level >> 1) & 1) - 1;
    const not0 = <u64>(level & 1) - 1;
    return sparse & (bit2 ^ not2) & (bit1 ^ not1) & (bit0 ^ not0);
  }

  @inline
  static lanesOf(masks: usize, level: u32): u64 {
    return Tiles.same(
      load<u64>(masks),
      load<u64>(masks, 8),
      load<u64>(masks, 16),
      load<u64>(masks, 24),
      level,
    );
  }

  // The lanes without and with a bit, 16 bits each.
  @inline
  static counts(lanes: u64, bit: u64): u64 {
    const set = lanes & bit;
    return popcnt<u64>(lanes ^ set) | (popcnt<u64>(set) << 16);
  }

  @inline
  static placeMasks<T>(
    base: usize,
    tiles: usize,
    shift: i32,
    ones: i32,
    low: v128,
    top: v128,
    strip: usize,
  ): void {
    for (let tile: usize = 0; tile < tiles; tile++) {
      const from = base + tile * TILE * sizeof<T>();
      const to = Tiles.masksAt(strip, tile);
      let l0 = Tiles.levels<T>(from, shift, ones, low, top);
      let l1 = Tiles.levels<T>(from + 16 * sizeof<T>(), shift, ones, low, top);
      let l2 = Tiles.levels<T>(from + 32 * sizeof<T>(), shift, ones, low, top);
      let l3 = Tiles.levels<T>(from + 48 * sizeof<T>(), shift, ones, low, top);
      Tiles.place(to, l0, l1, l2, l3);
      l0 = i8x16.add(l0, l0);
      l1 = i8x16.add(l1, l1);
      l2 = i8x16.add(l2, l2);
      l3 = i8x16.add(l3, l3);
      Tiles.place(to + 8, l0, l1, l2, l3);
      l0 = i8x16.add(l0, l0);
      l1 = i8x16.add(l1, l1);
      l2 = i8x16.add(l2, l2);
      l3 = i8x16.add(l3, l3);
      Tiles.place(to + 16, l0, l1, l2, l3);
      l0 = i8x16.add(l0, l0);
      l1 = i8x16.add(l1, l1);
      l2 = i8x16.add(l2, l2);
      l3 = i8x16.add(l3, l3);
      Tiles.place(to + 24, l0, l1, l2, l3);
    }
  }
}

function placeTotals(tiles: usize, strip: usize): void {
  let lower: u64 = 0;
  let upper: u64 = 0;
  for (let tile: usize = 0; tile < tiles; tile++) {
    const masks = Tiles.masksAt(strip, tile);
    const totals = Tiles.totalsAt(strip, tile);
    store<u64>(totals, lower);
    store<u64>(totals, upper, 8);
    const sparse = load<u64>(masks);
    const bit1 = load<u64>(masks, 16);
    const bit0 = load<u64>(masks, 24);
    const half1 = sparse & load<u64>(masks, 8);
    const half0 = sparse ^ half1;
    const quarter3 = half1 & bit1;
    const quarter2 = half1 ^ quarter3;
    const quarter1 = half0 & bit1;
    const quarter0 = half0 ^ quarter1;
    lower += Tiles.counts(quarter0, bit0) + (Tiles.counts(quarter1, bit0) << 32);
    upper += Tiles.counts(quarter2, bit0) + (Tiles.counts(quarter3, bit0) << 32);
  }
  const totals = Tiles.totalsAt(strip, tiles);
  store<u64>(totals, lower);
  store<u64>(totals, upper, 8);
}

// Looks at a strip of `lanes` lanes.
export function lookAt<T>(base: usize, lanes: usize, bits: i32, low: i32, contexts: i32, strip: usize): void {
  const tiles = (lanes + TILE - 1) / TILE;
  const lowest = i8x16.splat(<i8>low);
  const top = i8x16.splat(<i8>(contexts + 7));
  // Shifts by what is known when this is compiled are fast.
  if (sizeof<T>() == 4) Tiles.placeMasks<T>(base, tiles, 23, 255, lowest, top, strip);
  else if (bits == 8) Tiles.placeMasks<T>(base, tiles, 7, 255, lowest, top, strip);
  else Tiles.placeMasks<T>(base, tiles, 10, 31, lowest, top, strip);
  if (lanes % TILE != 0) {
    const last = Tiles.masksAt(strip, tiles - 1);
    store<u64>(last, load<u64>(last) & lanesLeft(lanes % TILE));
  }
  placeTotals(tiles, strip);
}

export function ordered<T>(lane: i32): i32 {
  return lane ^ ((lane >> 31) & (sizeof<T>() == 2 ? 0x7fff : 0x7fffffff));
}

export function differenceAt<T>(raw: usize, base: usize): i32 {
  const d = ordered<T>(<i32>load<T>(raw)) - ordered<T>(<i32>load<T>(base));
  return sizeof<T>() == 2 ? (d << 16) >> 16 : d;
}

export function levelAt<T>(base: usize, bits: i32, low: i32, top: i32): u32 {
  const shift = <i32>(8 * sizeof<T>()) - 1 - bits;
  const exponent = (<i32>load<T>(base) >> shift) & ((1 << bits) - 1);
  return <u32>min<i32>(max<i32>(exponent + 8 - low, 0), top);
}

// The lanes of a tile that are in the block.
export function lanesLeft(left: usize): u64 {
  return left >= TILE ? u64.MAX_VALUE : ((<u64>1) << left) - 1;
}
