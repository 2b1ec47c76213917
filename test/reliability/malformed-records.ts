/** Damaged chunk records of every encoding, every block kind and every update rule. */
import { fromHex } from '../../src/bytes/index.js';
import { createCodec, fromBase, type Prediction } from '../../src/codec/index.js';
import { loadKernels } from '../../src/kernels/index.js';
import {
  nudged,
  oneSidedUpdate,
  type Pair,
  scaledUpdate,
  sparseUpdate,
  touchedRows,
} from '../codec/chunk-inputs.js';
import { GOLDEN_RULES } from '../codec/golden-rule-records.js';
import { kinSteps } from '../codec/optimizer-kin.js';
import { randomBytes, skewedBytes } from '../kernels/kernel-inputs.js';
import { type Dice, damaged, EDGES } from './dice.js';

export interface DamagedRecord {
  record: Uint8Array;
  rawLength: number;
  inputs: readonly Uint8Array[];
}

const codec = createCodec(loadKernels());

function encoded(
  { dtype, raw }: Pick<Pair, 'dtype' | 'raw'>,
  predictions: readonly Prediction[],
): DamagedRecord {
  const { record, prediction } = codec.encode(raw, dtype, predictions, 'fast');
  return { record: record.slice(), rawLength: raw.length, inputs: prediction?.inputs ?? [] };
}

/** Small enough that decoding takes some tens of microseconds; gaps and prefix codes need more lanes. */
const PAIRS: readonly Pair[] = [
  { dtype: 'f32', raw: randomBytes(100, 1), base: undefined },
  { dtype: 'bytes', raw: skewedBytes(3000, 1), base: undefined },
  { dtype: 'bytes', raw: skewedBytes(3000, 1), base: skewedBytes(2999, 1) },
  { dtype: 'f32', raw: skewedBytes(2001, 2), base: undefined },
  { dtype: 'f32', raw: new Uint8Array(4000), base: undefined },
  { dtype: 'f16', raw: nudged(skewedBytes(3000, 7), 2, 2, 1), base: skewedBytes(3000, 7) },
  { dtype: 'i64', raw: nudged(skewedBytes(3000, 7), 8, 50, 1), base: skewedBytes(3000, 7) },
  sparseUpdate(4000, 30, 5),
  sparseUpdate(4000, 40, 6),
  sparseUpdate(70_000, 300, 6),
  sparseUpdate(65_536, 10, 7),
  oneSidedUpdate(65_536, 10, 7),
  scaledUpdate('bf16', 3000, 1e-4),
  scaledUpdate('f32', 1500, 1e-5),
  scaledUpdate('f32', 20_000, 1e-4),
  scaledUpdate('f32', 140_000, 1e-4),
  touchedRows(100, 64, 12, 3),
];

/** Sound records; the large ones are last and are taken less often. */
export const RECORDS: readonly DamagedRecord[] = [
  ...GOLDEN_RULES.map(({ record, inputs, raw }) => ({
    record: fromHex(record),
    rawLength: raw.length / 2,
    inputs: inputs.map(fromHex),
  })),
  ...kinSteps(300).map((step) => encoded(step, [step.prediction])),
  ...PAIRS.map((pair) => encoded(pair, fromBase(pair.base))),
].sort((a, b) => a.rawLength - b.rawLength);

/** Damage, at the front half of the time: that is where counts, tables and parameters are. */
export function malformedRecord(dice: Dice): DamagedRecord {
  const sound = RECORDS[Math.min(dice.below(RECORDS.length), dice.below(RECORDS.length))];
  const front = dice.oneIn(2) ? Math.min(sound.record.length, 24) : sound.record.length;
  const head = damaged(sound.record.slice(0, front), dice);
  const record = new Uint8Array(head.length + sound.record.length - front);
  record.set(head);
  record.set(sound.record.subarray(front), head.length);
  const rawLength = dice.oneIn(10) ? Math.min(dice.pick(EDGES), 2 ** 24) : sound.rawLength;
  return { record, rawLength, inputs: dice.oneIn(20) ? sound.inputs.slice(1) : sound.inputs };
}

/** Decodes it; the bytes may be others, never of another length. */
export function readRecord({ record, rawLength, inputs }: DamagedRecord, object: string): undefined {
  const { length } = codec.decode(record, rawLength, inputs, object);
  if (length !== rawLength) throw new Error(`${length} bytes instead of ${rawLength}`);
}
