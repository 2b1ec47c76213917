// rANS of ./entropy.ts with four states, where the table of each byte is that of its context. `map` holds the address of
// a table, u32, for each of 256 contexts.

import { decoded, encoded, isState } from './entropy';

const STATE_MIN: u32 = 1 << 15;

function tableOf(map: usize, context: usize): usize {
  return <usize>load<u32>(map + ((<usize>load<u8>(context)) << 2));
}

function encodeEntry(map: usize, bytes: usize, contexts: usize): usize {
  return tableOf(map, contexts) + ((<usize>load<u8>(bytes)) << 4);
}

// Writes downwards from `end`, below which length + 16 bytes are free, and returns the number of bytes written or -1
// where it would exceed `length`.
export function encodeContexts(bytes: usize, contexts: usize, length: usize, map: usize, end: usize): i32 {
  let s0 = STATE_MIN;
  let s1 = STATE_MIN;
  let s2 = STATE_MIN;
  let s3 = STATE_MIN;
  let out = end;
  let at = length & ~3;
  const tail = length & 3;
  if (tail > 2) s2 = encoded(s2, encodeEntry(map, bytes + at + 2, contexts + at + 2));
  if (tail > 1) s1 = encoded(s1, encodeEntry(map, bytes + at + 1, contexts + at + 1));
  if (tail > 0) s0 = encoded(s0, encodeEntry(map, bytes + at, contexts + at));
  while (at > 0) {
    at -= 4;
    let entry = encodeEntry(map, bytes + at + 3, contexts + at + 3);
    let full = <u32>(s3 >= load<u32>(entry));
    store<u16>(out - 2, <u16>s3);
    out -= full << 1;
    s3 = encoded(s3 >> (full << 4), entry);

    entry = encodeEntry(map, bytes + at + 2, contexts + at + 2);
    full = <u32>(s2 >= load<u32>(entry));
    store<u16>(out - 2, <u16>s2);
    out -= full << 1;
    s2 = encoded(s2 >> (full << 4), entry);

    entry = encodeEntry(map, bytes + at + 1, contexts + at + 1);
    full = <u32>(s1 >= load<u32>(entry));
    store<u16>(out - 2, <u16>s1);
    out -= full << 1;
    s1 = encoded(s1 >> (full << 4), entry);

    entry = encodeEntry(map, bytes + at, contexts + at);
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

function entryAt(map: usize, context: usize, state: u32): u32 {
  return load<u32>(tableOf(map, context) + ((state & 4095) << 2));
}

// Reads at most 8 bytes past `end`, which the window leaves free, and returns 1 if the stream was whole.
export function decodeContexts(
  coded: usize,
  end: usize,
  map: usize,
  contexts: usize,
  output: usize,
  length: usize,
): i32 {
  let s0 = load<u32>(coded);
  let s1 = load<u32>(coded, 4);
  let s2 = load<u32>(coded, 8);
  let s3 = load<u32>(coded, 12);
  if (!isState(s0) || !isState(s1) || !isState(s2) || !isState(s3)) return 0;
  let at = coded + 16;
  let context = contexts;
  let out = output;
  const wideEnd = output + (length & ~3);
  for (; out < wideEnd; out += 4) {
    const e0 = entryAt(map, context, s0);
    const e1 = entryAt(map, context + 1, s1);
    const e2 = entryAt(map, context + 2, s2);
    const e3 = entryAt(map, context + 3, s3);
    context += 4;
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
  // As in entropy.ts: no word belongs to the last bytes.
  const tail = length & 3;
  if (tail > 0) s0 = last(s0, map, context, out);
  if (tail > 1) s1 = last(s1, map, context + 1, out + 1);
  if (tail > 2) s2 = last(s2, map, context + 2, out + 2);
  const whole = s0 == STATE_MIN && s1 == STATE_MIN && s2 == STATE_MIN && s3 == STATE_MIN;
  return <i32>(at == end && whole);
}

function last(state: u32, map: usize, context: usize, out: usize): u32 {
  const entry = entryAt(map, context, state);
  store<u8>(out, <u8>entry);
  return decoded(state, entry);
}
