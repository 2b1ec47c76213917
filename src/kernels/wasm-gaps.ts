/** The WebAssembly kernels of gaps. */
import {
  type ChangeCounts,
  GAP_STATE_ENTRIES,
  GAP_STREAM_BYTES_MAX,
  type GapModel,
  type GapStreams,
} from './gap-model.js';
import type { FloatLayout } from './kernels.js';
import { demandGaps, demandSample } from './preconditions.js';
import { BASE, COUNTS, PLANES, RAW, TABLE, WINDOW_BYTES } from './wasm-memory.js';
import type { WasmExports } from './wasm-module.js';
import type { WasmViews } from './wasm-views.js';

const STATE = TABLE;
/** A stream may grow by one event beyond its room. */
const STREAM_BYTES = GAP_STREAM_BYTES_MAX + 1024;
const WORK = PLANES;
const BITS = PLANES + WINDOW_BYTES - STREAM_BYTES;
const CODED = BITS - STREAM_BYTES;
const COUNT_ENTRIES = 513;

export class WasmGaps {
  private readonly wasm: WasmExports;
  private readonly views: WasmViews;
  private readonly memory: Uint8Array;
  private readonly state: Uint32Array;
  private readonly counts: Uint32Array;

  constructor(wasm: WasmExports, views: WasmViews) {
    const { buffer } = wasm.memory;
    this.wasm = wasm;
    this.views = views;
    this.memory = new Uint8Array(buffer);
    this.state = new Uint32Array(buffer, STATE, GAP_STATE_ENTRIES);
    this.counts = new Uint32Array(buffer, COUNTS, COUNT_ENTRIES);
  }

  encode(raw: Uint8Array, base: Uint8Array, layout: FloatLayout, model: GapModel): GapStreams | undefined {
    const lanes = demandGaps(raw, base, layout, model);
    this.state.set(model.state);
    const lengths = (layout.laneBytes === 2 ? this.wasm.encodeGaps16 : this.wasm.encodeGaps32)(
      this.views.input(raw, RAW),
      this.views.input(base, BASE),
      lanes,
      layout.exponentBits,
      model.low,
      model.contexts,
      STATE,
      WORK,
      CODED,
      BITS,
      GAP_STREAM_BYTES_MAX,
    );
    if (lengths < 0n) return undefined;
    model.state.set(this.state);
    return {
      coded: this.memory.subarray(CODED, CODED + Number(lengths >> 32n)),
      bits: this.memory.subarray(BITS, BITS + Number(lengths & 0xffffffffn)),
    };
  }

  decode(
    streams: GapStreams,
    base: Uint8Array,
    layout: FloatLayout,
    model: GapModel,
    raw: Uint8Array,
  ): number {
    const lanes = demandGaps(raw, base, layout, model);
    const bits = streams.bits.subarray(0, GAP_STREAM_BYTES_MAX);
    if (streams.coded.length > GAP_STREAM_BYTES_MAX) return -1;
    this.state.set(model.state);
    const to = this.views.output(raw, 0, RAW);
    const coded = this.views.input(streams.coded, CODED);
    const used = (layout.laneBytes === 2 ? this.wasm.decodeGaps16 : this.wasm.decodeGaps32)(
      to,
      this.views.input(base, BASE),
      lanes,
      layout.exponentBits,
      model.low,
      model.contexts,
      STATE,
      WORK,
      coded,
      coded + streams.coded.length,
      this.views.input(bits, BITS),
      8 * bits.length,
    );
    if (used < 0 || (used % 8 !== 0 && bits[used >>> 3] >>> (used % 8) !== 0)) return -1;
    this.views.finish(raw, to);
    model.state.set(this.state);
    return Math.ceil(used / 8);
  }

  sample(raw: Uint8Array, base: Uint8Array, layout: FloatLayout, stride: number, counts: ChangeCounts): void {
    const lanes = demandSample(raw, base, layout, stride);
    this.counts.set(counts.lanes);
    this.counts.set(counts.changed, 256);
    this.counts[512] = counts.touchedTiles;
    (layout.laneBytes === 2 ? this.wasm.sampleChanges16 : this.wasm.sampleChanges32)(
      this.views.input(raw, RAW),
      this.views.input(base, BASE),
      lanes,
      layout.exponentBits,
      stride,
      COUNTS,
    );
    counts.lanes.set(this.counts.subarray(0, 256));
    counts.changed.set(this.counts.subarray(256, 512));
    counts.touchedTiles = this.counts[512];
  }
}
