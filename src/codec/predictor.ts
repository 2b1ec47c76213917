/** Predicted bytes of a chunk, a block at a time: what a residual is taken against. */
import type { ByteWriter } from '../bytes/index.js';
import { BLOCK_LANES, type Formula, formulaShape, type Kernels } from '../kernels/index.js';
import { type DTypeInfo, dtypeInfo } from '../tensor/index.js';
import { PREDICTOR } from './record-ids.js';
import { scratchBytes } from './scratch.js';

export interface Predictor {
  /** Writes the id of the predictor and what it needs to know besides its inputs. */
  writeHeader(writer: ByteWriter): void;

  /** All predicted bytes, where they are at hand. */
  readonly whole: Uint8Array | undefined;

  /** Lanes that the record holds before the residual, if it does. */
  readonly side: SideLanes | undefined;

  /**
   * Returns bytes `[start, end)` of the predicted chunk, at most a block of whole lanes; `side` are the side lanes of the
   * same elements. They are put into `target` if they are computed; without one they are valid until the next call of any predictor.
   */
  block(start: number, end: number, side: Uint8Array | undefined, target?: Uint8Array): Uint8Array;

  /** Returns the same predictor over some lanes of each input. */
  over(take: TakeLanes): Predictor;
}

/** Returns some of the lanes of an input; lanes have the size of those of the chunk unless it is given. */
export type TakeLanes = (input: Uint8Array, laneBytes?: number) => Uint8Array;

export interface SideLanes {
  readonly info: DTypeInfo;
  /** Returns the encoder's side lanes for `raw`, which are bytes `[start, start + raw.length)` of the chunk. */
  recover(raw: Uint8Array, start: number, memory?: (bytes: number) => Uint8Array): Uint8Array;
}

/** Returns all predicted bytes of a chunk; not a copy where that is an input. */
export function wholePrediction(
  predictor: Predictor,
  length: number,
  info: DTypeInfo,
  side: Uint8Array | undefined,
  memory: (bytes: number) => Uint8Array = (bytes) => new Uint8Array(bytes),
): Uint8Array {
  if (predictor.whole !== undefined) return predictor.whole;
  const predicted = memory(length);
  const blockBytes = BLOCK_LANES * info.laneBytes;
  for (let start = 0; start < length; start += blockBytes) {
    const end = Math.min(length, start + blockBytes);
    const sideBytes = (at: number) => (at / info.laneBytes) * (predictor.side?.info.laneBytes ?? 0);
    const sideLanes = side?.subarray(sideBytes(start), sideBytes(end));
    predictor.block(start, end, sideLanes, predicted.subarray(start, end));
  }
  return predicted;
}

/** The residual is taken against the same bytes of one input. */
export function basePredictor(base: Uint8Array): Predictor {
  return {
    whole: base,
    side: undefined,
    writeHeader: (writer) => writer.u8(PREDICTOR.base),
    block: (start, end) => base.subarray(start, end),
    over: (take) => basePredictor(take(base)),
  };
}

/** A formula with all it takes to compute it. */
export interface Form {
  readonly formula: Formula;
  readonly order: number;
  readonly constants: readonly number[];
}

/** The buffer that all predictors of a codec share: a block is used up before the next one is made. */
export interface PredictorRoom {
  readonly kernels: Kernels;
  readonly output: Uint8Array;
}

export function predictorRoom(kernels: Kernels): PredictorRoom {
  return { kernels, output: scratchBytes(kernels, BLOCK_LANES * 4) };
}

/** Formulas whose last input are gradients that the record holds, and those that find them. */
const GRADIENTS_BY = new Map<Formula, Formula>([
  ['adam-first-moment', 'recover-gradient'],
  ['scaled-moment', 'recover-scaled'],
  ['decayed-moment', 'recover-decayed'],
]);
/** In orders of the latter two: gradients are f16 instead of bf16. */
const IS_F16 = 8;

/** Returns the bytes of a lane of each input that is not in the record itself. */
export function givenInputs(formula: Formula): readonly number[] {
  const { inputBytes } = formulaShape(formula);
  return GRADIENTS_BY.has(formula) ? inputBytes.slice(0, -1) : inputBytes;
}

/** Predicts by a formula over inputs that have the same elements as the chunk. */
export function formulaPredictor(
  room: PredictorRoom,
  form: Form,
  inputs: readonly Uint8Array[],
  writeHeader: (writer: ByteWriter) => void,
): Predictor {
  const { formula, order } = form;
  const { inputBytes, outputBytes } = formulaShape(formula);
  const constants = Float32Array.from(form.constants);
  return {
    whole: undefined,
    side: gradientLanes(room.kernels, form, constants, inputs),
    writeHeader,
    block(start, end, side, target = room.output.subarray(0, end - start)) {
      const blocks = inputs.map((input, index) =>
        sameLanes(input, start, end, inputBytes[index], outputBytes),
      );
      if (side !== undefined) blocks.push(side);
      room.kernels.predict(formula, order, constants, blocks, target);
      return target;
    },
    over(take) {
      const taken = inputs.map((input, index) => take(input, inputBytes[index]));
      return formulaPredictor(room, form, taken, writeHeader);
    },
  };
}

/** The gradients between a moment before and after. */
function gradientLanes(
  kernels: Kernels,
  { formula, order }: Form,
  constants: Float32Array,
  inputs: readonly Uint8Array[],
): SideLanes | undefined {
  const recovery = GRADIENTS_BY.get(formula);
  if (recovery === undefined) return undefined;
  const isF16 = formula !== 'adam-first-moment' && (order & IS_F16) !== 0;
  return {
    info: dtypeInfo(isF16 ? 'f16' : 'bf16'),
    recover(raw, start, memory = (bytes) => new Uint8Array(bytes)) {
      const gradients = memory(raw.length / 2);
      for (let at = 0; at < raw.length; at += BLOCK_LANES * 4) {
        const after = raw.subarray(at, at + BLOCK_LANES * 4);
        const before = inputs.map((input) => input.subarray(start + at, start + at + after.length));
        const output = gradients.subarray(at / 2, (at + after.length) / 2);
        kernels.predict(recovery, order, constants, [after, ...before], output);
      }
      return gradients;
    },
  };
}

function sameLanes(
  input: Uint8Array,
  start: number,
  end: number,
  inputBytes: number,
  outputBytes: number,
): Uint8Array {
  return input.subarray((start / outputBytes) * inputBytes, (end / outputBytes) * inputBytes);
}
