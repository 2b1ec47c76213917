/** Huffman codes of bytes: what both implementations agree on. FORMAT.md, "Huffman coding". */
import { BIT_STREAMS, BIT_STREAMS_HEADER_BYTES, type BitStreams, bitStreams } from './bit-streams.js';

/** Bits of a code at most: a decode table of 8 bytes for each fits the L1 cache. */
export const HUFFMAN_BITS_MAX = 11;

/** Bytes that a plane of this length needs at most, and those that encoders may touch behind it. */
export function huffmanBytesMax(length: number): number {
  return BIT_STREAMS_HEADER_BYTES + Math.ceil((length * HUFFMAN_BITS_MAX) / 8) + 2 * BIT_STREAMS + 8;
}

/** Returns whether 256 lengths, 0 for bytes that have none, are those of a complete code with none too long. */
export function isCompleteHuffman(lengths: Uint8Array): boolean {
  let share = 0;
  for (let byte = 0; byte < lengths.length; byte++) {
    if (lengths[byte] > HUFFMAN_BITS_MAX) return false;
    if (lengths[byte] > 0) share += 1 << (HUFFMAN_BITS_MAX - lengths[byte]);
  }
  return lengths.length === 256 && share === 1 << HUFFMAN_BITS_MAX;
}

/** Bytes `[start, end)` of a plane belong to a stream. */
export function huffmanShare(length: number, stream: number): { start: number; end: number } {
  const quarter = Math.ceil(length / BIT_STREAMS);
  return { start: Math.min(length, stream * quarter), end: Math.min(length, (stream + 1) * quarter) };
}

/** The streams of a coded plane of `length` bytes, from its first bytes; undefined for damage. */
export function huffmanStreams(coded: Uint8Array, length: number): BitStreams | undefined {
  const streams = bitStreams(coded, BIT_STREAMS_HEADER_BYTES);
  const most = HUFFMAN_BITS_MAX * Math.ceil(length / BIT_STREAMS);
  return streams?.bits.some((bits) => bits > most) ? undefined : streams;
}
