/**
 * Settings of a step that no checkpoint has on record, found from the lanes themselves by least squares: the learning rate
 * a scheduler has moved on from, the decay of an average. Only the encoder does this; a record holds what was found.
 */
import { fittedUnknownStep } from './adam-fitting.js';
import type { AdamWeightsRule, Prediction, Rule } from './prediction.js';

/** Lanes that are looked at, spread over the chunk: the error of a fit falls with their number. */
const FIT_LANES_MAX = 4096;

/** How far off, as a share of the step, lanes may be on average before the rule is thought not to hold. */
const FIT_ERROR_MAX = 0.05;

/** A second setting is believed only if it explains this much more. */
const DECAY_ERROR_SHARE = 0.01;

/** Returns the rule with the settings that explain the chunk best; undefined where there is nothing to fit or none does. */
export function fittedRule(raw: Uint8Array, { rule, inputs }: Prediction): Rule | undefined {
  if (rule.kind === 'base' || inputs.some((input) => input.length !== raw.length)) return undefined;
  const before = () => inputs.map(sampleOf);
  switch (rule.kind) {
    case 'adam-weights':
    case 'lazy-adam-weights':
      return inputs.length < 3 ? undefined : fittedAdam(rule, sampleOf(raw), before());
    case 'momentum-weights':
      return inputs.length < 2 ? undefined : fittedMomentum(rule, sampleOf(raw), before());
    case 'lion-weights':
      return inputs.length < 3 ? undefined : fittedLion(rule, sampleOf(raw), before());
    case 'average':
      return inputs.length < 2 ? undefined : fittedAverage(rule, sampleOf(raw), before());
    default:
      return undefined;
  }
}

/** Lanes of a chunk at even distances. */
function sampleOf(bytes: Uint8Array): Float32Array {
  const lanes = Math.floor(bytes.length / 4);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const sample = new Float32Array(Math.min(lanes, FIT_LANES_MAX));
  const step = lanes / sample.length;
  for (let at = 0; at < sample.length; at++) sample[at] = view.getFloat32(4 * Math.floor(at * step), true);
  return sample;
}

interface Fit {
  /** Of the direction, and of the weights before. */
  readonly rate: number;
  readonly lost: number;
  /** What is left of the squared moves. */
  readonly error: number;
}

/** Fits `before - after = rate * (direction + decay * before)`, and with a free factor of `before` too. */
function fitStep(
  after: Float32Array,
  before: Float32Array,
  directionOf: (lane: number) => number,
  decay: number,
): Fit | undefined {
  let [dd, dw, ww, dx, wx, xx] = [0, 0, 0, 0, 0, 0];
  for (let lane = 0; lane < before.length; lane++) {
    const d = directionOf(lane);
    const w = before[lane];
    const x = w - after[lane];
    // Roundings are as large as what is rounded.
    const q = 1 / (w * w + x * x);
    if (!Number.isFinite(q * d * d)) continue;
    dd += q * d * d;
    dw += q * d * w;
    ww += q * w * w;
    dx += q * d * x;
    wx += q * w * x;
    xx += q * x * x;
  }
  const [pp, px] = [dd + 2 * decay * dw + decay * decay * ww, dx + decay * wx];
  if (pp === 0 || xx === 0) return undefined;
  const given: Fit = { rate: px / pp, lost: (decay * px) / pp, error: 1 - (px * px) / (pp * xx) };
  const determinant = dd * ww - dw * dw;
  if (determinant <= dd * ww * 1e-9) return given;
  const rate = (dx * ww - wx * dw) / determinant;
  const lost = (wx * dd - dx * dw) / determinant;
  const free: Fit = { rate, lost, error: 1 - (rate * dx + lost * wx) / xx };
  return Math.max(free.error, 0) < Math.max(given.error, 0) * DECAY_ERROR_SHARE ? free : given;
}

function holds(fit: Fit | undefined): fit is Fit {
  return fit !== undefined && fit.error <= FIT_ERROR_MAX ** 2 && fit.rate !== 0;
}

function fittedAdam(
  rule: AdamWeightsRule,
  after: Float32Array,
  inputs: readonly Float32Array[],
): Rule | undefined {
  if (!Number.isFinite(rule.step)) return fittedUnknownStep(rule, after, inputs, FIT_ERROR_MAX ** 2);
  const [before, first, second, first0] = inputs;
  const bias1 = 1 - rule.beta1 ** rule.step;
  const root = Math.sqrt(1 - rule.beta2 ** rule.step);
  const isLeftAlone = (lane: number) => first0 !== undefined && first0[lane] === first[lane];
  const direction = (lane: number) =>
    isLeftAlone(lane) ? 0 : first[lane] / bias1 / (Math.sqrt(second[lane]) / root + rule.eps);
  const fit = fitStep(after, before, direction, rule.decoupled ? rule.weightDecay : 0);
  if (!holds(fit)) return undefined;
  const weightDecay = fit.lost / fit.rate;
  return weightDecay === 0
    ? { ...rule, lr: fit.rate, decoupled: false }
    : { ...rule, lr: fit.rate, weightDecay, decoupled: true };
}

function fittedMomentum(
  rule: Rule & { kind: 'momentum-weights' },
  after: Float32Array,
  [before, buffer, buffer0]: readonly Float32Array[],
): Rule | undefined {
  const { momentum, dampening, nesterov } = rule;
  if (nesterov && buffer0 === undefined) return undefined;
  const gradient = (lane: number) => (buffer[lane] - momentum * buffer0[lane]) / (1 - dampening);
  const direction = (lane: number) =>
    buffer[lane] * (nesterov ? momentum : 1) + (nesterov ? gradient(lane) : 0);
  const fit = fitStep(after, before, direction, 0);
  return holds(fit) && fit.lost === 0 ? { ...rule, lr: fit.rate } : undefined;
}

function fittedLion(
  rule: Rule & { kind: 'lion-weights' },
  after: Float32Array,
  [before, momentum, momentum0]: readonly Float32Array[],
): Rule | undefined {
  const ratio = (1 - rule.beta1) / (1 - rule.beta2);
  const direction = (lane: number) => Math.sign(momentum0[lane] + ratio * (momentum[lane] - momentum0[lane]));
  const fit = fitStep(after, before, direction, rule.weightDecay);
  return holds(fit) ? { ...rule, lr: fit.rate, weightDecay: fit.lost / fit.rate } : undefined;
}

function fittedAverage(
  rule: Rule & { kind: 'average' },
  after: Float32Array,
  [before, weights]: readonly Float32Array[],
): Rule | undefined {
  const fit = fitStep(after, before, (lane) => before[lane] - weights[lane], 0);
  return holds(fit) && fit.lost === 0 ? { ...rule, decay: 1 - shortest(fit.rate) } : undefined;
}

/** How far a fit may be off, as a share of what it finds. */
const FIT_SHARE = 1e-6;
/** Decimals of numbers that people choose. */
const DECIMALS = 1e6;

/** Returns the number of few decimals that a fit is as good as. */
function shortest(found: number): number {
  const chosen = Math.round(found * DECIMALS) / DECIMALS;
  return Math.abs(chosen - found) <= Math.abs(found) * FIT_SHARE ? chosen : found;
}
