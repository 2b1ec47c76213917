/** Settings of steps that no checkpoint has on record: found from the lanes, as exactly as if they were known. */
import { describe, expect, it } from 'vitest';
import { type AdamWeightsRule, createCodec, type Prediction, type Rule } from '../../src/codec/index.js';
import { loadKernels } from '../../src/kernels/index.js';
import { sameBytes } from '../kernels/kernel-inputs.js';
import { adamStep, bytesOf, momentumStep, RULES, spread } from './optimizer-steps.js';

const codec = createCodec(loadKernels('wasm'));
const LANES = 20_000;

/** Bits for each element with a rule as it is guessed, and the weights before. */
function bits(raw: Uint8Array, guess: Rule, inputs: readonly Uint8Array[]): number {
  const base: Prediction = { rule: { kind: 'base' }, inputs: [inputs[0]] };
  const { record, prediction } = codec.encode(raw, 'f32', [base, { rule: guess, inputs }], 'fast');
  expect(sameBytes(codec.decode(record, raw.length, prediction?.inputs ?? [], 'chunk'), raw)).toBe(true);
  return (record.length * 8) / (raw.length / 4);
}

/** Of a file of weights and moments, which says nothing else: torch's defaults. */
const GUESS: AdamWeightsRule = {
  kind: 'adam-weights',
  lr: 1e-3,
  beta1: 0.9,
  beta2: 0.999,
  eps: 1e-8,
  weightDecay: 0,
  decoupled: true,
  step: Number.POSITIVE_INFINITY,
};
const TRUE: AdamWeightsRule = { ...GUESS, lr: 3e-4, weightDecay: 0.1, step: 701 };

/** As small as those of a large model: epsilon shows. */
const SMALL = 1e-3;

interface Unknown {
  readonly what: string;
  readonly settings?: Partial<AdamWeightsRule>;
  readonly size?: number;
  readonly bits: number;
}

const UNKNOWN: readonly Unknown[] = [
  ...[1, 3, 50, 701, 100_000].map((step) => ({ what: `step ${step}`, settings: { step }, bits: 0.015 })),
  ...[1e-4, 1e-6].map((eps) => ({ what: `epsilon ${eps}`, settings: { eps }, bits: 0.015 })),
  { what: 'no decay', settings: { weightDecay: 0 }, bits: 0.015 },
  { what: 'decay of the gradient', settings: { weightDecay: 1e-4, decoupled: false }, bits: 0.015 },
  { what: 'rate of a schedule', settings: { lr: 1.2345678912e-4 }, bits: 0.015 },
  { what: 'other beta2', settings: { beta2: 0.95 }, bits: 0.015 },
  // Which step it was does not show; then weights that are small beside their moves are rounded otherwise.
  { what: 'epsilon 1e-15', settings: { eps: 1e-15 }, bits: 1.1 },
  { what: 'epsilon that does not show', size: 1, bits: 0.015 },
  { what: 'other beta2, early', settings: { beta2: 0.95, step: 20 }, bits: 1.1 },
];

describe('a step of Adam whose number is unknown', () => {
  it.each(UNKNOWN)('is predicted: $what', ({ settings, size = SMALL, bits: most }) => {
    const { w, predictions } = adamStep(LANES, 3, { ...TRUE, ...settings }, size);
    expect(bits(w, GUESS, predictions.w.inputs)).toBeLessThan(most);
  });

  it('is found from few lanes', () => {
    const { w, predictions } = adamStep(64, 3, TRUE, SMALL);
    expect(bits(w, GUESS, predictions.w.inputs)).toBeLessThan(4);
  });
});

describe('checkpoints some steps apart', () => {
  it('are predicted by the rate of most weights, where nobody says how many steps', () => {
    const { w, predictions } = adamStep(LANES, 3, { ...TRUE, lr: 5e-3 }, SMALL);
    const noise = spread(LANES, 77);
    const moved = new Float32Array(w.buffer).map((value, lane) => value + 0.1 * noise[lane]);
    const [w0] = predictions.w.inputs;
    const alone = codec.encode(bytesOf(moved), 'f32', [{ rule: { kind: 'base' }, inputs: [w0] }], 'fast');
    const left = bits(bytesOf(moved), GUESS, predictions.w.inputs);
    expect(left).toBeLessThan((alone.record.length * 8) / LANES - 3);
  });
});

describe('a learning rate that is unknown', () => {
  it('is found as precisely as weights are rounded', () => {
    const { w, predictions } = adamStep(LANES, 3);
    expect(bits(w, { ...RULES.adamWeights, lr: 0.3, weightDecay: 0 }, predictions.w.inputs)).toBeLessThan(
      0.02,
    );
    const momentum = momentumStep(LANES, 5, false);
    const { rule, inputs } = momentum.prediction;
    expect(bits(momentum.w, { ...rule, lr: 0.3 }, inputs)).toBeLessThan(0.02);
  });
});
