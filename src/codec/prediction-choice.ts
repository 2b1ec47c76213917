/** Chooses among predictions, and among the forms that the rule of each may take, by the cost of a sample. */
import type { DType } from '../tensor/index.js';
import { fittedGradients } from './gradient-scale.js';
import type { Prediction, Rule } from './prediction.js';
import type { Predictor, PredictorRoom } from './predictor.js';
import { fittedRule } from './rule-fitting.js';
import type { SampledCost } from './sampled-cost.js';
import { predictorsOf } from './stored-predictor.js';

/** Lanes, at a few places, by which all forms of one rule are looked at, and then the best of them. */
const FIRST_SAMPLE_LANES = 64;
const FORM_SAMPLE_LANES = 1024;
const FORMS_TOLD_APART = 2;

/** A form that leaves at most this share of the larger sample is taken at once: another one could save no more. */
const TAKEN_SHARE = 1 / 512;

/** A rule that leaves at most this share of the chunk holds: no other prediction is looked at. */
const HOLDS_SHARE = 1 / 64;
/** A rule that leaves more may have other settings than the checkpoint says. */
const FITS_SHARE = 1 / 16;

/** A rule must leave this much less than a base: it reads more, and takes longer to decode. */
const RULE_WEIGHT = 1 + 1 / 64;

export interface ChosenPrediction {
  readonly prediction: Prediction;
  readonly predictor: Predictor;
  /** Estimated bits of the chunk. */
  readonly bits: number;
}

/** Returns every prediction that fits the chunk, in the form that is cheapest by a sample, and the best fitted one. */
export function fittingPredictions(
  room: PredictorRoom,
  samples: SampledCost,
  dtype: DType,
  predictions: readonly Prediction[],
): ChosenPrediction[] {
  const each = predictions.flatMap((prediction) => {
    const alone = new Choice(room, samples, dtype);
    alone.tryOwn(prediction);
    return alone.cheapest ?? [];
  });
  const fitted = new Choice(room, samples, dtype);
  if (each.every(({ bits }) => bits > samples.raw.length * 8 * FITS_SHARE)) fitted.tryFitted(predictions);
  return fitted.cheapest === undefined ? each : [...each, fitted.cheapest];
}

/** Returns the cheapest of the predictions that fit the chunk; rules come before bases, and the first one that holds is taken. */
export function cheapestPrediction(
  room: PredictorRoom,
  samples: SampledCost,
  dtype: DType,
  predictions: readonly Prediction[],
): ChosenPrediction | undefined {
  const choice = new Choice(room, samples, dtype);
  const isBase = ({ rule }: Prediction) => rule.kind === 'base';
  for (const prediction of predictions) {
    if (isBase(prediction)) continue;
    choice.tryOwn(prediction);
    if (choice.leaves(HOLDS_SHARE)) return choice.cheapest;
  }
  for (const prediction of predictions) if (isBase(prediction)) choice.try(prediction, prediction.rule);
  if (!choice.leaves(FITS_SHARE)) choice.tryFitted(predictions);
  return choice.cheapest;
}

/** Returns whether a rule that settings may be fitted for does not even know its step: these are tried at once. */
function isGuess(rule: Rule): boolean {
  return (rule.kind === 'adam-weights' || rule.kind === 'lazy-adam-weights') && !Number.isFinite(rule.step);
}

function costOf({ prediction, bits }: ChosenPrediction): number {
  return prediction.rule.kind === 'base' ? bits : bits * RULE_WEIGHT;
}

class Choice {
  cheapest: ChosenPrediction | undefined;
  private readonly room: PredictorRoom;
  private readonly samples: SampledCost;
  private readonly dtype: DType;

  constructor(room: PredictorRoom, samples: SampledCost, dtype: DType) {
    this.room = room;
    this.samples = samples;
    this.dtype = dtype;
  }

  /** Returns whether the cheapest prediction leaves at most this share of the chunk. */
  leaves(share: number): boolean {
    return this.cheapest !== undefined && this.cheapest.bits <= this.samples.raw.length * 8 * share;
  }

  /** Tries a prediction with its own settings, or, where these are guesses, with those that the chunk shows. */
  tryOwn(prediction: Prediction): void {
    const rule = isGuess(prediction.rule) ? fittedRule(this.samples.raw, prediction) : prediction.rule;
    if (rule !== undefined) this.try(prediction, rule);
  }

  /** Tries the inputs of a prediction with a rule, its own or one with other settings. */
  try(prediction: Prediction, rule: Rule): void {
    const { room, samples, dtype } = this;
    const forms = predictorsOf(room, { rule, inputs: prediction.inputs }, dtype, samples.raw.length);
    const best = bestForm(samples, forms, ROUNDED_APART.has(rule.kind));
    if (best === undefined) return;
    const { predictor, isTaken } = best;
    const bits = isTaken ? best.bits : samples.bits(predictor);
    const chosen = { prediction, predictor, bits };
    if (this.cheapest === undefined || costOf(chosen) < costOf(this.cheapest)) this.cheapest = chosen;
  }

  /** Tries each kind of rule with the settings that the chunk itself shows. */
  tryFitted(predictions: readonly Prediction[]): void {
    const seen = new Set<string>();
    for (const prediction of predictions) {
      const { rule, inputs } = prediction;
      if (isGuess(rule)) continue;
      const kind = `${rule.kind} ${inputs.length}`;
      if (seen.has(kind)) continue;
      seen.add(kind);
      const fitted =
        rule.kind === 'gradient-moment'
          ? fittedGradients(this.samples.raw, rule, inputs)
          : fittedRule(this.samples.raw, prediction);
      if (fitted !== undefined) this.try(prediction, fitted);
    }
  }
}

/** Rules whose forms differ in roundings only: where one does not hold at all, none does. */
const ROUNDED_APART = new Set<Rule['kind']>(['gradient-moment', 'faded-moment', 'average']);

/** A rule whose forms all leave more than this share of the small sample, as random lanes do there, does not hold at all. */
const REFUSED_SHARE = 3 / 4;

interface BestForm {
  readonly predictor: Predictor;
  /** Estimated bits of the chunk, which do not have to be told more precisely if the form is taken. */
  readonly bits: number;
  readonly isTaken: boolean;
}

/** All forms are compared by a few lanes, the best ones by more; undefined where none of them is worth it. */
function bestForm(
  samples: SampledCost,
  forms: readonly Predictor[],
  areRoundedApart: boolean,
): BestForm | undefined {
  const rawBits = samples.raw.length * 8;
  if (forms.length <= 1) return forms.map((predictor) => ({ predictor, bits: 0, isTaken: false })).at(0);
  const first: { predictor: Predictor; bits: number }[] = [];
  for (const predictor of forms) {
    const bits = samples.bits(predictor, FIRST_SAMPLE_LANES);
    if (areRoundedApart && bits > rawBits * REFUSED_SHARE) return undefined;
    first.push({ predictor, bits });
    if (bits > rawBits * HOLDS_SHARE) continue;
    const more = samples.bits(predictor, FORM_SAMPLE_LANES);
    if (more <= rawBits * TAKEN_SHARE) return { predictor, bits: more, isTaken: true };
  }
  first.sort((a, b) => a.bits - b.bits);
  if (first[0].bits > rawBits * REFUSED_SHARE) return undefined;
  const best = first.slice(0, FORMS_TOLD_APART).map(({ predictor }) => {
    return { predictor, bits: samples.bits(predictor, FORM_SAMPLE_LANES), isTaken: false };
  });
  best.sort((a, b) => a.bits - b.bits);
  return best.at(0);
}

/** Of a chunk on its own fewer lanes, of which it looks smaller than it is, may tell that a prediction is far below it. */
const FAR_SHARE = 7 / 8;

/** Returns the bits of a chunk on its own, as precisely as it takes to compare them with those of a prediction. */
export function bitsAlone(samples: SampledCost, { bits }: ChosenPrediction): number {
  const holds = bits <= samples.raw.length * 8 * HOLDS_SHARE;
  const few = samples.bits(undefined, holds ? FIRST_SAMPLE_LANES : FORM_SAMPLE_LANES);
  return bits <= few * FAR_SHARE ? few : samples.bits(undefined);
}
