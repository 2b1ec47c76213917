/**
 * Huffman codes of bytes, the plain twin of assembly/huffman.ts: FORMAT.md, "Huffman coding". Codes are canonical; a stream holds a
 * quarter of the bytes, of each code the first bit first, from the lowest bit of the first byte on.
 */
import { BIT_STREAMS, BIT_STREAMS_HEADER_BYTES, BitWriterReference, placeStreams } from './bit-streams.js';
import { HUFFMAN_BITS_MAX, huffmanShare, huffmanStreams } from './huffman-model.js';

/** The code of each byte, its first bit the lowest. */
function huffmanCodes(lengths: Uint8Array): Uint16Array {
  const codes = new Uint16Array(256);
  let code = 0;
  for (let length = 1; length <= HUFFMAN_BITS_MAX; length++, code <<= 1) {
    for (let byte = 0; byte < 256; byte++) {
      if (lengths[byte] !== length) continue;
      for (let bit = 0; bit < length; bit++) codes[byte] |= ((code >> bit) & 1) << (length - 1 - bit);
      code++;
    }
  }
  return codes;
}

export function encodeHuffmanReference(bytes: Uint8Array, lengths: Uint8Array, output: Uint8Array): number {
  const codes = huffmanCodes(lengths);
  const streams = Array.from({ length: BIT_STREAMS }, (_, stream) => {
    const writer = new BitWriterReference();
    const { start, end } = huffmanShare(bytes.length, stream);
    for (let at = start; at < end; at++) writer.write(codes[bytes[at]], lengths[bytes[at]]);
    return writer;
  });
  return placeStreams(output, BIT_STREAMS_HEADER_BYTES, streams);
}

export function decodeHuffmanReference(coded: Uint8Array, lengths: Uint8Array, output: Uint8Array): number {
  const streams = huffmanStreams(coded, output.length);
  if (streams === undefined) return -1;
  const table = decodeTable(lengths);
  let first = BIT_STREAMS_HEADER_BYTES;
  for (let stream = 0; stream < BIT_STREAMS; stream++) {
    const bits = streams.bits[stream];
    const bit = (index: number) => ((coded[first + (index >> 3)] ?? 0) >>> (index & 7)) & 1;
    const { start, end } = huffmanShare(output.length, stream);
    let at = 0;
    for (let out = start; out < end; out++) {
      let place = 0;
      for (let ahead = 0; ahead < HUFFMAN_BITS_MAX; ahead++) place |= bit(at + ahead) << ahead;
      output[out] = table[place];
      at += lengths[table[place]];
      if (at > bits) return -1;
    }
    if (at !== bits) return -1;
    first += Math.ceil(bits / 8);
  }
  return streams.end;
}

/** The byte that each 11 bits begin with. */
function decodeTable(lengths: Uint8Array): Uint8Array {
  const table = new Uint8Array(1 << HUFFMAN_BITS_MAX);
  huffmanCodes(lengths).forEach((code, byte) => {
    if (lengths[byte] === 0) return;
    for (let place = code; place < table.length; place += 1 << lengths[byte]) table[place] = byte;
  });
  return table;
}
