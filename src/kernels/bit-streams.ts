/** Four streams of bits one after the other, so that a decoder works on all at once: what prefix and Huffman codes share. */

export const BIT_STREAMS = 4;

/** The bits of each stream come first, u32 each. */
export const BIT_STREAMS_HEADER_BYTES = 4 * BIT_STREAMS;

export interface BitStreams {
  readonly bits: readonly number[];
  /** Where the last stream ends. */
  readonly end: number;
}

/** Returns the streams that begin at `start` of `coded`; undefined for damage: a stream that is cut off, or padded with ones. */
export function bitStreams(coded: Uint8Array, start: number): BitStreams | undefined {
  if (coded.length < Math.max(start, BIT_STREAMS_HEADER_BYTES)) return undefined;
  const view = new DataView(coded.buffer, coded.byteOffset, coded.byteLength);
  const bits = Array.from({ length: BIT_STREAMS }, (_, stream) => view.getUint32(4 * stream, true));
  let end = start;
  for (const count of bits) {
    end += Math.ceil(count / 8);
    if (end > coded.length) return undefined;
    if (count % 8 !== 0 && coded[end - 1] >>> (count % 8) !== 0) return undefined;
  }
  return { bits, end };
}

/** Writes what WebAssembly and its twin agree on: streams made one after the other, each returning its bits. */
export class BitWriterReference {
  readonly bytes: number[] = [];
  count = 0;

  /** Appends the lowest `count` bits of `value`, the lowest first. */
  write(value: number, count: number): void {
    for (let bit = 0; bit < count; bit++, this.count++) {
      if (this.count % 8 === 0) this.bytes.push(0);
      this.bytes[this.bytes.length - 1] |= ((value >>> bit) & 1) << (this.count % 8);
    }
  }
}

/** Puts streams behind the header, the first one at `start`; returns where they end. */
export function placeStreams(
  output: Uint8Array,
  start: number,
  streams: readonly BitWriterReference[],
): number {
  const view = new DataView(output.buffer, output.byteOffset, output.byteLength);
  let at = start;
  streams.forEach((stream, index) => {
    view.setUint32(4 * index, stream.count, true);
    output.set(stream.bytes, at);
    at += stream.bytes.length;
  });
  return at;
}
