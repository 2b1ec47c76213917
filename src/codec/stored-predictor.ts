/** Predictors of records: FORMAT.md, "Predictors". Makes those that the encoder may choose and those that a record names. */
import type { ByteReader, ByteWriter } from '../bytes/index.js';
import { type Formula, formulaShape, knowsOrder } from '../kernels/index.js';
import { type DType, type DTypeInfo, dtypeById, dtypeInfo } from '../tensor/index.js';
import { castFormula } from './cast-forms.js';
import type { Prediction } from './prediction.js';
import {
  basePredictor,
  type Form,
  formulaPredictor,
  type Predictor,
  type PredictorRoom,
} from './predictor.js';
import { ENCODING, PREDICTOR } from './record-ids.js';
import { formsOf } from './rule-forms.js';
import { unsupported } from './unsupported.js';

/** The formulas that a predictor id names by itself; their header is the order and the constants. */
const RULES: readonly (readonly [id: number, Formula, inputs: number])[] = [
  [PREDICTOR.adamSecondMoment, 'adam-second-moment', 3],
  [PREDICTOR.adamWeights, 'adam-weights', 3],
  [PREDICTOR.momentumWeights, 'momentum-weights', 2],
  [PREDICTOR.nesterovWeights, 'nesterov-weights', 3],
  [PREDICTOR.adamFirstMoment, 'adam-first-moment', 1],
];

const float = new Float32Array(1);
const floatBits = new Uint32Array(float.buffer);

/** Returns how many inputs a predictor reads; 0 for one that is unknown. */
export function predictorInputs(id: number): number {
  if (id === PREDICTOR.base || id === PREDICTOR.cast) return 1;
  return RULES.find((rule) => rule[0] === id)?.[2] ?? 0;
}

/** Returns the order of operations that a planes record of a rule names; null for any other record. */
export function orderOfRecord(record: Uint8Array): number | null {
  const [encoding, , predictor, order] = record;
  return encoding === ENCODING.planes && RULES.some(([id]) => id === predictor) ? order : null;
}

/** Returns the predictors to try for a chunk of `length` bytes; none where the prediction does not fit it. */
export function predictorsOf(
  room: PredictorRoom,
  { rule, inputs }: Prediction,
  dtype: DType,
  length: number,
): readonly Predictor[] {
  if (rule.kind === 'base') {
    return inputs.length === 1 && inputs[0].length === length ? [basePredictor(inputs[0])] : [];
  }
  return formsOf(rule, dtype)
    .filter(({ formula }) => misfit(formula, inputs, length) === undefined)
    .map((form) => formulaPredictor(room, form, inputs, (writer) => writeForm(writer, form, rule)));
}

function writeForm(writer: ByteWriter, { formula, order, constants }: Form, rule: Prediction['rule']): void {
  if (rule.kind === 'cast') {
    writer.u8(PREDICTOR.cast);
    writer.u8(dtypeInfo(rule.from).id);
    return;
  }
  writer.u8(RULES.find((entry) => entry[1] === formula)?.[0] ?? 0);
  writer.u8(order);
  for (const constant of constants) {
    float[0] = constant;
    writer.u32(floatBits[0]);
  }
}

/** Reads the predictor of a record, from its id on; undefined if it has none. */
export function readPredictor(
  room: PredictorRoom,
  reader: ByteReader,
  info: DTypeInfo,
  rawLength: number,
  inputs: readonly Uint8Array[],
): Predictor | undefined {
  const start = reader.offset;
  const id = reader.u8();
  if (id === PREDICTOR.none) return undefined;
  if (id === PREDICTOR.base) return readBase(reader, rawLength, inputs);
  const form = id === PREDICTOR.cast ? readCast(reader, info) : readForm(reader, info, id, start);
  const problem = misfit(form.formula, inputs, rawLength);
  if (problem !== undefined) reader.fail('record-inputs', problem, start);
  return formulaPredictor(room, form, inputs, () => {});
}

function readBase(reader: ByteReader, rawLength: number, inputs: readonly Uint8Array[]): Predictor {
  const base = inputs.at(0);
  if (base?.length === rawLength && inputs.length === 1) return basePredictor(base);
  const given = base === undefined ? 'none' : `${base.length} bytes`;
  return reader.fail('record-base', `needs a base of ${rawLength} bytes and got ${given}`);
}

function readCast(reader: ByteReader, info: DTypeInfo): Form {
  const start = reader.offset;
  const from = dtypeById(reader.u8());
  const formula = from === undefined ? undefined : castFormula(from.dtype, info.dtype);
  if (formula === undefined) throw unsupported(reader, 'record-cast', 'cast', start);
  return { formula, order: 0, constants: [] };
}

function readForm(reader: ByteReader, info: DTypeInfo, id: number, start: number): Form {
  const formula = RULES.find((rule) => rule[0] === id)?.[1];
  if (formula === undefined) throw unsupported(reader, 'record-predictor', 'predictor', start);
  if (info.dtype !== 'f32') reader.fail('record-rule', `an update rule for dtype ${info.dtype}`, start);
  const orderAt = reader.offset;
  const order = reader.u8();
  if (!knowsOrder(formula, order)) throw unsupported(reader, 'record-order', 'order', orderAt);
  const constants = Array.from({ length: formulaShape(formula).constants }, () => {
    floatBits[0] = reader.u32();
    return float[0];
  });
  return { formula, order, constants };
}

/** Says what is wrong with inputs of a formula for a chunk of `length` bytes. */
function misfit(formula: Formula, inputs: readonly Uint8Array[], length: number): string | undefined {
  const { inputBytes, outputBytes } = formulaShape(formula);
  const needed = formula === 'adam-first-moment' ? inputBytes.slice(0, 1) : inputBytes;
  const lanes = length / outputBytes;
  if (!Number.isInteger(lanes)) return `${length} bytes are not whole elements of an update rule`;
  if (inputs.length !== needed.length) return `needs ${needed.length} inputs and got ${inputs.length}`;
  const short = needed.findIndex((bytes, index) => inputs[index].length !== lanes * bytes);
  if (short < 0) return undefined;
  return `input ${short} has ${inputs[short].length} bytes instead of ${lanes * needed[short]}`;
}
