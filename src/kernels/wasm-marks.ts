/** The WebAssembly kernels of marks. */
import type { FloatLayout } from './kernels.js';
import { MARK_STATES, type MarkModel, markBytes } from './mark-model.js';
import { demandMarked, demandMarks, demandRoom } from './preconditions.js';
import { BASE, COUNTS, FREQUENCIES, MARK_TABLES, PLANES, RAW, WINDOW_BYTES } from './wasm-memory.js';
import type { WasmExports } from './wasm-module.js';
import type { WasmViews } from './wasm-views.js';

/** Lanes that are taken together. */
const GROUP_LANES = 32;
const GROUP_BYTES = 2 * GROUP_LANES;

const PROBABILITIES = FREQUENCIES;
const STATES = FREQUENCIES + 64;
const WORK = FREQUENCIES + 128;
/** The last lanes, where they are no whole group. */
const LAST_RAW = COUNTS;
const LAST_BASE = COUNTS + GROUP_BYTES;

const MARKS = PLANES;
const CODED = PLANES + WINDOW_BYTES / 2;
const CODED_END = PLANES + WINDOW_BYTES;

export class WasmMarks {
  private readonly wasm: WasmExports;
  private readonly views: WasmViews;
  private readonly memory: Uint8Array;
  private readonly states: Uint16Array;

  constructor(wasm: WasmExports, views: WasmViews) {
    this.wasm = wasm;
    this.views = views;
    this.memory = new Uint8Array(wasm.memory.buffer);
    this.states = new Uint16Array(wasm.memory.buffer, STATES, MARK_STATES);
    wasm.buildMarkTables(MARK_TABLES);
  }

  mark(raw: Uint8Array, base: Uint8Array, marks: Uint8Array): void {
    const lanes = demandMarked(raw, marks);
    demandMarked(base, marks);
    this.wasm.markLanes16(this.views.input(raw, RAW), this.views.input(base, BASE), lanes, MARKS);
    if (lanes % 8 !== 0) this.memory[MARKS + (lanes >>> 3)] &= (1 << (lanes % 8)) - 1;
    marks.set(this.memory.subarray(MARKS, MARKS + marks.length));
  }

  encode(raw: Uint8Array, base: Uint8Array, layout: FloatLayout, model: MarkModel): Uint8Array {
    const lanes = demandMarks(raw, base, layout, model);
    const groups = Math.floor(lanes / GROUP_LANES);
    this.memory.set(model.probabilities, PROBABILITIES);
    this.states.set(model.states);
    let start = CODED_END;
    if (lanes % GROUP_LANES !== 0) {
      this.placeLast(raw, groups * GROUP_BYTES, LAST_RAW);
      this.placeLast(base, groups * GROUP_BYTES, LAST_BASE);
      start = this.encodeGroups(LAST_RAW, LAST_BASE, 1, layout, model, start);
    }
    const from = this.views.input(raw, RAW);
    start = this.encodeGroups(from, this.views.input(base, BASE), groups, layout, model, start);
    model.states.set(this.states);
    return this.memory.subarray(start, CODED_END);
  }

  private encodeGroups(
    raw: number,
    base: number,
    groups: number,
    { exponentBits }: FloatLayout,
    { low }: MarkModel,
    end: number,
  ): number {
    const { wasm } = this;
    return wasm.encodeMarks16(
      raw,
      base,
      groups,
      exponentBits,
      low,
      PROBABILITIES,
      STATES,
      MARK_TABLES,
      WORK,
      end,
    );
  }

  /** Puts the lanes from `start` on where they are a whole group: the others have all bits set. */
  private placeLast(lanes: Uint8Array, start: number, to: number): void {
    this.memory.fill(255, to, to + GROUP_BYTES);
    this.memory.set(lanes.subarray(start), to);
  }

  decode(
    coded: Uint8Array,
    base: Uint8Array,
    layout: FloatLayout,
    model: MarkModel,
    marks: Uint8Array,
  ): number {
    const lanes = demandMarks(base, base, layout, model);
    demandMarked(base, marks);
    const groups = Math.floor(lanes / GROUP_LANES);
    const given = coded.subarray(0, lanes + GROUP_LANES);
    this.memory.set(model.probabilities, PROBABILITIES);
    this.states.set(model.states);
    const bytes = this.views.input(given, CODED);
    const end = bytes + given.length;
    const from = this.views.input(base, BASE);
    let at = this.decodeGroups(bytes, end, from, groups, layout, model, MARKS);
    if (at !== 0 && lanes % GROUP_LANES !== 0) {
      this.placeLast(base, groups * GROUP_BYTES, LAST_BASE);
      at = this.decodeGroups(at, end, LAST_BASE, 1, layout, model, MARKS + groups * 4);
      if (this.hasMarksPast(lanes)) return -1;
    }
    if (at === 0) return -1;
    model.states.set(this.states);
    marks.set(this.memory.subarray(MARKS, MARKS + marks.length));
    return at - bytes;
  }

  private decodeGroups(
    bytes: number,
    end: number,
    base: number,
    groups: number,
    { exponentBits }: FloatLayout,
    { low }: MarkModel,
    marks: number,
  ): number {
    const { wasm } = this;
    return wasm.decodeMarks16(
      bytes,
      end,
      base,
      groups,
      exponentBits,
      low,
      PROBABILITIES,
      STATES,
      MARK_TABLES,
      marks,
    );
  }

  private hasMarksPast(lanes: number): boolean {
    const first = MARKS + (lanes >>> 3);
    const end = MARKS + 4 * Math.ceil(lanes / GROUP_LANES);
    if (this.memory[first] >>> (lanes & 7) !== 0) return true;
    return this.memory.subarray(first + 1, end).some((byte) => byte !== 0);
  }

  gather(lanes: Uint8Array, marks: Uint8Array, output: Uint8Array): number {
    demandMarked(lanes, marks);
    demandRoom(output, lanes);
    const to = this.views.output(output, 0, BASE);
    const from = this.views.input(lanes, RAW);
    const where = this.views.input(marks, MARKS);
    const length = this.wasm.gatherMarked16(from, where, marks.length, MARK_TABLES, to) - to;
    this.views.finish(output.subarray(0, length), to);
    return length;
  }

  scatter(values: Uint8Array, marks: Uint8Array, base: Uint8Array, raw: Uint8Array): number {
    const lanes = demandMarked(base, marks);
    demandMarked(raw, marks);
    const to = this.views.output(raw, lanes, RAW);
    const from = this.views.input(values.subarray(0, base.length), CODED);
    const end = this.wasm.scatterMarked16(
      from,
      this.views.input(marks, MARKS),
      markBytes(lanes),
      MARK_TABLES,
      this.views.input(base, BASE),
      to,
    );
    this.views.finish(raw, to);
    return end - from;
  }
}
