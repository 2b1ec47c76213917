/**
 * The compiled WebAssembly module. Compilation is synchronous and happens once; every instance has its own memory. The
 * types are declared here because the library is compiled without those of the browser.
 */

import { KERNELS_WASM } from './wasm.generated.js';
import type { MarkExports } from './wasm-mark-exports.js';

/** Kernels of predictions, by the number of their inputs; `k` points to the constants. */
type PredictOf1 = (a: number, output: number, lanes: number, order: number, k: number) => void;
type PredictOf2 = (a: number, b: number, output: number, lanes: number, order: number, k: number) => void;
type PredictOf3 = (
  a: number,
  b: number,
  c: number,
  output: number,
  lanes: number,
  order: number,
  k: number,
) => void;
type PredictOf4 = (
  a: number,
  b: number,
  c: number,
  d: number,
  output: number,
  lanes: number,
  order: number,
  k: number,
) => void;

/** What assembly/index.ts exports. Pointers and lengths are bytes in `memory`; see there for meanings. */
export interface WasmExports extends MarkExports {
  readonly memory: { readonly buffer: ArrayBuffer };
  split8(raw: number, base: number, planes: number, stride: number, float: number): void;
  split16(raw: number, base: number, planes: number, stride: number, float: number): void;
  split32(raw: number, base: number, planes: number, stride: number, float: number): void;
  split64(raw: number, base: number, planes: number, stride: number, float: number): void;
  merge8(planes: number, base: number, raw: number, stride: number, float: number): void;
  merge16(planes: number, base: number, raw: number, stride: number, float: number): void;
  merge32(planes: number, base: number, raw: number, stride: number, float: number): void;
  merge64(planes: number, base: number, raw: number, stride: number, float: number): void;
  laneExponents8(base: number, lanes: number, bits: number, exponents: number): void;
  laneExponents16(base: number, lanes: number, bits: number, exponents: number): void;
  laneExponents32(base: number, lanes: number, bits: number, exponents: number): void;
  splitClasses8(raw: number, base: number, lanes: number, symbols: number, sizes: number): void;
  splitClasses16(raw: number, base: number, lanes: number, symbols: number, sizes: number): void;
  splitClasses32(raw: number, base: number, lanes: number, symbols: number, sizes: number): void;
  splitFarClasses32(raw: number, base: number, lanes: number, symbols: number, sizes: number): void;
  packFarRests(symbols: number, sizes: number, lanes: number, rests: number): number;
  unpackFarRests(symbols: number, rests: number, lanes: number, sizes: number): number;
  mergeFarClasses32(symbols: number, sizes: number, base: number, lanes: number, raw: number): void;
  packRests(symbols: number, sizes: number, lanes: number, rests: number): number;
  countClasses(symbols: number, exponents: number, lanes: number, histogram: number, counts: number): void;
  unpackRests(symbols: number, rests: number, lanes: number, sizes: number): number;
  mergeClasses8(symbols: number, sizes: number, base: number, lanes: number, raw: number): void;
  mergeClasses16(symbols: number, sizes: number, base: number, lanes: number, raw: number): void;
  mergeClasses32(symbols: number, sizes: number, base: number, lanes: number, raw: number): void;
  encodeContexts(bytes: number, contexts: number, length: number, map: number, end: number): number;
  decodeContexts(
    coded: number,
    end: number,
    map: number,
    contexts: number,
    output: number,
    length: number,
  ): number;
  buildLogarithms(table: number): void;
  classBits(
    symbols: number,
    exponents: number,
    lanes: number,
    far: number,
    present: number,
    counts: number,
    logarithms: number,
    valueBits: number,
  ): number;
  entropyBits(counts: number, logarithms: number, valueBits: number): number;
  planeBits(
    planes: number,
    lanes: number,
    stride: number,
    count: number,
    counts: number,
    logarithms: number,
    valueBits: number,
  ): number;
  packSeven(bytes: number, length: number, bit: number, out: number): void;
  unpackSeven(coded: number, length: number, bit: number, value: number, out: number): number;
  buildHuffmanEncode(lengths: number, table: number): void;
  buildHuffmanDecode(lengths: number, singles: number, table: number): void;
  buildHuffmanPairs(lengths: number, coded: number, table: number, pairs: number): number;
  huffmanEncode(bytes: number, length: number, table: number, pairs: number, out: number): number;
  huffmanDecode(
    sizes: number,
    coded: number,
    table: number,
    lengths: number,
    output: number,
    length: number,
    streams: number,
  ): number;
  buildPrefixEncode(lengths: number, table: number): void;
  buildPrefixDecode(lengths: number, table: number): void;
  prefixSymbols(
    raw: number,
    base: number,
    lanes: number,
    lowBytes: number,
    firstExponent: number,
    symbols: number,
  ): void;
  prefixSplit(
    raw: number,
    base: number,
    lanes: number,
    lowBytes: number,
    firstExponent: number,
    low: number,
    symbols: number,
    values: number,
    tops: number,
  ): number;
  prefixEncode(
    symbols: number,
    values: number,
    lanes: number,
    first: number,
    table: number,
    out: number,
  ): number;
  prefixContexts(base: number, lanes: number, firstExponent: number, output: number): void;
  prefixDecode(
    sizes: number,
    coded: number,
    contexts: number,
    table: number,
    lanes: number,
    values: number,
    streams: number,
  ): number;
  prefixMerge(
    values: number,
    low: number,
    lowBytes: number,
    tops: number,
    topCount: number,
    base: number,
    lanes: number,
    raw: number,
  ): number;
  isSame(a: number, b: number, length: number): number;
  encodeGaps16(
    raw: number,
    base: number,
    lanes: number,
    bits: number,
    low: number,
    contexts: number,
    state: number,
    work: number,
    coded: number,
    plain: number,
    room: number,
  ): bigint;
  decodeGaps16(
    raw: number,
    base: number,
    lanes: number,
    bits: number,
    low: number,
    contexts: number,
    state: number,
    work: number,
    coded: number,
    codedEnd: number,
    plain: number,
    plainBits: number,
  ): number;
  differingRuns(a: number, b: number, length: number, runs: number): number;
  sampleLines(a: number, b: number, all: number, pieces: number, lines: number, still: number): number;
  sampleChanges16(
    raw: number,
    base: number,
    lanes: number,
    bits: number,
    stride: number,
    counts: number,
  ): void;
  encodeGaps32(
    raw: number,
    base: number,
    lanes: number,
    bits: number,
    low: number,
    contexts: number,
    state: number,
    work: number,
    coded: number,
    plain: number,
    room: number,
  ): bigint;
  decodeGaps32(
    raw: number,
    base: number,
    lanes: number,
    bits: number,
    low: number,
    contexts: number,
    state: number,
    work: number,
    coded: number,
    codedEnd: number,
    plain: number,
    plainBits: number,
  ): number;
  sampleChanges32(
    raw: number,
    base: number,
    lanes: number,
    bits: number,
    stride: number,
    counts: number,
  ): void;
  sampledHistogram(bytes: number, length: number, counts: number, spare: number): void;
  byteRange(bytes: number, length: number): number;
  histogram(bytes: number, length: number, counts: number, spare: number): void;
  buildEncodeTable(frequencies: number, table: number): void;
  buildDecodeTable(frequencies: number, table: number): void;
  encode1(bytes: number, length: number, table: number, end: number): number;
  encode4(bytes: number, length: number, table: number, end: number): number;
  decode1(coded: number, end: number, table: number, output: number, length: number): number;
  decode4(coded: number, end: number, table: number, output: number, length: number): number;
  gatherSparse(plane: number, length: number, gaps: number, values: number): bigint;
  scatterSparse(
    gaps: number,
    gapCount: number,
    values: number,
    valueCount: number,
    plane: number,
    length: number,
  ): number;
  contentBoundary(
    bytes: number,
    length: number,
    gear: number,
    minBytes: number,
    normalBytes: number,
    earlyMask: number,
    lateMask: number,
  ): number;
  narrowToBf16(input: number, output: number, lanes: number): void;
  widenBf16(input: number, output: number, lanes: number): void;
  narrowToF16(input: number, output: number, lanes: number): void;
  widenF16(input: number, output: number, lanes: number): void;
  predictSecondMoment: PredictOf3;
  predictStepSquare: PredictOf3;
  predictFirstMoment: PredictOf2;
  predictFadedMoment: PredictOf1;
  predictScaledMoment: PredictOf2;
  predictDecayedMoment: PredictOf3;
  recoverGradient: PredictOf2;
  recoverScaled: PredictOf3;
  predictAdamWeights: PredictOf3;
  predictLazyAdamWeights: PredictOf4;
  predictNadamWeights: PredictOf4;
  predictMomentumWeights: PredictOf2;
  predictNesterovWeights: PredictOf3;
  predictLionWeights: PredictOf3;
  predictAverage: PredictOf2;
  predictMaximum(before: number, x: number, output: number, lanes: number): void;
  hashShort(input: number, length: number, secret: number, output: number): void;
  hashStart(sums: number): void;
  hashBlocks(input: number, blocks: number, secret: number, sums: number): void;
  hashFinish(input: number, tail: number, length: number, secret: number, sums: number, output: number): void;
}

interface WasmHost {
  validate(bytes: Uint8Array): boolean;
  Module: new (bytes: Uint8Array) => object;
  Instance: new (module: object, imports: Record<string, never>) => { readonly exports: unknown };
}

let compiled: object | undefined;

function host(): WasmHost | undefined {
  return (globalThis as { WebAssembly?: unknown }).WebAssembly as WasmHost | undefined;
}

/** Compiles the module on first use; returns undefined where this machine has no WebAssembly SIMD. */
function compiledModule(wasm: WasmHost): object | undefined {
  if (compiled === undefined) {
    const bytes = Uint8Array.from(atob(KERNELS_WASM), (character) => character.charCodeAt(0));
    if (wasm.validate(bytes)) compiled = new wasm.Module(bytes);
  }
  return compiled;
}

/** Returns the compiled module, which can be posted to another thread; undefined where there is no WebAssembly SIMD. */
export function compiledKernels(): object | undefined {
  const wasm = host();
  return wasm === undefined ? undefined : compiledModule(wasm);
}

/** Takes over a module that another thread compiled: threads then share its machine code. */
export function adoptKernels(module: object): void {
  compiled = module;
}

/** Returns a new instance with its own memory, or undefined where this machine has no WebAssembly SIMD. */
export function instantiateWasm(): WasmExports | undefined {
  const wasm = host();
  const module = compiledKernels();
  return wasm === undefined || module === undefined
    ? undefined
    : (new wasm.Instance(module, {}).exports as WasmExports);
}
