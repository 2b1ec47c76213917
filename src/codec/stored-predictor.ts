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
  givenInputs,
  type Predictor,
  type PredictorRoom,
} from './predictor.js';
import { ENCODING, PREDICTOR } from './record-ids.js';
import { formsOf, takesRules } from './rule-forms.js';
import { unsupported } from './unsupported.js';

/** The formulas that a predictor id names by itself; their header is the order and the constants. */
const RULES: readonly (readonly [id: number, Formula])[] = [
  [PREDICTOR.adamSecondMoment, 'adam-second-moment'],
  [PREDICTOR.adamWeights, 'adam-weights'],
  [PREDICTOR.momentumWeights, 'momentum-weights'],
  [PREDICTOR.nesterovWeights, 'nesterov-weights'],
  [PREDICTOR.adamFirstMoment, 'adam-first-moment'],
  [PREDICTOR.lazyAdamWeights, 'lazy-adam-weights'],
  [PREDICTOR.nadamWeights, 'nadam-weights'],
  [PREDICTOR.lionWeights, 'lion-weights'],
  [PREDICTOR.fadedMoment, 'faded-moment'],
  [PREDICTOR.scaledMoment, 'scaled-moment'],
  [PREDICTOR.decayedMoment, 'decayed-moment'],
  [PREDICTOR.stepSquare, 'step-square'],
  [PREDICTOR.average, 'average'],
  [PREDICTOR.maximum, 'maximum'],
];

const float = new Float32Array(1);
const floatBits = new Uint32Array(float.buffer);

/** Returns how many inputs a predictor reads; 0 for one that is unknown. */
export function predictorInputs(id: number): number {
  if (id === PREDICTOR.base || id === PREDICTOR.cast) return 1;
  const formula = RULES.find((rule) => rule[0] === id)?.[1];
  return formula === undefined ? 0 : givenInputs(formula).length;
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
  const forms = formsOf(rule, dtype);
  if (forms.length === 0 || misfit(forms[0].formula, inputs, length) !== undefined) return [];
  return forms.map((form) => formulaPredictor(room, form, inputs, (writer) => writeForm(writer, form, rule)));
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
  if (!takesRules(info.dtype)) reader.fail('record-rule', `an update rule for dtype ${info.dtype}`, start);
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
  const { outputBytes } = formulaShape(formula);
  const needed = givenInputs(formula);
  const lanes = length / outputBytes;
  if (!Number.isInteger(lanes)) return `${length} bytes are not whole elements of an update rule`;
  if (inputs.length !== needed.length) return `needs ${needed.length} inputs and got ${inputs.length}`;
  const short = needed.findIndex((bytes, index) => inputs[index].length !== lanes * bytes);
  if (short < 0) return undefined;
  return `input ${short} has ${inputs[short].length} bytes instead of ${lanes * needed[short]}`;
}
