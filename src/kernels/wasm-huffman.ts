/** The WebAssembly kernels of Huffman codes. */
import { BIT_STREAMS, BIT_STREAMS_HEADER_BYTES } from './bit-streams.js';
import { huffmanShare, huffmanStreams } from './huffman-model.js';
import { demandHuffman } from './preconditions.js';
import { FREQUENCIES, HUFFMAN_TABLE, PLANES, RAW, SPARE_COUNTS, TABLE } from './wasm-memory.js';
import type { WasmExports } from './wasm-module.js';
import type { WasmViews } from './wasm-views.js';

export class WasmHuffman {
  private readonly wasm: WasmExports;
  private readonly views: WasmViews;
  private readonly memory: Uint8Array;
  private readonly words: DataView;
  /** What the decode table was made of: blocks of a chunk mostly share it, and making it takes a third as long as a block. */
  private readonly tabled = new Uint8Array(256);

  constructor(wasm: WasmExports, views: WasmViews) {
    this.wasm = wasm;
    this.views = views;
    this.memory = new Uint8Array(wasm.memory.buffer);
    this.words = new DataView(wasm.memory.buffer);
  }

  encode(bytes: Uint8Array, lengths: Uint8Array, output: Uint8Array): number {
    demandHuffman(bytes, lengths, output);
    const { wasm, views, words } = this;
    const to = views.output(output, 0, PLANES);
    const from = views.input(bytes, RAW);
    this.memory.set(lengths, FREQUENCIES);
    wasm.buildHuffmanEncode(FREQUENCIES, TABLE);
    let at = to + BIT_STREAMS_HEADER_BYTES;
    for (let stream = 0; stream < BIT_STREAMS; stream++) {
      const { start, end } = huffmanShare(bytes.length, stream);
      const bits = wasm.huffmanEncode(from + start, end - start, TABLE, at);
      words.setUint32(to + 4 * stream, bits, true);
      at += Math.ceil(bits / 8);
    }
    if (to === PLANES) views.finish(output.subarray(0, at - to), to);
    return at - to;
  }

  decode(coded: Uint8Array, lengths: Uint8Array, output: Uint8Array): number {
    demandHuffman(output, lengths, undefined);
    const streams = huffmanStreams(coded, output.length);
    if (streams === undefined) return -1;
    const { wasm, views } = this;
    const from = views.input(coded.subarray(0, streams.end), PLANES);
    const to = views.output(output, 0, RAW);
    this.placeTable(lengths);
    const first = from + BIT_STREAMS_HEADER_BYTES;
    const { length } = output;
    if (wasm.huffmanDecode(from, first, HUFFMAN_TABLE, FREQUENCIES, to, length, SPARE_COUNTS) === 0)
      return -1;
    views.finish(output, to);
    return streams.end;
  }

  private placeTable(lengths: Uint8Array): void {
    this.memory.set(lengths, FREQUENCIES);
    if (lengths.every((length, byte) => length === this.tabled[byte])) return;
    this.wasm.buildHuffmanDecode(FREQUENCIES, TABLE, HUFFMAN_TABLE);
    this.tabled.set(lengths);
  }
}
