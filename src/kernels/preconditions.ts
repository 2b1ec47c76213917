/**
 * What both implementations demand of their arguments. A violation is a programming mistake and throws a RangeError:
 * bytes from a store are checked by the codec before they get here.
 */
import { type Formula, formulaShape, knowsOrder } from './formulas.js';
import { GAP_CONTEXTS_MAX, GAP_LOW_MAX, GAP_STATE_ENTRIES, type GapModel } from './gap-model.js';
import { huffmanBytesMax, isCompleteHuffman } from './huffman-model.js';
import {
  BLOCK_BYTES_MAX,
  BLOCK_LANES,
  type ClassStreams,
  CONTEXT_GROUPS_MAX,
  type CommonBit,
  type ContextTables,
  type FloatLayout,
  type LaneLayout,
  LINE_BYTES,
  PROBABILITY_TOTAL,
  REST_BYTES_MAX,
  sevenBytes,
} from './kernels.js';
import {
  MARK_CONTEXTS,
  MARK_STATES,
  MARK_TOTAL,
  type MarkModel,
  markBytes,
  markLowMax,
} from './mark-model.js';
import { isCompletePrefix, PREFIX_LENGTHS, type PrefixModel, prefixBytesMax } from './prefix-model.js';
import {
  STEP_COUNTS,
  STEP_LEVELS_MAX,
  STEP_STATES,
  STEP_TABLES_MAX,
  type StepBlock,
  type StepModel,
  type StepStreams,
  stepBitBytesMax,
} from './step-model.js';

export function demand(condition: boolean, what: string): asserts condition {
  if (!condition) throw new RangeError(`kernel precondition: ${what}`);
}

/** Returns the number of lanes of a block. */
export function demandBlock(
  raw: Uint8Array,
  base: Uint8Array | undefined,
  layout: LaneLayout,
  planes: Uint8Array,
): number {
  demand(planes.length === raw.length, 'planes are as long as the raw block');
  return demandSameLanes(raw, base, layout.laneBytes);
}

/** Returns the number of lanes of a prediction. */
export function demandFormula(
  formula: Formula,
  order: number,
  constants: Float32Array,
  inputs: readonly Uint8Array[],
  output: Uint8Array,
): number {
  const shape = formulaShape(formula);
  const lanes = output.length / shape.outputBytes;
  demand(Number.isInteger(lanes) && lanes <= BLOCK_LANES, `at most ${BLOCK_LANES} whole lanes`);
  demand(knowsOrder(formula, order), 'a known order of operations');
  demand(constants.length === shape.constants, 'the constants of the formula');
  demand(inputs.length === shape.inputBytes.length, 'the inputs of the formula');
  shape.inputBytes.forEach((bytes, index) => {
    demand(inputs[index].length === lanes * bytes, 'inputs have the lanes of the output');
  });
  return lanes;
}

export function demandWindow(bytes: Uint8Array): void {
  demand(bytes.length <= BLOCK_BYTES_MAX, `at most ${BLOCK_BYTES_MAX} bytes`);
}

export function demandPlane(plane: Uint8Array): void {
  demand(plane.length <= BLOCK_LANES, `a plane has at most ${BLOCK_LANES} bytes`);
}

export function demandFrequencies(frequencies: Uint16Array): void {
  demand(frequencies.length === 256, '256 frequencies');
  let total = 0;
  for (let symbol = 0; symbol < 256; symbol++) {
    demand(frequencies[symbol] < PROBABILITY_TOTAL, 'a frequency is below the total');
    total += frequencies[symbol];
  }
  demand(total === PROBABILITY_TOTAL, `frequencies add up to ${PROBABILITY_TOTAL}`);
}

/** Returns the number of lanes of a block of floats with one symbol or exponent each. */
export function demandFloats(lanes: Uint8Array, marks: Uint8Array, { laneBytes }: FloatLayout): number {
  demand(marks.length <= BLOCK_LANES, `a block holds at most ${BLOCK_LANES} lanes`);
  demand(lanes.length === marks.length * laneBytes, 'one mark for each lane');
  return marks.length;
}

/** Returns the number of lanes of a block that is split into classes. */
export function demandClasses(
  raw: Uint8Array,
  base: Uint8Array,
  layout: FloatLayout,
  streams: ClassStreams,
): number {
  const lanes = demandFloats(raw, streams.symbols, layout);
  demandFloats(base, streams.exponents, layout);
  demand(base.length === raw.length, 'the base is as long as the raw block');
  demand(streams.rests.length >= lanes * REST_BYTES_MAX, 'room for all rests');
  demand(streams.counts.length === 65_536, '256 counts for each of 256 exponents');
  return lanes;
}

/** Returns the number of lanes of a block, as many as the base has, if there is one. */
export function demandSameLanes(raw: Uint8Array, base: Uint8Array | undefined, laneBytes: number): number {
  const lanes = raw.length / laneBytes;
  demand(Number.isInteger(lanes) && lanes <= BLOCK_LANES, `at most ${BLOCK_LANES} whole lanes`);
  demand(base === undefined || base.length === raw.length, 'the base is as long as the raw block');
  return lanes;
}

/** Returns the number of lanes of a block in prefix codes; `output` is what it is coded into. */
export function demandPrefix(
  raw: Uint8Array,
  base: Uint8Array,
  { firstExponent, lengths }: PrefixModel,
  output: Uint8Array | undefined,
): number {
  const lanes = demandSameLanes(raw, base, 4);
  demand(Number.isInteger(firstExponent) && firstExponent >= 0 && firstExponent < 256, 'a first exponent');
  demand(lengths.length === PREFIX_LENGTHS && isCompletePrefix(lengths), 'complete codes');
  demand(output === undefined || output.length >= prefixBytesMax(lanes), 'room for any block');
  return lanes;
}

/** A plane in a Huffman code; `output` is what it is coded into. */
export function demandHuffman(plane: Uint8Array, lengths: Uint8Array, output: Uint8Array | undefined): void {
  demandPlane(plane);
  demand(isCompleteHuffman(lengths), 'a complete code');
  demand(output === undefined || output.length >= huffmanBytesMax(plane.length), 'room for any plane');
}

/** A plane as seven bits a byte. */
export function demandSeven(plane: Uint8Array, { bit }: CommonBit, coded: Uint8Array): void {
  demandPlane(plane);
  demand(Number.isInteger(bit) && bit >= 0 && bit < 8, 'a bit of a byte');
  demand(coded.length === sevenBytes(plane.length), 'seven bits for each byte');
}

export function demandContexts(symbols: Uint8Array, contexts: Uint8Array, tables: ContextTables): void {
  demand(symbols.length <= BLOCK_LANES, `a block holds at most ${BLOCK_LANES} lanes`);
  demand(symbols.length === contexts.length, 'one context for each byte');
  const count = tables.frequencies.length / 256;
  demand(count >= 1 && count <= CONTEXT_GROUPS_MAX, `1 to ${CONTEXT_GROUPS_MAX} tables`);
  demand(tables.groups.length === 256 && tables.groups.every((group) => group < count), '256 groups');
  for (let table = 0; table < count; table++) {
    demandFrequencies(tables.frequencies.subarray(256 * table, 256 * table + 256));
  }
}

export function demandGaps(
  raw: Uint8Array,
  base: Uint8Array,
  { laneBytes }: FloatLayout,
  { low, contexts, state }: GapModel,
): number {
  const lanes = demandLanes(raw, base, laneBytes);
  demand(Number.isInteger(low) && low >= 0 && low <= GAP_LOW_MAX, 'a lowest exponent');
  demand(contexts >= 1 && contexts <= GAP_CONTEXTS_MAX, `1 to ${GAP_CONTEXTS_MAX} sparse levels`);
  demand(state.length === GAP_STATE_ENTRIES, 'the state of a model');
  return lanes;
}

export function demandSample(
  raw: Uint8Array,
  base: Uint8Array,
  { laneBytes }: FloatLayout,
  stride: number,
): number {
  demand(Number.isInteger(stride) && stride >= 1, 'a stride');
  return demandLanes(raw, base, laneBytes);
}

function demandLanes(raw: Uint8Array, base: Uint8Array, laneBytes: number): number {
  demand(laneBytes > 1, 'lanes of 2 or 4 bytes');
  const lanes = raw.length / laneBytes;
  demand(Number.isInteger(lanes) && lanes <= BLOCK_LANES, `at most ${BLOCK_LANES} whole lanes`);
  demand(base.length === raw.length, 'the base is as long as the raw block');
  return lanes;
}

/** Returns the number of lanes of a block whose marks are coded. */
export function demandMarks(
  raw: Uint8Array,
  base: Uint8Array,
  layout: FloatLayout,
  { low, probabilities, states }: MarkModel,
): number {
  demand(layout.laneBytes === 2, 'lanes of 2 bytes');
  demand(Number.isInteger(low) && low >= 0 && low <= markLowMax(layout.exponentBits), 'a lowest exponent');
  demand(probabilities.length === MARK_CONTEXTS && states.length === MARK_STATES, 'the parts of a model');
  for (const probability of probabilities)
    demand(probability > 0 && probability < MARK_TOTAL, 'probabilities below the total');
  return demandLanes(raw, base, layout.laneBytes);
}

/** Returns the number of lanes of a block that is split into steps. */
export function demandSplitSteps(
  raw: Uint8Array,
  base: Uint8Array,
  { laneBytes }: FloatLayout,
  { changed, keys, sizes, signs, counts }: StepStreams,
): number {
  demand(laneBytes === 2, 'lanes of 2 bytes');
  const lanes = demandLanes(raw, base, laneBytes);
  demand(changed.length === lanes, 'a byte for each lane');
  demand(keys.length >= raw.length && sizes.length >= raw.length, 'room for all lanes');
  demand(8 * signs.length >= lanes, 'room for all signs');
  demand(counts.length === 256 * STEP_COUNTS, 'counts of each exponent');
  return lanes;
}

/** Returns the number of lanes of a block that was split into steps, and of those that differ. */
export function demandStepBlock(
  { base, changed, keys, sizes, bits }: StepBlock,
  layout: FloatLayout,
  model: StepModel,
): { lanes: number; count: number } {
  const lanes = demandSteps(base, base, layout, model);
  const count = keys.length / 2;
  demand(changed.length === lanes, 'a byte for each lane');
  demand(Number.isInteger(count) && count <= lanes && sizes.length === keys.length, 'a size for each key');
  demand(bits.length >= stepBitBytesMax(count), 'room for all bits');
  return { lanes, count };
}

/** Returns the number of lanes of a block in steps. */
export function demandSteps(
  raw: Uint8Array,
  base: Uint8Array,
  { laneBytes, exponentBits }: FloatLayout,
  { low, levels, probabilities, states }: StepModel,
): number {
  demand(laneBytes === 2, 'lanes of 2 bytes');
  demand(Number.isInteger(low) && low >= 0 && low <= markLowMax(exponentBits), 'a lowest exponent');
  demand(
    Number.isInteger(levels) && levels >= 1 && levels <= STEP_LEVELS_MAX,
    `1 to ${STEP_LEVELS_MAX} levels`,
  );
  const tables = Math.min(levels, STEP_TABLES_MAX);
  demand(
    probabilities.length === MARK_CONTEXTS * tables && states.length === STEP_STATES,
    'the parts of a model',
  );
  for (let at = 0; at < probabilities.length; at++)
    demand(probabilities[at] > 0 && probabilities[at] < MARK_TOTAL, 'probabilities below the total');
  return demandLanes(raw, base, laneBytes);
}

/** Returns the number of lanes, of 2 bytes, that have these marks. */
export function demandMarked(lanes: Uint8Array, marks: Uint8Array): number {
  const count = lanes.length / 2;
  demand(Number.isInteger(count) && count <= BLOCK_LANES, `at most ${BLOCK_LANES} whole lanes`);
  demand(marks.length === markBytes(count), 'a bit for each lane');
  return count;
}

export function demandRoom(output: Uint8Array, lanes: Uint8Array): void {
  demand(output.length >= lanes.length, 'room for all lanes');
}

export function demandLines(a: Uint8Array, b: Uint8Array | undefined, runs: Uint32Array): void {
  demandWindow(a);
  demand(b === undefined || a.length === b.length, 'two blocks of the same length');
  demand(runs.length > Math.ceil(a.length / LINE_BYTES), 'room for all runs');
}

/** Returns the bytes of a piece. */
export function demandPieces(
  a: Uint8Array,
  b: Uint8Array | undefined,
  pieces: number,
  lines: number,
): number {
  demand(b === undefined || a.length === b.length, 'two arrays of the same length');
  demand(pieces >= 2 && lines >= 1 && pieces * lines < 65_536, 'pieces of some lines');
  demand(pieces * lines * LINE_BYTES <= Math.min(a.length, BLOCK_BYTES_MAX), 'as many pieces as there are');
  return lines * LINE_BYTES;
}
