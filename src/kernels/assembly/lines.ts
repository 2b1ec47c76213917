// Which lines of 64 bytes differ.

const LINE: usize = 64;

// Writes 1 or 0 for each line of `length` bytes, the last of which may be shorter.
export function differingLines(a: usize, b: usize, length: usize, marks: usize): void {
  const wideEnd = length & ~(LINE - 1);
  let mark = marks;
  for (let at: usize = 0; at < wideEnd; at += LINE) {
    const first = v128.or(difference(a + at, b + at), difference(a + at + 16, b + at + 16));
    const second = v128.or(difference(a + at + 32, b + at + 32), difference(a + at + 48, b + at + 48));
    store<u8>(mark++, <u8>v128.any_true(v128.or(first, second)));
  }
  if (wideEnd == length) return;
  let differs: u8 = 0;
  for (let at = wideEnd; at < length; at++) differs |= <u8>(load<u8>(a + at) != load<u8>(b + at));
  store<u8>(mark, differs);
}

function difference(a: usize, b: usize): v128 {
  return v128.xor(v128.load(a), v128.load(b));
}
