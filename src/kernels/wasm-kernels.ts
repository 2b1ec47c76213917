/**
 * The WebAssembly kernels. What does not lie in the arena is copied into a bounded window of the instance's memory, and
 * results out of one; blocks are small enough that both copies stay in the L2 cache.
 */
import { Arena } from './arena.js';
import type { Formula } from './formulas.js';
import type { ChangeCounts, GapModel, GapStreams } from './gap-model.js';
import { gearTable } from './gear-table.js';
import {
  BLOCK_BYTES_MAX,
  type BoundaryRule,
  type ByteRange,
  type ClassStreams,
  type ContextTables,
  type FloatLayout,
  type Kernels,
  type LaneBytes,
  type LaneLayout,
  type SparseStreams,
  type StateCount,
} from './kernels.js';
import {
  demand,
  demandBlock,
  demandFormula,
  demandFrequencies,
  demandPlane,
  demandWindow,
} from './preconditions.js';
import { WasmClasses } from './wasm-classes.js';
import { WasmCosts } from './wasm-costs.js';
import { WasmGaps } from './wasm-gaps.js';
import { WasmLines } from './wasm-lines.js';
import { WasmMarks } from './wasm-marks.js';
import {
  ARENA,
  BASE,
  CONSTANTS,
  CONSTANTS_MAX,
  COUNTS,
  FORMULA_INPUTS,
  FREQUENCIES,
  GEAR,
  HASH_OUTPUT,
  HASH_SECRET,
  HASH_SUMS,
  MEMORY_BYTES,
  PLANES,
  RAW,
  SPARE_COUNTS,
  STEP_LANES,
  TABLE,
  WINDOW_BYTES,
  ZEROS,
} from './wasm-memory.js';
import type { WasmExports } from './wasm-module.js';
import { WasmPlanes } from './wasm-planes.js';
import { runFormula } from './wasm-predict.js';
import { WasmPrefix } from './wasm-prefix.js';
import { WasmSteps } from './wasm-steps.js';
import { WasmViews } from './wasm-views.js';
import { XXH3_SECRET_BYTES, xxh3Secret } from './xxh3-secret.js';

/** XXH3: the longest input of the short form, a block of the striped loop, and the stripe its end may reach back to. */
const HASH_SHORT_MAX = 240;
const HASH_BLOCK_BYTES = 1024;
const HASH_STRIPE_BYTES = 64;
/** Bytes hashed at a time: copied in from memory once, then read from the cache. */
const HASH_WINDOW_BLOCKS = 256;

type Split = WasmExports['split8'];

export class WasmKernels implements Kernels {
  readonly implementation = 'wasm';
  readonly arena: Arena;
  private readonly wasm: WasmExports;
  private readonly views: WasmViews;
  private readonly memory: Uint8Array;
  private readonly memory16: Uint16Array;
  private readonly memory32: Uint32Array;
  /** Where kernels look for the constants of a formula. */
  private readonly constants: Float32Array;
  private readonly splits: Record<LaneBytes, Split>;
  private readonly merges: Record<LaneBytes, Split>;
  private readonly classes: WasmClasses;
  private readonly costs: WasmCosts;
  private readonly lines: WasmLines;
  private readonly planes: WasmPlanes;
  private readonly prefix: WasmPrefix;
  private readonly gaps: WasmGaps;
  private readonly marks: WasmMarks;
  readonly logarithms: Float64Array;
  readonly sampledHistogram: Kernels['sampledHistogram'] = (...plane) =>
    this.costs.sampledHistogram(...plane);
  readonly planeBits: Kernels['planeBits'] = (...block) => this.costs.planeBits(...block);
  readonly classBits: Kernels['classBits'] = (...block) => this.costs.classBits(...block);
  readonly differingRuns: Kernels['differingRuns'] = (...blocks) => this.lines.differingRuns(...blocks);
  readonly sampleLines: Kernels['sampleLines'] = (...arrays) => this.lines.sample(...arrays);

  private readonly steps: WasmSteps;
  readonly encodeHuffman: Kernels['encodeHuffman'] = (...plane) => this.planes.encode(...plane);
  readonly decodeHuffman: Kernels['decodeHuffman'] = (...plane) => this.planes.decode(...plane);
  readonly packSeven: Kernels['packSeven'] = (...plane) => this.planes.packSeven(...plane);
  readonly unpackSeven: Kernels['unpackSeven'] = (...plane) => this.planes.unpackSeven(...plane);
  readonly countPrefix: Kernels['countPrefix'] = (...block) => this.prefix.count(...block);
  readonly encodePrefix: Kernels['encodePrefix'] = (...block) => this.prefix.encode(...block);
  readonly decodePrefix: Kernels['decodePrefix'] = (...block) => this.prefix.decode(...block);
  readonly markLanes: Kernels['markLanes'] = (...block) => this.marks.mark(...block);
  readonly encodeMarks: Kernels['encodeMarks'] = (...block) => this.marks.encode(...block);
  readonly decodeMarks: Kernels['decodeMarks'] = (...block) => this.marks.decode(...block);
  readonly gatherMarked: Kernels['gatherMarked'] = (...block) => this.marks.gather(...block);
  readonly scatterMarked: Kernels['scatterMarked'] = (...block) => this.marks.scatter(...block);
  readonly splitSteps: Kernels['splitSteps'] = (...block) => this.steps.split(...block);
  readonly encodeSteps: Kernels['encodeSteps'] = (...block) => this.steps.encode(...block);
  readonly decodeSteps: Kernels['decodeSteps'] = (...block) => this.steps.decode(...block);

  constructor(wasm: WasmExports) {
    const { buffer } = wasm.memory;
    demand(buffer.byteLength >= MEMORY_BYTES, 'the module has enough memory');
    this.wasm = wasm;
    this.memory = new Uint8Array(buffer);
    this.memory16 = new Uint16Array(buffer);
    this.memory32 = new Uint32Array(buffer);
    this.constants = new Float32Array(buffer, CONSTANTS, CONSTANTS_MAX);
    this.splits = { 1: wasm.split8, 2: wasm.split16, 4: wasm.split32, 8: wasm.split64 };
    this.merges = { 1: wasm.merge8, 2: wasm.merge16, 4: wasm.merge32, 8: wasm.merge64 };
    this.views = new WasmViews(wasm);
    this.arena = new Arena(buffer, ARENA, MEMORY_BYTES);
    this.classes = new WasmClasses(wasm, this.views);
    this.costs = new WasmCosts(wasm, this.views, this.classes);
    this.lines = new WasmLines(wasm, this.views);
    this.logarithms = this.costs.logarithms;
    this.planes = new WasmPlanes(wasm, this.views);
    this.prefix = new WasmPrefix(wasm, this.views);
    this.gaps = new WasmGaps(wasm, this.views);
    this.marks = new WasmMarks(wasm, this.views);
    this.steps = new WasmSteps(wasm, this.views);
    this.memory.set(xxh3Secret(), HASH_SECRET);
    this.memory32.set(gearTable(), GEAR / 4);
    demand(HASH_SECRET + XXH3_SECRET_BYTES <= GEAR, 'tables do not overlap');
  }

  splitPlanes(raw: Uint8Array, base: Uint8Array | undefined, layout: LaneLayout, planes: Uint8Array): void {
    const lanes = demandBlock(raw, base, layout, planes);
    const stride = paddedLanes(lanes);
    const to = this.views.output(planes, lanes, PLANES);
    this.splits[layout.laneBytes](
      this.views.input(raw, RAW),
      this.placeBase(base),
      to,
      stride,
      layout.lane === 'float' ? 1 : 0,
    );
    if (to !== PLANES) return;
    for (let plane = 0; plane < layout.laneBytes; plane++) {
      this.views.finish(planes.subarray(plane * lanes, (plane + 1) * lanes), PLANES + plane * stride);
    }
  }

  mergePlanes(planes: Uint8Array, base: Uint8Array | undefined, layout: LaneLayout, raw: Uint8Array): void {
    const lanes = demandBlock(raw, base, layout, planes);
    const stride = paddedLanes(lanes);
    const to = this.views.output(raw, lanes, RAW);
    this.merges[layout.laneBytes](
      this.placePlanes(planes, lanes, layout.laneBytes),
      this.placeBase(base),
      to,
      stride,
      layout.lane === 'float' ? 1 : 0,
    );
    this.views.finish(raw, to);
  }

  private placePlanes(planes: Uint8Array, lanes: number, count: number): number {
    const stride = paddedLanes(lanes);
    if (stride === lanes) return this.views.input(planes, PLANES);
    for (let plane = 0; plane < count; plane++) {
      this.memory.set(planes.subarray(plane * lanes, (plane + 1) * lanes), PLANES + plane * stride);
    }
    return PLANES;
  }

  private placeBase(base: Uint8Array | undefined): number {
    return base === undefined ? ZEROS : this.views.input(base, BASE);
  }

  predict(
    formula: Formula,
    order: number,
    constants: Float32Array,
    inputs: readonly Uint8Array[],
    output: Uint8Array,
  ): void {
    const lanes = demandFormula(formula, order, constants, inputs, output);
    const pointers = inputs.map((input, index) => this.views.input(input, FORMULA_INPUTS[index]));
    const to = this.views.output(output, lanes, PLANES);
    this.constants.set(constants);
    runFormula(this.wasm, formula, order, pointers, to, lanes, CONSTANTS);
    this.views.finish(output, to);
  }

  isSame(a: Uint8Array, b: Uint8Array): boolean {
    if (a.length !== b.length) return false;
    for (let start = 0; start < a.length; start += BLOCK_BYTES_MAX) {
      const end = Math.min(a.length, start + BLOCK_BYTES_MAX);
      const first = this.views.input(a.subarray(start, end), RAW);
      const second = this.views.input(b.subarray(start, end), BASE);
      if (this.wasm.isSame(first, second, end - start) === 0) return false;
    }
    return true;
  }

  histogram(bytes: Uint8Array, counts: Uint32Array): void {
    demandWindow(bytes);
    this.wasm.histogram(this.views.input(bytes, RAW), bytes.length, COUNTS, SPARE_COUNTS);
    counts.set(this.memory32.subarray(COUNTS / 4, COUNTS / 4 + 256));
  }

  byteRange(bytes: Uint8Array): ByteRange {
    demandWindow(bytes);
    demand(bytes.length > 0, 'a byte');
    const range = this.wasm.byteRange(this.views.input(bytes, RAW), bytes.length);
    return { lowest: range & 255, highest: (range >> 8) & 255, varying: range >> 16 };
  }

  encodeEntropy(bytes: Uint8Array, frequencies: Uint16Array, states: StateCount): Uint8Array | undefined {
    demandWindow(bytes);
    demandFrequencies(frequencies);
    this.memory16.set(frequencies, FREQUENCIES / 2);
    this.wasm.buildEncodeTable(FREQUENCIES, TABLE);
    const end = PLANES + WINDOW_BYTES;
    const encode = states === 1 ? this.wasm.encode1 : this.wasm.encode4;
    const length = encode(this.views.input(bytes, RAW), bytes.length, TABLE, end);
    return length < 0 ? undefined : this.memory.subarray(end - length, end);
  }

  decodeEntropy(
    coded: Uint8Array,
    frequencies: Uint16Array,
    states: StateCount,
    output: Uint8Array,
  ): boolean {
    demandWindow(output);
    demandFrequencies(frequencies);
    if (coded.length < 4 * states || coded.length > output.length) return false;
    this.memory16.set(frequencies, FREQUENCIES / 2);
    this.wasm.buildDecodeTable(FREQUENCIES, TABLE);
    const decode = states === 1 ? this.wasm.decode1 : this.wasm.decode4;
    const from = this.views.input(coded, PLANES);
    const to = this.views.output(output, 0, RAW);
    const whole = decode(from, from + coded.length, TABLE, to, output.length) === 1;
    if (whole) this.views.finish(output, to);
    return whole;
  }

  splitClasses(raw: Uint8Array, base: Uint8Array, layout: FloatLayout, streams: ClassStreams): number {
    return this.classes.split(raw, base, layout, streams);
  }

  mergeClasses(
    symbols: Uint8Array,
    rests: Uint8Array,
    base: Uint8Array,
    layout: FloatLayout,
    raw: Uint8Array,
  ): number {
    return this.classes.merge(symbols, rests, base, layout, raw);
  }

  laneExponents(base: Uint8Array, layout: FloatLayout, exponents: Uint8Array): void {
    this.classes.exponents(base, layout, exponents);
  }

  encodeContexts(symbols: Uint8Array, contexts: Uint8Array, tables: ContextTables): Uint8Array | undefined {
    return this.classes.encode(symbols, contexts, tables);
  }

  decodeContexts(
    coded: Uint8Array,
    contexts: Uint8Array,
    tables: ContextTables,
    symbols: Uint8Array,
  ): boolean {
    return this.classes.decode(coded, contexts, tables, symbols);
  }

  encodeGaps(
    raw: Uint8Array,
    base: Uint8Array,
    layout: FloatLayout,
    model: GapModel,
  ): GapStreams | undefined {
    return this.gaps.encode(raw, base, layout, model);
  }

  decodeGaps(
    streams: GapStreams,
    base: Uint8Array,
    layout: FloatLayout,
    model: GapModel,
    raw: Uint8Array,
  ): number {
    return this.gaps.decode(streams, base, layout, model, raw);
  }

  sampleChanges(
    raw: Uint8Array,
    base: Uint8Array,
    layout: FloatLayout,
    stride: number,
    counts: ChangeCounts,
  ): void {
    this.gaps.sample(raw, base, layout, stride, counts);
  }

  gatherSparse(plane: Uint8Array): SparseStreams {
    demandPlane(plane);
    const counts = this.wasm.gatherSparse(this.views.paddedInput(plane, RAW), plane.length, BASE, PLANES);
    return {
      gaps: this.memory.subarray(BASE, BASE + Number(counts >> 32n)),
      values: this.memory.subarray(PLANES, PLANES + Number(counts & 0xffffffffn)),
    };
  }

  scatterSparse(gaps: Uint8Array, values: Uint8Array, plane: Uint8Array): boolean {
    demandPlane(plane);
    if (gaps.length > plane.length || values.length > plane.length) return false;
    const fits = this.wasm.scatterSparse(
      this.views.input(gaps, BASE),
      gaps.length,
      this.views.input(values, PLANES),
      values.length,
      RAW,
      plane.length,
    );
    if (fits === 1) this.views.finish(plane, RAW);
    return fits === 1;
  }

  contentHash(bytes: Uint8Array): Uint8Array {
    if (bytes.length <= HASH_SHORT_MAX) {
      this.wasm.hashShort(this.views.input(bytes, RAW), bytes.length, HASH_SECRET, HASH_OUTPUT);
    } else {
      this.hashLong(bytes);
    }
    return this.memory.slice(HASH_OUTPUT, HASH_OUTPUT + 16);
  }

  private hashLong(bytes: Uint8Array): void {
    const blocks = Math.floor((bytes.length - 1) / HASH_BLOCK_BYTES);
    const windowBlocks = this.arena.holds(bytes) ? blocks : HASH_WINDOW_BLOCKS;
    this.wasm.hashStart(HASH_SUMS);
    for (let block = 0; block < blocks; block += windowBlocks) {
      const count = Math.min(windowBlocks, blocks - block);
      const start = block * HASH_BLOCK_BYTES;
      const piece = bytes.subarray(start, start + count * HASH_BLOCK_BYTES);
      this.wasm.hashBlocks(this.views.input(piece, RAW), count, HASH_SECRET, HASH_SUMS);
    }
    const tailStart = blocks * HASH_BLOCK_BYTES;
    const from = Math.max(0, tailStart - HASH_STRIPE_BYTES);
    const end = this.views.input(bytes.subarray(from), RAW);
    this.wasm.hashFinish(
      end + tailStart - from,
      bytes.length - tailStart,
      bytes.length,
      HASH_SECRET,
      HASH_SUMS,
      HASH_OUTPUT,
    );
  }

  contentBoundary(bytes: Uint8Array, rule: BoundaryRule): number {
    demandWindow(bytes);
    if (bytes.length <= rule.minBytes) return bytes.length;
    return this.wasm.contentBoundary(
      this.views.input(bytes, RAW),
      bytes.length,
      GEAR,
      rule.minBytes,
      rule.normalBytes,
      rule.earlyMask,
      rule.lateMask,
    );
  }
}

function paddedLanes(lanes: number): number {
  return Math.ceil(lanes / STEP_LANES) * STEP_LANES;
}
