// Compares at the speed of memory: 128 bytes a step, and whether any of them differ.

export function isSame(a: usize, b: usize, length: usize): i32 {
  const wideEnd = length & ~127;
  let at: usize = 0;
  for (; at < wideEnd; at += 128) {
    const first = v128.or(v128.or(difference(a, b, at), difference(a, b, at + 16)), halfLine(a, b, at + 32));
    const second = v128.or(halfLine(a, b, at + 64), halfLine(a, b, at + 96));
    if (v128.any_true(v128.or(first, second))) return 0;
  }
  for (; at < length; at++) if (load<u8>(a + at) != load<u8>(b + at)) return 0;
  return 1;
}

function difference(a: usize, b: usize, at: usize): v128 {
  return v128.xor(v128.load(a + at), v128.load(b + at));
}

function halfLine(a: usize, b: usize, at: usize): v128 {
  return v128.or(difference(a, b, at), difference(a, b, at + 16));
}
