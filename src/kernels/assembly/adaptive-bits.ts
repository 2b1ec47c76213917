// Adaptive bits: the arithmetic coder of ../reference-adaptive-bits.ts. Its registers are globals: one coder at a time.

const USES_MAX: u32 = 62;

let low: u32 = 0;
let high: u32 = 0;
let value: u32 = 0;
let at: usize = 0;
let end: usize = 0;

// Bytes go to `to` upwards.
export function startWriting(to: usize): void {
  low = 0;
  high = u32.MAX_VALUE;
  at = to;
}

// Reads zeros past `until`.
export function startReading(from: usize, until: usize): void {
  low = 0;
  high = u32.MAX_VALUE;
  at = from;
  end = until;
  value = 0;
  for (let i = 0; i < 4; i++) value = (value << 8) | nextByte();
}

// Where the next byte goes to or comes from.
export function bytePosition(): usize {
  return at;
}

function nextByte(): u32 {
  const byte = at < end ? <u32>load<u8>(at) : 0;
  at++;
  return byte;
}

// The arithmetic of one bit. Inlined, as are zeros below where nearly all bits are: a call would take as long as one of them.
class Bit {
  // What a one leaves of the range ends here.
  @inline
  static middle(entry: u32): u32 {
    return low + <u32>((<u64>(high - low) * <u64>(entry >> 8)) >> 16);
  }

  @inline
  static learnt(entry: u32, one: bool): u32 {
    const probability = entry >> 8;
    const uses = entry & 255;
    const rate = 31 - clz<u32>(uses + 2);
    const change = one ? (65535 - probability) >> rate : 0 - (probability >> rate);
    return ((probability + change) << 8) | min<u32>(uses + 1, USES_MAX);
  }
}

export function writeBit(slot: usize, one: bool): void {
  const entry = load<u32>(slot);
  const middle = Bit.middle(entry);
  if (one) high = middle;
  else low = middle + 1;
  store<u32>(slot, Bit.learnt(entry, one));
  writeTops();
}

export function readBit(slot: usize): bool {
  const entry = load<u32>(slot);
  const middle = Bit.middle(entry);
  const one = value <= middle;
  if (one) high = middle;
  else low = middle + 1;
  store<u32>(slot, Bit.learnt(entry, one));
  readTops();
  return one;
}

// Bits that are nearly all zeros.
export class MostlyZeros {
  @inline
  static write(slot: usize): void {
    const entry = load<u32>(slot);
    low = Bit.middle(entry) + 1;
    store<u32>(slot, Bit.learnt(entry, false));
    if ((low ^ high) >> 24 == 0) writeTops();
  }

  @inline
  static read(slot: usize): bool {
    const entry = load<u32>(slot);
    const middle = Bit.middle(entry);
    if (value <= middle) return readBit(slot);
    low = middle + 1;
    store<u32>(slot, Bit.learnt(entry, false));
    if ((low ^ high) >> 24 == 0) readTops();
    return false;
  }
}

// Writes the bytes that both ends of the range begin with.
function writeTops(): void {
  while ((low ^ high) >> 24 == 0) {
    store<u8>(at++, <u8>(high >> 24));
    low <<= 8;
    high = (high << 8) | 255;
  }
}

// Drops these bytes and reads as many.
function readTops(): void {
  while ((low ^ high) >> 24 == 0) {
    low <<= 8;
    high = (high << 8) | 255;
    value = (value << 8) | nextByte();
  }
}

// Writes as few bytes as tell the range, where zeros follow.
export function finishWriting(): void {
  if (low == 0) return;
  for (let kept: u32 = 8; kept <= 32; kept += 8) {
    const told = high & (u32.MAX_VALUE << (32 - kept));
    if (told < low) continue;
    for (let shift: i32 = 24; shift >= 32 - <i32>kept; shift -= 8) store<u8>(at++, <u8>(told >> shift));
    return;
  }
}
