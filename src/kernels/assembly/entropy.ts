// rANS over bytes, order 0, one or four interleaved 31-bit states; the formulas are in ../reference-entropy.ts.
//
// Encode entry, 16 bytes a symbol: limit u32 = f << 19, reciprocal u32, bias u32, 4096 - f u16, shift u16.
//   floor(x / f) = (x * reciprocal) >> 32 >> shift, exact for x < 2^31 (R. Alverson, "Integer division using reciprocals")
// Decode entry, u32 a slot: symbol | f << 8 | (slot - start) << 20. f < 4096 always.
// A renormalisation moves at most one word, so it is done without a branch.

const STATE_MIN: u32 = 1 << 15;

export function buildEncodeTable(frequencies: usize, table: usize): void {
  let start: u32 = 0;
  for (let symbol: usize = 0; symbol < 256; symbol++) {
    const f: u32 = load<u16>(frequencies + (symbol << 1));
    const entry = table + (symbol << 4);
    store<u32>(entry, f << 19);
    store<u16>(entry + 12, <u16>(4096 - f));
    if (f < 2) {
      store<u32>(entry + 4, 0xffffffff);
      store<u32>(entry + 8, start + 4095);
      store<u16>(entry + 14, 0);
    } else {
      const shift = 32 - clz<u32>(f - 1);
      store<u32>(entry + 4, <u32>((((<u64>1) << (shift + 31)) + f - 1) / f));
      store<u32>(entry + 8, start);
      store<u16>(entry + 14, <u16>(shift - 1));
    }
    start += f;
  }
}

export function buildDecodeTable(frequencies: usize, table: usize): void {
  let slot = table;
  for (let symbol: usize = 0; symbol < 256; symbol++) {
    const f: u32 = load<u16>(frequencies + (symbol << 1));
    let entry: u32 = <u32>symbol | (f << 8);
    for (let i: u32 = 0; i < f; i++) {
      store<u32>(slot, entry);
      entry += 1 << 20;
      slot += 4;
    }
  }
}

export function encoded(state: u32, entry: usize): u32 {
  const quotient = <u32>((<u64>state * <u64>load<u32>(entry, 4)) >> 32) >> <u32>load<u16>(entry, 14);
  return state + load<u32>(entry, 8) + quotient * <u32>load<u16>(entry, 12);
}

function entryOf(table: usize, byte: usize): usize {
  return table + ((<usize>load<u8>(byte)) << 4);
}

// Both encoders write downwards from `end`, below which length + 16 bytes are free, and return the number of bytes
// written or -1 where it would exceed `length`.

export function encode1(bytes: usize, length: usize, table: usize, end: usize): i32 {
  let state = STATE_MIN;
  let out = end;
  for (let at = bytes + length; at > bytes; ) {
    at--;
    const entry = entryOf(table, at);
    const full = <u32>(state >= load<u32>(entry));
    store<u16>(out - 2, <u16>state);
    out -= full << 1;
    state = encoded(state >> (full << 4), entry);
    if (end - out > length) return -1;
  }
  out -= 4;
  store<u32>(out, state);
  return end - out > length ? -1 : <i32>(end - out);
}

export function encode4(bytes: usize, length: usize, table: usize, end: usize): i32 {
  let s0 = STATE_MIN;
  let s1 = STATE_MIN;
  let s2 = STATE_MIN;
  let s3 = STATE_MIN;
  let out = end;
  let at = bytes + (length & ~3);
  const tail = length & 3;
  if (tail > 2) s2 = encoded(s2, entryOf(table, at + 2));
  if (tail > 1) s1 = encoded(s1, entryOf(table, at + 1));
  if (tail > 0) s0 = encoded(s0, entryOf(table, at));
  while (at > bytes) {
    at -= 4;
    let entry = entryOf(table, at + 3);
    let full = <u32>(s3 >= load<u32>(entry));
    store<u16>(out - 2, <u16>s3);
    out -= full << 1;
    s3 = encoded(s3 >> (full << 4), entry);

    entry = entryOf(table, at + 2);
    full = <u32>(s2 >= load<u32>(entry));
    store<u16>(out - 2, <u16>s2);
    out -= full << 1;
    s2 = encoded(s2 >> (full << 4), entry);

    entry = entryOf(table, at + 1);
    full = <u32>(s1 >= load<u32>(entry));
    store<u16>(out - 2, <u16>s1);
    out -= full << 1;
    s1 = encoded(s1 >> (full << 4), entry);

    entry = entryOf(table, at);
    full = <u32>(s0 >= load<u32>(entry));
    store<u16>(out - 2, <u16>s0);
    out -= full << 1;
    s0 = encoded(s0 >> (full << 4), entry);

    if (end - out > length) return -1;
  }
  out -= 16;
  store<u32>(out, s0);
  store<u32>(out, s1, 4);
  store<u32>(out, s2, 8);
  store<u32>(out, s3, 12);
  return end - out > length ? -1 : <i32>(end - out);
}

function entryAt(table: usize, state: u32): u32 {
  return load<u32>(table + ((state & 4095) << 2));
}

export function decoded(state: u32, entry: u32): u32 {
  return ((entry >> 8) & 4095) * (state >> 12) + (entry >> 20);
}

export function isState(state: u32): bool {
  return state >= STATE_MIN && <i32>state > 0;
}

// Both decoders read at most 8 bytes past `end`, which the window leaves free, and return 1 if the stream was whole.

export function decode1(coded: usize, end: usize, table: usize, output: usize, length: usize): i32 {
  let state = load<u32>(coded);
  if (!isState(state)) return 0;
  let at = coded + 4;
  for (let out = output; out < output + length; out++) {
    const entry = entryAt(table, state);
    store<u8>(out, <u8>entry);
    state = decoded(state, entry);
    const low = state < STATE_MIN;
    state = select<u32>((state << 16) | <u32>load<u16>(at), state, low);
    at += (<usize>low) << 1;
    if (at > end) return 0;
  }
  return <i32>(at == end && state == STATE_MIN);
}

export function decode4(coded: usize, end: usize, table: usize, output: usize, length: usize): i32 {
  let s0 = load<u32>(coded);
  let s1 = load<u32>(coded, 4);
  let s2 = load<u32>(coded, 8);
  let s3 = load<u32>(coded, 12);
  if (!isState(s0) || !isState(s1) || !isState(s2) || !isState(s3)) return 0;
  let at = coded + 16;
  let out = output;
  const wideEnd = output + (length & ~3);
  for (; out < wideEnd; out += 4) {
    const e0 = entryAt(table, s0);
    const e1 = entryAt(table, s1);
    const e2 = entryAt(table, s2);
    const e3 = entryAt(table, s3);
    store<u32>(out, (e0 & 0xff) | ((e1 & 0xff) << 8) | ((e2 & 0xff) << 16) | (e3 << 24));
    s0 = decoded(s0, e0);
    s1 = decoded(s1, e1);
    s2 = decoded(s2, e2);
    s3 = decoded(s3, e3);

    let low = s0 < STATE_MIN;
    s0 = select<u32>((s0 << 16) | <u32>load<u16>(at), s0, low);
    at += (<usize>low) << 1;
    low = s1 < STATE_MIN;
    s1 = select<u32>((s1 << 16) | <u32>load<u16>(at), s1, low);
    at += (<usize>low) << 1;
    low = s2 < STATE_MIN;
    s2 = select<u32>((s2 << 16) | <u32>load<u16>(at), s2, low);
    at += (<usize>low) << 1;
    low = s3 < STATE_MIN;
    s3 = select<u32>((s3 << 16) | <u32>load<u16>(at), s3, low);
    at += (<usize>low) << 1;
    if (at > end) return 0;
  }
  // The encoder codes these before any other with fresh states, which cannot be full: no word belongs to them.
  const tail = length & 3;
  if (tail > 0) s0 = last(s0, table, out);
  if (tail > 1) s1 = last(s1, table, out + 1);
  if (tail > 2) s2 = last(s2, table, out + 2);
  const whole = s0 == STATE_MIN && s1 == STATE_MIN && s2 == STATE_MIN && s3 == STATE_MIN;
  return <i32>(at == end && whole);
}

function last(state: u32, table: usize, out: usize): u32 {
  const entry = entryAt(table, state);
  store<u8>(out, <u8>entry);
  return decoded(state, entry);
}
