/** The WebAssembly kernels of prefix codes. Lanes have 4 bytes, so that each window holds a block and something else. */
import { BIT_STREAMS, BIT_STREAMS_HEADER_BYTES } from './bit-streams.js';
import { BLOCK_LANES } from './kernels.js';
import { demandPrefix, demandSameLanes } from './preconditions.js';
import { type PrefixModel, prefixStreams } from './prefix-model.js';
import { BASE, COUNTS, FREQUENCIES, PLANES, RAW, SPARE_COUNTS, TABLE } from './wasm-memory.js';
import type { WasmExports } from './wasm-module.js';
import type { WasmViews } from './wasm-views.js';

/** Kernels write whole steps: what they may touch beyond an array. */
const PADDING = 64;
const SECOND_HALF = 4 * BLOCK_LANES + PADDING;

/** Symbols of the encoder are contexts of the decoder. */
const SYMBOLS = RAW + SECOND_HALF;
const TOPS = SYMBOLS + BLOCK_LANES + PADDING;
const VALUES = BASE + SECOND_HALF;

export class WasmPrefix {
  private readonly wasm: WasmExports;
  private readonly views: WasmViews;
  private readonly memory: Uint8Array;
  private readonly words: DataView;

  constructor(wasm: WasmExports, views: WasmViews) {
    this.wasm = wasm;
    this.views = views;
    this.memory = new Uint8Array(wasm.memory.buffer);
    this.words = new DataView(wasm.memory.buffer);
  }

  count(
    raw: Uint8Array,
    base: Uint8Array,
    lowBytes: number,
    firstExponent: number,
    counts: Uint32Array,
  ): void {
    const lanes = demandSameLanes(raw, base, 4);
    const { wasm, views } = this;
    wasm.prefixSymbols(
      views.input(raw, RAW),
      views.input(base, BASE),
      lanes,
      lowBytes,
      firstExponent,
      SYMBOLS,
    );
    wasm.histogram(SYMBOLS, lanes, COUNTS, SPARE_COUNTS);
    counts.set(new Uint32Array(this.memory.buffer, COUNTS, 256));
  }

  encode(raw: Uint8Array, base: Uint8Array, model: PrefixModel, output: Uint8Array): number {
    const lanes = demandPrefix(raw, base, model, output);
    const { wasm, views, words } = this;
    const { lowBytes, firstExponent } = model;
    const to = views.output(output, 0, PLANES);
    this.memory.set(model.lengths, FREQUENCIES);
    wasm.buildPrefixEncode(FREQUENCIES, TABLE);
    const tops = wasm.prefixSplit(
      views.input(raw, RAW),
      views.input(base, BASE),
      lanes,
      lowBytes,
      firstExponent,
      to + BIT_STREAMS_HEADER_BYTES,
      SYMBOLS,
      VALUES,
      TOPS,
    );
    let at = to + BIT_STREAMS_HEADER_BYTES + lanes * lowBytes;
    for (let stream = 0; stream < BIT_STREAMS; stream++) {
      const bits = wasm.prefixEncode(SYMBOLS, VALUES, lanes, stream, TABLE, at);
      words.setUint32(to + 4 * stream, bits, true);
      at += Math.ceil(bits / 8);
    }
    this.memory.copyWithin(at, TOPS, TOPS + tops);
    const length = at + tops - to;
    if (to === PLANES) views.finish(output.subarray(0, length), to);
    return length;
  }

  decode(coded: Uint8Array, base: Uint8Array, model: PrefixModel, raw: Uint8Array): number {
    const lanes = demandPrefix(raw, base, model, undefined);
    const { wasm, views } = this;
    const { lowBytes, firstExponent } = model;
    const streams = prefixStreams(coded, lanes, model);
    if (streams === undefined || streams.bits.some((bits) => bits > 8 * lanes + 32)) return -1;
    const given = coded.subarray(0, Math.min(coded.length, streams.end + lanes));
    const from = views.input(given, PLANES);
    const before = views.input(base, BASE);
    const to = views.output(raw, lanes, RAW);
    this.memory.set(model.lengths, FREQUENCIES);
    wasm.buildPrefixDecode(FREQUENCIES, TABLE);
    wasm.prefixContexts(before, lanes, firstExponent, SYMBOLS);
    const low = from + BIT_STREAMS_HEADER_BYTES;
    if (wasm.prefixDecode(from, low + lanes * lowBytes, SYMBOLS, TABLE, lanes, VALUES, SPARE_COUNTS) === 0)
      return -1;
    const tops = from + streams.end;
    const topCount = given.length - streams.end;
    const used = wasm.prefixMerge(VALUES, low, lowBytes, tops, topCount, before, lanes, to);
    if (used < 0) return -1;
    views.finish(raw, to);
    return streams.end + used;
  }
}
