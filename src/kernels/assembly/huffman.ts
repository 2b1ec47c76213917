// Huffman codes of bytes in four streams; the formulas are in ../reference-huffman.ts.
//
// Encode entry, u32 a byte: code, its first bit the lowest, << 6 | bits. Shift counts are taken modulo 64: an entry, and a sum of
// entries, shifts by its bits alone.
// Pair entry, u32 for each two bytes, the first one the lowest: both codes << 6 | bits of both.
// Single entry, u16 for each 11 bits that may come next: byte | bits << 8.
// Decode entry, u64 for each 11 bits: up to 6 bytes whose codes lie in them whole, bits << 48 | bytes << 56.

const CODE_BITS: u32 = 11;
const PLACES: u32 = 1 << CODE_BITS;
const PLACE_MASK: u64 = PLACES - 1;
const BYTES_MAX: u32 = 6;
// Of more bytes pairs take longer to make than they save.
const PAIRED_MAX: usize = 64;

function reversed(code: u32, length: u32): u32 {
  let bits: u32 = 0;
  for (let bit: u32 = 0; bit < length; bit++) bits |= ((code >> bit) & 1) << (length - 1 - bit);
  return bits;
}

// Builds the entries of all bytes from the lengths of their codes, 0 for none: canonical, short codes and small bytes first.
export function buildHuffmanEncode(lengths: usize, table: usize): void {
  let code: u32 = 0;
  for (let length: u32 = 1; length <= CODE_BITS; length++) {
    for (let byte: usize = 0; byte < 256; byte++) {
      if (<u32>load<u8>(lengths + byte) != length) continue;
      store<u32>(table + (byte << 2), (reversed(code, length) << 6) | length);
      code++;
    }
    code <<= 1;
  }
}

function buildSingles(lengths: usize, singles: usize): void {
  let code: u32 = 0;
  for (let length: u32 = 1; length <= CODE_BITS; length++) {
    for (let byte: usize = 0; byte < 256; byte++) {
      if (<u32>load<u8>(lengths + byte) != length) continue;
      const entry = <u16>(<u32>byte | (length << 8));
      for (let place = reversed(code, length); place < PLACES; place += 1 << length) {
        store<u16>(singles + ((<usize>place) << 1), entry);
      }
      code++;
    }
    code <<= 1;
  }
}

// `singles` is scratch of 4 KB; the codes are complete.
export function buildHuffmanDecode(lengths: usize, singles: usize, table: usize): void {
  buildSingles(lengths, singles);
  for (let place: u32 = 0; place < PLACES; place++) {
    let entry: u64 = 0;
    let bits: u32 = 0;
    let count: u32 = 0;
    for (; count < BYTES_MAX; count++) {
      const single = <u32>load<u16>(singles + ((<usize>(place >> bits)) << 1));
      if (bits + (single >> 8) > CODE_BITS) break;
      entry |= (<u64>(single & 0xff)) << (count << 3);
      bits += single >> 8;
    }
    store<u64>(table + ((<usize>place) << 3), entry | ((<u64>bits) << 48) | ((<u64>count) << 56));
  }
}

// Builds the entries of all pairs of bytes that have codes, and returns 1; 0 if there are too many: then the codes are to be looked
// up one by one. `coded` is scratch of 256 bytes, `table` that of buildHuffmanEncode.
export function buildHuffmanPairs(lengths: usize, coded: usize, table: usize, pairs: usize): i32 {
  let count: usize = 0;
  for (let byte: usize = 0; byte < 256; byte++) {
    if (load<u8>(lengths + byte) != 0) store<u8>(coded + count++, <u8>byte);
  }
  if (count > PAIRED_MAX) return 0;
  for (let i: usize = 0; i < count; i++) {
    const first = <usize>load<u8>(coded + i);
    const a = load<u32>(table + (first << 2));
    for (let j: usize = 0; j < count; j++) {
      const second = <usize>load<u8>(coded + j);
      const b = load<u32>(table + (second << 2));
      const codes = (a >> 6) | ((b >> 6) << (a & 63));
      store<u32>(pairs + ((first | (second << 8)) << 2), (codes << 6) | ((a + b) & 63));
    }
  }
  return 1;
}

function codeOf(table: usize, byte: usize): u64 {
  return <u64>load<u32>(table + ((<usize>load<u8>(byte)) << 2));
}

// Writes `length` bytes as bits, the lowest first, and returns how many; up to 8 more bytes are overwritten. `pairs` is 0 where there
// are none.
export function huffmanEncode(bytes: usize, length: usize, table: usize, pairs: usize, out: usize): usize {
  let pending: u64 = 0;
  let count: u64 = 0;
  let to = out;
  let at = bytes;
  const wideEnd = bytes + (length & ~3);
  if (pairs != 0) {
    for (; at < wideEnd; at += 4) {
      const word = <usize>load<u32>(at);
      const e01 = <u64>load<u32>(pairs + ((word & 0xffff) << 2));
      const e23 = <u64>load<u32>(pairs + ((word >> 16) << 2));
      pending |= ((e01 >> 6) | ((e23 >> 6) << e01)) << count;
      count += (e01 + e23) & 63;
      store<u64>(to, pending);
      to += <usize>(count >> 3);
      pending >>= count & ~7;
      count &= 7;
    }
  }
  for (; at < wideEnd; at += 4) {
    const e0 = codeOf(table, at);
    const e1 = codeOf(table, at + 1);
    const e2 = codeOf(table, at + 2);
    const e3 = codeOf(table, at + 3);
    const first = (e0 >> 6) | ((e1 >> 6) << e0);
    const second = (e2 >> 6) | ((e3 >> 6) << e2);
    const e01 = e0 + e1;
    pending |= (first | (second << e01)) << count;
    count += (e01 + e2 + e3) & 63;
    store<u64>(to, pending);
    to += <usize>(count >> 3);
    pending >>= count & ~7;
    count &= 7;
  }
  for (; at < bytes + length; at++) {
    const e = codeOf(table, at);
    pending |= (e >> 6) << count;
    count += e & 63;
  }
  store<u64>(to, pending);
  return ((to - out) << 3) + <usize>count;
}

function entryAt(table: usize, bits: u64): u64 {
  return load<u64>(table + ((<usize>(bits & PLACE_MASK)) << 3));
}

function bitsAt(stream: usize, position: i32): u64 {
  return load<u64>(stream + <usize>(position >> 3)) >> (<u64>position & 7);
}

// What is known of a stream: where it begins, its bits, those that were used, where the next byte goes, and where the last one
// ends; u32 each, at these offsets, of each of four streams in turn.
const BITS: usize = 16;
const POSITION: usize = 32;
const OUT: usize = 48;
const END: usize = 64;

// `sizes` holds the bits of the streams, u32 each. Each holds the next `quarter` of the bytes, the last ones less.
function placeStreams(sizes: usize, coded: usize, output: usize, length: usize, streams: usize): void {
  const quarter = (length + 3) >> 2;
  let start = coded;
  for (let stream: usize = 0; stream < 4; stream++) {
    const at = streams + (stream << 2);
    const bits = load<u32>(sizes + (stream << 2));
    store<u32>(at, <u32>start);
    store<u32>(at, bits, BITS);
    store<u32>(at, 0, POSITION);
    store<u32>(at, <u32>(output + min(length, stream * quarter)), OUT);
    store<u32>(at, <u32>(output + min(length, (stream + 1) * quarter)), END);
    start += (bits + 7) >> 3;
  }
}

// Decodes all four as long as each has room for three more entries: at most 33 of the 57 bits at hand, 18 bytes, and a store of 8.
function decodeTogether(streams: usize, table: usize): void {
  const a0 = <usize>load<u32>(streams);
  const a1 = <usize>load<u32>(streams, 4);
  const a2 = <usize>load<u32>(streams, 8);
  const a3 = <usize>load<u32>(streams, 12);
  const b0 = load<i32>(streams, BITS);
  const b1 = load<i32>(streams, BITS + 4);
  const b2 = load<i32>(streams, BITS + 8);
  const b3 = load<i32>(streams, BITS + 12);
  const l0 = load<i32>(streams, END) - 24;
  const l1 = load<i32>(streams, END + 4) - 24;
  const l2 = load<i32>(streams, END + 8) - 24;
  const l3 = load<i32>(streams, END + 12) - 24;
  let o0 = load<i32>(streams, OUT);
  let o1 = load<i32>(streams, OUT + 4);
  let o2 = load<i32>(streams, OUT + 8);
  let o3 = load<i32>(streams, OUT + 12);
  let p0: i32 = 0;
  let p1: i32 = 0;
  let p2: i32 = 0;
  let p3: i32 = 0;
  while (
    ((l0 - o0) | (l1 - o1) | (l2 - o2) | (l3 - o3) | (b0 - p0) | (b1 - p1) | (b2 - p2) | (b3 - p3)) >=
    0
  ) {
    let x0 = bitsAt(a0, p0);
    let x1 = bitsAt(a1, p1);
    let x2 = bitsAt(a2, p2);
    let x3 = bitsAt(a3, p3);
    for (let entry = 0; entry < 3; entry++) {
      const e0 = entryAt(table, x0);
      const e1 = entryAt(table, x1);
      const e2 = entryAt(table, x2);
      const e3 = entryAt(table, x3);
      o0 = putEntry(o0, e0);
      o1 = putEntry(o1, e1);
      o2 = putEntry(o2, e2);
      o3 = putEntry(o3, e3);
      x0 >>= e0 >> 48;
      x1 >>= e1 >> 48;
      x2 >>= e2 >> 48;
      x3 >>= e3 >> 48;
      p0 += bitsOf(e0);
      p1 += bitsOf(e1);
      p2 += bitsOf(e2);
      p3 += bitsOf(e3);
    }
  }
  v128.store(streams, i32x4(p0, p1, p2, p3), POSITION);
  v128.store(streams, i32x4(o0, o1, o2, o3), OUT);
}

// Writes the bytes of an entry, and up to 7 more, and returns where the next one goes.
function putEntry(out: i32, entry: u64): i32 {
  store<u64>(out, entry);
  return out + <i32>(entry >> 56);
}

function bitsOf(entry: u64): i32 {
  return <i32>(entry >> 48) & 63;
}

// Decodes what is left of a stream; returns whether all of its bits were used.
function decodeRest(stream: usize, table: usize, lengths: usize): bool {
  const start = <usize>load<u32>(stream);
  const bits = load<i32>(stream, BITS);
  const end = load<i32>(stream, END);
  let at = load<i32>(stream, POSITION);
  let out = load<i32>(stream, OUT);
  while (end - out >= 8 && at <= bits) {
    const entry = entryAt(table, bitsAt(start, at));
    out = putEntry(out, entry);
    at += bitsOf(entry);
  }
  while (out < end && at <= bits) {
    const byte = <u8>entryAt(table, bitsAt(start, at));
    store<u8>(out++, byte);
    at += <i32>load<u8>(lengths + byte);
  }
  return at == bits && out == end;
}

// Decodes four streams that begin at `coded`; `streams` is 80 bytes of scratch. Returns 1 if all were used up. Reads at most 16 bytes
// behind a stream if it is damaged.
export function huffmanDecode(
  sizes: usize,
  coded: usize,
  table: usize,
  lengths: usize,
  output: usize,
  length: usize,
  streams: usize,
): i32 {
  placeStreams(sizes, coded, output, length, streams);
  decodeTogether(streams, table);
  let whole = true;
  for (let stream = streams; stream < streams + 16; stream += 4) {
    if (!decodeRest(stream, table, lengths)) whole = false;
  }
  return <i32>whole;
}
