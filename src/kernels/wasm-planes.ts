/** The WebAssembly kernels of planes in Huffman codes, and of those that are noise but for one bit. */
import { BIT_STREAMS, BIT_STREAMS_HEADER_BYTES } from './bit-streams.js';
import { huffmanShare, huffmanStreams } from './huffman-model.js';
import type { CommonBit } from './kernels.js';
import { demandHuffman, demandSeven } from './preconditions.js';
import {
  COUNTS,
  FREQUENCIES,
  HUFFMAN_LENGTHS,
  HUFFMAN_PAIRS,
  HUFFMAN_TABLE_BYTES,
  HUFFMAN_TABLES,
  HUFFMAN_TABLES_KEPT,
  PLANES,
  RAW,
  SPARE_COUNTS,
  TABLE,
} from './wasm-memory.js';
import type { WasmExports } from './wasm-module.js';
import type { WasmViews } from './wasm-views.js';

export class WasmPlanes {
  private readonly wasm: WasmExports;
  private readonly views: WasmViews;
  private readonly memory: Uint8Array;
  private readonly words: DataView;
  private next = 0;

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
    const pairs = wasm.buildHuffmanPairs(FREQUENCIES, COUNTS, TABLE, HUFFMAN_PAIRS) === 1 ? HUFFMAN_PAIRS : 0;
    let at = to + BIT_STREAMS_HEADER_BYTES;
    for (let stream = 0; stream < BIT_STREAMS; stream++) {
      const { start, end } = huffmanShare(bytes.length, stream);
      const bits = wasm.huffmanEncode(from + start, end - start, TABLE, pairs, at);
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
    const table = this.placeTable(lengths);
    const first = from + BIT_STREAMS_HEADER_BYTES;
    const { length } = output;
    if (wasm.huffmanDecode(from, first, table, FREQUENCIES, to, length, SPARE_COUNTS) === 0) return -1;
    views.finish(output, to);
    return streams.end;
  }

  /** Returns where the decode table of a code is: blocks of a chunk mostly share them, and making one takes a third as long as a block. */
  private placeTable(lengths: Uint8Array): number {
    this.memory.set(lengths, FREQUENCIES);
    for (let known = 0; known < HUFFMAN_TABLES_KEPT; known++) {
      if (this.wasm.isSame(FREQUENCIES, HUFFMAN_LENGTHS + 256 * known, 256) === 1)
        return HUFFMAN_TABLES + known * HUFFMAN_TABLE_BYTES;
    }
    const place = this.next;
    this.next = (place + 1) % HUFFMAN_TABLES_KEPT;
    const table = HUFFMAN_TABLES + place * HUFFMAN_TABLE_BYTES;
    this.wasm.buildHuffmanDecode(FREQUENCIES, TABLE, table);
    this.memory.set(lengths, HUFFMAN_LENGTHS + 256 * place);
    return table;
  }

  packSeven(plane: Uint8Array, common: CommonBit, output: Uint8Array): void {
    demandSeven(plane, common, output);
    this.wasm.packSeven(this.views.input(plane, RAW), plane.length, common.bit, PLANES);
    this.views.finish(output, PLANES);
  }

  unpackSeven(coded: Uint8Array, common: CommonBit, plane: Uint8Array): boolean {
    demandSeven(plane, common, coded);
    const { wasm, views } = this;
    const to = views.output(plane, plane.length, RAW);
    const from = views.input(coded, PLANES);
    if (wasm.unpackSeven(from, plane.length, common.bit, common.value, to) === 0) return false;
    views.finish(plane, to);
    return true;
  }
}
