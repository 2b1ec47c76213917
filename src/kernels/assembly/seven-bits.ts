// Bytes that all have one bit in common, as seven bits each; the formulas are in ../reference-seven-bits.ts. Eight bytes a step: bits
// above the common one move down, then seven-bit groups move together by halves.

function withoutBit(x: u64, low: u64): u64 {
  let y = (x & low) | ((x >> 1) & (low ^ 0x7f7f7f7f7f7f7f7f));
  y = (y & 0x007f007f007f007f) | ((y & 0x7f007f007f007f00) >> 1);
  y = (y & 0x00003fff00003fff) | ((y & 0x3fff00003fff0000) >> 2);
  return (y & 0x000000000fffffff) | ((y & 0x0fffffff00000000) >> 4);
}

function withBit(x: u64, low: u64, common: u64): u64 {
  let y = (x & 0x000000000fffffff) | ((x & 0x00fffffff0000000) << 4);
  y = (y & 0x00003fff00003fff) | ((y & 0x0fffc0000fffc000) << 2);
  y = (y & 0x007f007f007f007f) | ((y & 0x3f803f803f803f80) << 1);
  return (y & low) | ((y & (low ^ 0x7f7f7f7f7f7f7f7f)) << 1) | common;
}

function lowBits(bit: u32): u64 {
  return (((<u64>1) << bit) - 1) * 0x0101010101010101;
}

// Writes ceil(7 * length / 8) bytes, and up to 7 more.
export function packSeven(bytes: usize, length: usize, bit: u32, out: usize): void {
  const low = lowBits(bit);
  let to = out;
  let at: usize = 0;
  for (; at + 8 <= length; at += 8) {
    store<u64>(to, withoutBit(load<u64>(bytes + at), low));
    to += 7;
  }
  if (at < length)
    store<u64>(to, withoutBit(load<u64>(bytes + at) & (((<u64>1) << ((length - at) << 3)) - 1), low));
}

// Fills `out`, and up to 7 bytes more; `coded` may be read one byte further. Returns 1 if the bits that are left over are 0.
export function unpackSeven(coded: usize, length: usize, bit: u32, value: u32, out: usize): i32 {
  const low = lowBits(bit);
  const common = ((<u64>value) << bit) * 0x0101010101010101;
  let from = coded;
  let at: usize = 0;
  for (; at + 8 <= length; at += 8) {
    store<u64>(out + at, withBit(load<u64>(from), low, common));
    from += 7;
  }
  const rest = length - at;
  if (rest == 0) return 1;
  const bits = 7 * rest;
  const last = load<u64>(from) & (((<u64>1) << (((bits + 7) >> 3) << 3)) - 1);
  store<u64>(out + at, withBit(last, low, common));
  return <i32>(last >> bits == 0);
}
