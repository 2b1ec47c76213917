/** The WebAssembly kernels of steps. Lanes have 2 bytes, so that each window of the memory holds several things of a block. */
import type { FloatLayout } from './kernels.js';
import { demandSplitSteps, demandStepBlock, demandSteps } from './preconditions.js';
import {
  STEP_STATES,
  type StepBlock,
  type StepLength,
  type StepModel,
  type StepStreams,
} from './step-model.js';
import { BASE, FREQUENCIES, MARK_TABLES, PLANES, RAW } from './wasm-memory.js';
import type { WasmExports } from './wasm-module.js';
import type { WasmViews } from './wasm-views.js';

const KIB = 1024;

const PROBABILITIES = FREQUENCIES;
const STATES = FREQUENCIES + 64;
/** Rows of levels and what passes need. */
const WORK = FREQUENCIES + 256;
const LEVEL_ROW_BYTES = 16;
const LANES_OF_ROW = 8;

/** Of a block that is split. */
const CHANGED = PLANES;
const KEYS = PLANES + 66 * KIB;
const SIZES = PLANES + 198 * KIB;
const SIGNS = PLANES + 330 * KIB;
const COUNTS = PLANES + 340 * KIB;

/** Of a block that is encoded: marks are bytes, for 65,536 lanes and all that levels have together. */
const GIVEN_CHANGED = RAW;
const SIZES_LEFT = RAW + 160 * KIB;
const CODED_END = RAW + 512 * KIB;
const GIVEN_KEYS = BASE + 160 * KIB;
const BITS = BASE + 360 * KIB;
const LEVEL_MARKS = PLANES;
const LEVEL_KEYS = PLANES + 160 * KIB;

/** Of a block that is decoded. */
const CODED = BASE + 160 * KIB;
const CODED_BYTES_MAX = 199 * KIB;
const MARK_BITS = PLANES;
const MARKED_KEYS = PLANES + 32 * KIB;
const SIZES_HERE = RAW + 160 * KIB;
const SIZES_THERE = RAW + 336 * KIB;

export class WasmSteps {
  private readonly wasm: WasmExports;
  private readonly views: WasmViews;
  private readonly memory: Uint8Array;
  private readonly memory32: Uint32Array;
  private readonly states: Uint16Array;

  constructor(wasm: WasmExports, views: WasmViews) {
    this.wasm = wasm;
    this.views = views;
    this.memory = new Uint8Array(wasm.memory.buffer);
    this.memory32 = new Uint32Array(wasm.memory.buffer);
    this.states = new Uint16Array(wasm.memory.buffer, STATES, STEP_STATES);
  }

  split(raw: Uint8Array, base: Uint8Array, layout: FloatLayout, streams: StepStreams): number {
    const lanes = demandSplitSteps(raw, base, layout, streams);
    const { views, wasm } = this;
    const changed = views.output(streams.changed, lanes, CHANGED);
    const keys = views.output(streams.keys, 0, KEYS);
    const sizes = views.output(streams.sizes, 0, SIZES);
    const signs = views.output(streams.signs, 0, SIGNS);
    const from = views.input(raw, RAW);
    const before = views.input(base, BASE);
    const count = wasm.splitSteps16(from, before, lanes, MARK_TABLES, changed, keys, sizes, signs);
    this.addCounts(keys, sizes, count, layout, streams.counts);
    views.finish(streams.changed, changed);
    views.finish(streams.keys.subarray(0, 2 * count), keys);
    views.finish(streams.sizes.subarray(0, 2 * count), sizes);
    views.finish(streams.signs.subarray(0, Math.ceil(count / 8)), signs);
    return count;
  }

  private addCounts(
    keys: number,
    sizes: number,
    count: number,
    { exponentBits }: FloatLayout,
    counts: Uint32Array,
  ): void {
    const isPlaced = counts.buffer === this.memory32.buffer;
    const to = isPlaced ? counts.byteOffset : COUNTS;
    if (!isPlaced) this.memory32.set(counts, COUNTS / 4);
    this.wasm.countSteps16(keys, sizes, count, exponentBits, to);
    if (!isPlaced) counts.set(this.memory32.subarray(COUNTS / 4, COUNTS / 4 + counts.length));
  }

  encode(
    block: StepBlock,
    layout: FloatLayout,
    model: StepModel,
  ): { coded: Uint8Array; bits: number } | undefined {
    const { lanes, count } = demandStepBlock(block, layout, model);
    const { views, wasm, memory } = this;
    this.place(model);
    const changed = lanes % 64 === 0 ? views.input(block.changed, GIVEN_CHANGED) : GIVEN_CHANGED;
    if (lanes % 64 !== 0) {
      memory.set(block.changed, changed);
      memory.fill(0, changed + lanes, changed + lanes + 64);
    }
    memory.set(block.sizes, SIZES_LEFT);
    memory.set(block.bits.subarray(0, Math.ceil(count / 8)), BITS);
    const start = wasm.encodeSteps(
      views.input(block.base, BASE),
      changed,
      lanes,
      views.input(block.keys, GIVEN_KEYS),
      SIZES_LEFT,
      count,
      BITS,
      layout.exponentBits,
      model.low,
      model.levels,
      PROBABILITIES,
      STATES,
      MARK_TABLES,
      WORK,
      LEVEL_MARKS,
      LEVEL_KEYS,
      CODED_END,
    );
    if (start === 0) return undefined;
    model.states.set(this.states);
    const bits = wasm.writtenBits();
    block.bits.set(memory.subarray(BITS, BITS + Math.ceil(bits / 8)));
    return { coded: memory.subarray(start, CODED_END), bits };
  }

  decode(
    coded: Uint8Array,
    bitsOf: (bits: number, lanes: number) => Uint8Array | undefined,
    base: Uint8Array,
    layout: FloatLayout,
    model: StepModel,
    raw: Uint8Array,
  ): StepLength | undefined {
    const lanes = demandSteps(raw, base, layout, model);
    const { views, wasm } = this;
    this.place(model);
    const given = coded.subarray(0, CODED_BYTES_MAX);
    const bytes = views.input(given, CODED);
    const before = views.input(base, BASE);
    const at = wasm.decodeSteps(
      bytes,
      bytes + given.length,
      before,
      lanes,
      layout.exponentBits,
      model.low,
      model.levels,
      PROBABILITIES,
      STATES,
      MARK_TABLES,
      WORK,
      MARK_BITS,
      MARKED_KEYS,
    );
    if (at === 0) return undefined;
    model.states.set(this.states);
    const bits = wasm.stepBits(model.levels, WORK);
    const told = bitsOf(bits, this.memory32[(WORK + LEVEL_ROW_BYTES + LANES_OF_ROW) / 4]);
    if (told === undefined) return undefined;
    this.memory.set(told, BITS);
    const to = views.output(raw, lanes, RAW);
    wasm.mergeSteps16(model.levels, WORK, BITS, MARK_TABLES, SIZES_HERE, SIZES_THERE, to);
    views.finish(raw, to);
    return { bytes: at - bytes, bits };
  }

  private place(model: StepModel): void {
    this.memory.set(model.probabilities, PROBABILITIES);
    this.states.set(model.states);
  }
}
