/** The WebAssembly kernels that estimate what coding a sample would take. */
import type { FloatLayout, LaneBytes, LaneLayout } from './kernels.js';
import { demandSameLanes, demandWindow } from './preconditions.js';
import type { WasmClasses } from './wasm-classes.js';
import {
  BASE,
  COUNTS,
  LOGARITHM_BYTES,
  LOGARITHMS,
  PLANES,
  RAW,
  SPARE_COUNTS,
  STEP_LANES,
  ZEROS,
} from './wasm-memory.js';
import type { WasmExports } from './wasm-module.js';
import type { WasmViews } from './wasm-views.js';

export class WasmCosts {
  /** As encoders use it, too. */
  readonly logarithms: Float64Array;
  private readonly wasm: WasmExports;
  private readonly views: WasmViews;
  private readonly classes: WasmClasses;
  private readonly counts: Uint32Array;
  private readonly splits: Record<LaneBytes, WasmExports['split8']>;

  constructor(wasm: WasmExports, views: WasmViews, classes: WasmClasses) {
    wasm.buildLogarithms(LOGARITHMS);
    this.logarithms = new Float64Array(wasm.memory.buffer, LOGARITHMS, LOGARITHM_BYTES / 8);
    this.wasm = wasm;
    this.views = views;
    this.classes = classes;
    this.counts = new Uint32Array(wasm.memory.buffer, COUNTS, 256);
    this.splits = { 1: wasm.split8, 2: wasm.split16, 4: wasm.split32, 8: wasm.split64 };
  }

  sampledHistogram(bytes: Uint8Array, counts: Uint32Array): number {
    demandWindow(bytes);
    this.wasm.sampledHistogram(this.views.input(bytes, RAW), bytes.length, COUNTS, SPARE_COUNTS);
    counts.set(this.counts);
    return this.wasm.entropyBits(COUNTS, LOGARITHMS, 0);
  }

  planeBits(
    raw: Uint8Array,
    base: Uint8Array | undefined,
    { laneBytes, lane }: LaneLayout,
    valueBits: number,
  ): number {
    const lanes = demandSameLanes(raw, base, laneBytes);
    const { views, wasm } = this;
    const stride = Math.ceil(lanes / STEP_LANES) * STEP_LANES;
    const before = base === undefined ? ZEROS : views.input(base, BASE);
    this.splits[laneBytes](views.input(raw, RAW), before, PLANES, stride, lane === 'float' ? 1 : 0);
    return wasm.planeBits(PLANES, lanes, stride, laneBytes, COUNTS, LOGARITHMS, valueBits);
  }

  classBits(raw: Uint8Array, base: Uint8Array, layout: FloatLayout, valueBits: number): number {
    const lanes = demandSameLanes(raw, base, layout.laneBytes);
    return this.classes.bits(
      this.views.input(raw, RAW),
      this.views.input(base, BASE),
      layout,
      lanes,
      valueBits,
    );
  }
}
