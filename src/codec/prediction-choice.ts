/** Chooses among predictions, and among the forms that the rule of each may take, by the cost of a sample. */
import type { DType } from '../tensor/index.js';
import type { PlanesCoder } from './planes-record.js';
import type { Prediction } from './prediction.js';
import type { Predictor } from './predictor.js';
import { predictorsOf } from './stored-predictor.js';

/** Lanes, at a few places, by which forms of one rule are told apart: they differ in the last bit. */
const FORM_SAMPLE_LANES = 1024;

/** A rule that leaves at most this share of the chunk holds: no other prediction is looked at. */
const HOLDS_SHARE = 1 / 64;

export interface ChosenPrediction {
  readonly prediction: Prediction;
  readonly predictor: Predictor;
  /** Estimated bits of the chunk. */
  readonly bits: number;
}

/** Returns every prediction that fits the chunk, in the form that is cheapest by a sample. */
export function fittingPredictions(
  planes: PlanesCoder,
  raw: Uint8Array,
  dtype: DType,
  predictions: readonly Prediction[],
): { prediction: Prediction; predictor: Predictor }[] {
  return predictions.flatMap((prediction) => {
    const forms = predictorsOf(planes.room, prediction, dtype, raw.length);
    const predictor = bestForm(planes, raw, dtype, forms);
    return predictor === undefined ? [] : [{ prediction, predictor }];
  });
}

/** Returns the cheapest of the predictions that fit the chunk; rules come before bases, and the first one that holds is taken. */
export function cheapestPrediction(
  planes: PlanesCoder,
  raw: Uint8Array,
  dtype: DType,
  predictions: readonly Prediction[],
): ChosenPrediction | undefined {
  let cheapest: ChosenPrediction | undefined;
  const isBase = ({ rule }: Prediction) => rule.kind === 'base';
  const ordered = [...predictions.filter((one) => !isBase(one)), ...predictions.filter(isBase)];
  for (const prediction of ordered) {
    const forms = predictorsOf(planes.room, prediction, dtype, raw.length);
    const predictor = bestForm(planes, raw, dtype, forms);
    if (predictor === undefined) continue;
    const bits = planes.samples.bits(raw, dtype, predictor);
    if (cheapest === undefined || bits < cheapest.bits) cheapest = { prediction, predictor, bits };
    if (bits <= raw.length * 8 * HOLDS_SHARE) break;
  }
  return cheapest;
}

function bestForm(
  planes: PlanesCoder,
  raw: Uint8Array,
  dtype: DType,
  forms: readonly Predictor[],
): Predictor | undefined {
  if (forms.length <= 1) return forms.at(0);
  let best: Predictor | undefined;
  let leastBits = Number.POSITIVE_INFINITY;
  for (const form of forms) {
    const bits = planes.samples.bits(raw, dtype, form, FORM_SAMPLE_LANES);
    if (bits < leastBits) {
      best = form;
      leastBits = bits;
    }
    if (bits === 0) break;
  }
  return best;
}
