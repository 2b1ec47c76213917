// Gaps and values of sparse planes. The caller pads the plane with 63 zero bytes. Gap 255: 255 zero bytes, more to come.

const GAP_ESCAPE: usize = 255;

// Writes the streams and returns (number of gap bytes << 32) | number of values.
export function gatherSparse(plane: usize, length: usize, gaps: usize, values: usize): u64 {
  const zero = i8x16.splat(0);
  const end = plane + length;
  let gap = gaps;
  let value = values;
  let from = plane; // the byte after the last non-zero one
  for (let at = plane; at < end; at += 64) {
    const a = v128.load(at);
    const b = v128.load(at, 16);
    const c = v128.load(at, 32);
    const d = v128.load(at, 48);
    if (!v128.any_true(v128.or(v128.or(a, b), v128.or(c, d)))) continue;
    let bits =
      <u64>(<u32>i8x16.bitmask(i8x16.ne(a, zero))) |
      ((<u64>(<u32>i8x16.bitmask(i8x16.ne(b, zero)))) << 16) |
      ((<u64>(<u32>i8x16.bitmask(i8x16.ne(c, zero)))) << 32) |
      ((<u64>(<u32>i8x16.bitmask(i8x16.ne(d, zero)))) << 48);
    do {
      const found = at + <usize>ctz<u64>(bits);
      let zeros = found - from;
      while (zeros >= GAP_ESCAPE) {
        store<u8>(gap++, <u8>GAP_ESCAPE);
        zeros -= GAP_ESCAPE;
      }
      store<u8>(gap++, <u8>zeros);
      store<u8>(value++, load<u8>(found));
      from = found + 1;
      bits &= bits - 1;
    } while (bits != 0);
  }
  return ((<u64>(gap - gaps)) << 32) | <u64>(value - values);
}

// Returns 1 if the streams fit each other and the plane, which is overwritten.
export function scatterSparse(
  gaps: usize,
  gapCount: usize,
  values: usize,
  valueCount: usize,
  plane: usize,
  length: usize,
): i32 {
  memory.fill(plane, 0, length);
  const gapEnd = gaps + gapCount;
  const valueEnd = values + valueCount;
  const end = plane + length;
  let at = plane;
  let value = values;
  for (let gap = gaps; gap < gapEnd; gap++) {
    const zeros = <usize>load<u8>(gap);
    at += zeros;
    if (zeros == GAP_ESCAPE) continue;
    if (at >= end || value >= valueEnd) return 0;
    store<u8>(at++, load<u8>(value++));
  }
  const open = gapCount > 0 && <usize>load<u8>(gapEnd - 1) == GAP_ESCAPE;
  return <i32>(value == valueEnd && !open);
}
