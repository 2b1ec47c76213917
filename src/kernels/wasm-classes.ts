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
import { BASE, COUNTS, FREQUENCIES, PLANES, RAW, WINDOW_BYTES } from './wasm-memory.js';
import type { WasmExports } from './wasm-module.js';

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
  private readonly memory: Uint8Array;
  private readonly memory16: Uint16Array;
  private readonly memory32: Uint32Array;

  constructor(wasm: WasmExports) {
    const { buffer } = wasm.memory;
    this.wasm = wasm;
    this.memory = new Uint8Array(buffer);
    this.memory16 = new Uint16Array(buffer);
    this.memory32 = new Uint32Array(buffer);
  }

  split(raw: Uint8Array, base: Uint8Array, layout: FloatLayout, streams: ClassStreams): number {
    const lanes = demandClasses(raw, base, layout, streams);
    this.memory.set(raw, RAW);
    this.exponents(base, layout, streams.exponents);
    const split = layout.laneBytes === 2 ? this.wasm.splitClasses16 : this.wasm.splitClasses32;
    split(RAW, BASE, lanes, SYMBOLS, SIZES);
    const restBytes = this.wasm.packRests(SYMBOLS, SIZES, lanes, RESTS);
    this.wasm.countClasses(SYMBOLS, EXPONENTS, lanes, CLASS_COUNTS);
    streams.symbols.set(this.memory.subarray(SYMBOLS, SYMBOLS + lanes));
    streams.rests.set(this.memory.subarray(RESTS, RESTS + restBytes));
    streams.counts.set(this.memory32.subarray(CLASS_COUNTS / 4, CLASS_COUNTS / 4 + COUNT_ENTRIES));
    return restBytes;
  }

  /** Leaves the base and the exponents where split reads them. */
  exponents(base: Uint8Array, layout: FloatLayout, exponents: Uint8Array): void {
    const lanes = demandFloats(base, exponents, layout);
    this.memory.set(base, BASE);
    const write = layout.laneBytes === 2 ? this.wasm.laneExponents16 : this.wasm.laneExponents32;
    write(BASE, lanes, layout.exponentBits, EXPONENTS);
    exponents.set(this.memory.subarray(EXPONENTS, EXPONENTS + lanes));
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
    const given = Math.min(rests.length, lanes * REST_BYTES_MAX);
    this.memory.set(symbols, SYMBOLS);
    this.memory.set(rests.subarray(0, given), RESTS);
    const bits = this.wasm.unpackRests(SYMBOLS, RESTS, lanes, SIZES);
    const used = Math.ceil(bits / 8);
    if (used > given) return -1;
    if (bits % 8 !== 0 && rests[used - 1] >>> (bits % 8) !== 0) return -1;
    this.memory.set(base, BASE);
    const merge = layout.laneBytes === 2 ? this.wasm.mergeClasses16 : this.wasm.mergeClasses32;
    merge(SYMBOLS, SIZES, BASE, lanes, RAW);
    raw.set(this.memory.subarray(RAW, RAW + raw.length));
    return used;
  }

  encode(symbols: Uint8Array, contexts: Uint8Array, tables: ContextTables): Uint8Array | undefined {
    demandContexts(symbols, contexts, tables);
    this.placeTables(tables, ENCODE_TABLE_BYTES, this.wasm.buildEncodeTable);
    this.memory.set(symbols, SYMBOLS);
    this.memory.set(contexts, EXPONENTS);
    const length = this.wasm.encodeContexts(SYMBOLS, EXPONENTS, symbols.length, CONTEXT_MAP, CODED_END);
    return length < 0 ? undefined : this.memory.slice(CODED_END - length, CODED_END);
  }

  decode(coded: Uint8Array, contexts: Uint8Array, tables: ContextTables, symbols: Uint8Array): boolean {
    demandContexts(symbols, contexts, tables);
    if (coded.length < STATE_BYTES || coded.length > symbols.length) return false;
    this.placeTables(tables, DECODE_TABLE_BYTES, this.wasm.buildDecodeTable);
    this.memory.set(coded, CODED);
    this.memory.set(contexts, EXPONENTS);
    const end = CODED + coded.length;
    const { length } = symbols;
    const whole = this.wasm.decodeContexts(CODED, end, CONTEXT_MAP, EXPONENTS, SYMBOLS, length) === 1;
    if (whole) symbols.set(this.memory.subarray(SYMBOLS, SYMBOLS + length));
    return whole;
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
