/**
 * The WebAssembly kernels of classes and contexts. Lanes have 4 bytes at most here, so that each window of the memory
 * holds a block in its first half and something else in its second.
 */
import {
  BLOCK_LANES,
  type ClassStreams,
  type ContextTables,
  type FloatLayout,
  REST_BYTES_MAX,
} from './kernels.js';
import { demandClasses, demandContexts, demandFloats } from './preconditions.js';
import {
  BASE,
  COUNTS,
  FREQUENCIES,
  LOGARITHMS,
  PLANES,
  RAW,
  SPARE_COUNTS,
  WINDOW_BYTES,
} from './wasm-memory.js';
import type { WasmExports } from './wasm-module.js';
import type { WasmViews } from './wasm-views.js';

/** Kernels read and write whole steps and words: what they may touch beyond a stream. */
const PADDING = 64;

const HALF_BYTES = 4 * BLOCK_LANES + PADDING;
const CLASS_COUNTS = RAW + HALF_BYTES;
const COUNT_ENTRIES = 65_536;
const SIZES = BASE + HALF_BYTES;
const SYMBOLS = PLANES;
const EXPONENTS = SYMBOLS + BLOCK_LANES + PADDING;
const RESTS = EXPONENTS + BLOCK_LANES + PADDING;

/** Of the context coder: an address for each context, the tables, and its output, which grows downwards. */
const CONTEXT_MAP = COUNTS;
const TABLES = BASE;
const ENCODE_TABLE_BYTES = 4096;
const DECODE_TABLE_BYTES = 16_384;
const CODED = RAW;
const CODED_END = RAW + WINDOW_BYTES;
const STATE_BYTES = 16;

export class WasmClasses {
  private readonly wasm: WasmExports;
  private readonly views: WasmViews;
  private readonly memory: Uint8Array;
  private readonly memory16: Uint16Array;
  private readonly memory32: Uint32Array;

  constructor(wasm: WasmExports, views: WasmViews) {
    const { buffer } = wasm.memory;
    this.wasm = wasm;
    this.views = views;
    this.memory = new Uint8Array(buffer);
    this.memory16 = new Uint16Array(buffer);
    this.memory32 = new Uint32Array(buffer);
  }

  split(raw: Uint8Array, base: Uint8Array, layout: FloatLayout, streams: ClassStreams): number {
    const lanes = demandClasses(raw, base, layout, streams);
    const { views } = this;
    const from = views.input(raw, RAW);
    const before = views.input(base, BASE);
    const symbols = views.output(streams.symbols, lanes, SYMBOLS);
    const exponents = views.output(streams.exponents, lanes, EXPONENTS);
    const { split, pack } = this.kernelsOf(layout);
    this.writeExponents(before, lanes, layout, exponents);
    split(from, before, lanes, symbols, SIZES);
    const restBytes = pack(symbols, SIZES, lanes, RESTS);
    this.addCounts(symbols, exponents, lanes, streams.counts);
    views.finish(streams.symbols, symbols);
    views.finish(streams.exponents, exponents);
    streams.rests.set(this.memory.subarray(RESTS, RESTS + restBytes));
    return restBytes;
  }

  /** Estimated bits of a block at these places. */
  bits(raw: number, base: number, layout: FloatLayout, lanes: number, valueBits: number): number {
    const { wasm } = this;
    const { split } = this.kernelsOf(layout);
    this.writeExponents(base, lanes, layout, EXPONENTS);
    split(raw, base, lanes, SYMBOLS, SIZES);
    return wasm.classBits(
      SYMBOLS,
      EXPONENTS,
      lanes,
      layout.far ? 1 : 0,
      COUNTS,
      CLASS_COUNTS,
      LOGARITHMS,
      valueBits,
    );
  }

  private kernelsOf({ laneBytes, far }: FloatLayout): {
    split: WasmExports['splitClasses32'];
    pack: WasmExports['packRests'];
  } {
    const { wasm } = this;
    if (far) return { split: wasm.splitFarClasses32, pack: wasm.packFarRests };
    const split = { 1: wasm.splitClasses8, 2: wasm.splitClasses16, 4: wasm.splitClasses32 }[laneBytes];
    return { split, pack: wasm.packRests };
  }

  private addCounts(symbols: number, exponents: number, lanes: number, counts: Uint32Array): void {
    const { memory32, wasm } = this;
    const isPlaced = counts.buffer === memory32.buffer;
    const to = isPlaced ? counts.byteOffset : CLASS_COUNTS;
    if (!isPlaced) memory32.set(counts, CLASS_COUNTS / 4);
    wasm.histogram(exponents, lanes, COUNTS, SPARE_COUNTS);
    wasm.countClasses(symbols, exponents, lanes, COUNTS, to);
    if (!isPlaced) counts.set(memory32.subarray(CLASS_COUNTS / 4, CLASS_COUNTS / 4 + COUNT_ENTRIES));
  }

  exponents(base: Uint8Array, layout: FloatLayout, exponents: Uint8Array): void {
    const lanes = demandFloats(base, exponents, layout);
    const to = this.views.output(exponents, lanes, EXPONENTS);
    this.writeExponents(this.views.input(base, BASE), lanes, layout, to);
    this.views.finish(exponents, to);
  }

  private writeExponents(base: number, lanes: number, layout: FloatLayout, to: number): void {
    const { laneExponents8, laneExponents16, laneExponents32 } = this.wasm;
    const write = { 1: laneExponents8, 2: laneExponents16, 4: laneExponents32 }[layout.laneBytes];
    write(base, lanes, layout.exponentBits, to);
  }

  merge(
    symbols: Uint8Array,
    rests: Uint8Array,
    base: Uint8Array,
    layout: FloatLayout,
    raw: Uint8Array,
  ): number {
    const lanes = demandFloats(raw, symbols, layout);
    demandFloats(base, symbols, layout);
    const { views, wasm } = this;
    const given = Math.min(rests.length, lanes * REST_BYTES_MAX);
    const from = views.input(symbols, SYMBOLS);
    const unpack = layout.far ? wasm.unpackFarRests : wasm.unpackRests;
    const bits = unpack(from, views.input(rests.subarray(0, given), RESTS), lanes, SIZES);
    const used = Math.ceil(bits / 8);
    if (used > given) return -1;
    if (bits % 8 !== 0 && rests[used - 1] >>> (bits % 8) !== 0) return -1;
    const near = { 1: wasm.mergeClasses8, 2: wasm.mergeClasses16, 4: wasm.mergeClasses32 }[layout.laneBytes];
    const merge = layout.far ? wasm.mergeFarClasses32 : near;
    const to = views.output(raw, lanes, RAW);
    merge(from, SIZES, views.input(base, BASE), lanes, to);
    views.finish(raw, to);
    return used;
  }

  encode(symbols: Uint8Array, contexts: Uint8Array, tables: ContextTables): Uint8Array | undefined {
    demandContexts(symbols, contexts, tables);
    this.placeTables(tables, ENCODE_TABLE_BYTES, this.wasm.buildEncodeTable);
    const length = this.wasm.encodeContexts(
      this.views.input(symbols, SYMBOLS),
      this.views.input(contexts, EXPONENTS),
      symbols.length,
      CONTEXT_MAP,
      CODED_END,
    );
    return length < 0 ? undefined : this.memory.subarray(CODED_END - length, CODED_END);
  }

  decode(coded: Uint8Array, contexts: Uint8Array, tables: ContextTables, symbols: Uint8Array): boolean {
    demandContexts(symbols, contexts, tables);
    if (coded.length < STATE_BYTES || coded.length > symbols.length) return false;
    this.placeTables(tables, DECODE_TABLE_BYTES, this.wasm.buildDecodeTable);
    const { length } = symbols;
    const from = this.views.input(coded, CODED);
    const to = this.views.output(symbols, 0, SYMBOLS);
    const whole = this.wasm.decodeContexts(
      from,
      from + coded.length,
      CONTEXT_MAP,
      this.views.input(contexts, EXPONENTS),
      to,
      length,
    );
    if (whole === 1) this.views.finish(symbols, to);
    return whole === 1;
  }

  private placeTables(
    { groups, frequencies }: ContextTables,
    tableBytes: number,
    build: WasmExports['buildEncodeTable'],
  ): void {
    for (let table = 0; 256 * table < frequencies.length; table++) {
      this.memory16.set(frequencies.subarray(256 * table, 256 * table + 256), FREQUENCIES / 2);
      build(FREQUENCIES, TABLES + table * tableBytes);
    }
    for (let context = 0; context < 256; context++) {
      this.memory32[CONTEXT_MAP / 4 + context] = TABLES + groups[context] * tableBytes;
    }
  }
}
