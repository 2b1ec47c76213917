/** Update rules and casts: exact whatever they are given, near nothing where they hold, refused where they do not fit. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createCodec, type Prediction, type Rule } from '../../src/codec/index.js';
import { isThetalogError, type ThetalogError } from '../../src/errors.js';
import { loadKernels } from '../../src/kernels/index.js';
import type { DType } from '../../src/tensor/index.js';
import { edgeLanes, randomBytes, sameBytes, shifted } from '../kernels/kernel-inputs.js';
import { kinSteps } from './optimizer-kin.js';
import { adamStep, bytesOf, castOf, momentumStep, RULES, spread } from './optimizer-steps.js';

const codec = createCodec(loadKernels('wasm'));
const plainCodec = createCodec(loadKernels('typescript'));

/** Encodes with one prediction, checks everything a record promises, and returns its length. */
function checked(raw: Uint8Array, dtype: DType, predictions: readonly Prediction[]): number {
  const { record, prediction } = codec.encode(raw, dtype, predictions, 'fast');
  const inputs = prediction?.inputs ?? [];
  expect(record.length).toBeLessThanOrEqual(raw.length + 1);
  expect(codec.inputsOf(record)).toBe(inputs.length);
  expect(sameBytes(plainCodec.encode(raw, dtype, predictions, 'fast').record, record)).toBe(true);
  for (const either of [codec, plainCodec]) {
    const moved = inputs.map((input, index) => shifted(input, index + 1));
    expect(sameBytes(either.decode(record, raw.length, moved, 'chunk'), raw)).toBe(true);
  }
  return record.length;
}

function kindOf(raw: Uint8Array, dtype: DType, predictions: readonly Prediction[]): string | undefined {
  return codec.encode(raw, dtype, predictions, 'fast').prediction?.rule.kind;
}

function failure(
  record: Uint8Array,
  rawLength: number,
  inputs: readonly Uint8Array[],
): ThetalogError | undefined {
  try {
    codec.decode(record, rawLength, inputs, 'pack-7');
    return undefined;
  } catch (error) {
    if (!isThetalogError(error, 'corrupt', 'unsupported')) throw error;
    expect(error.object).toBe('pack-7');
    return error;
  }
}

const ADAM = adamStep(20_000, 3);
const MOMENTUM = momentumStep(20_000, 5, false);
const NESTEROV = momentumStep(20_000, 5, true);
const MASTER = bytesOf(spread(20_000, 9));

interface Held {
  readonly what: string;
  readonly raw: Uint8Array;
  readonly dtype: DType;
  readonly prediction: Prediction;
  /** Bits for each element that may be left. */
  readonly bits?: number;
}

const HELD: readonly Held[] = [
  { what: 'first moment', raw: ADAM.m, dtype: 'f32', prediction: ADAM.predictions.m },
  { what: 'second moment', raw: ADAM.v, dtype: 'f32', prediction: ADAM.predictions.v },
  { what: 'weights', raw: ADAM.w, dtype: 'f32', prediction: ADAM.predictions.w },
  { what: 'complex weights', raw: ADAM.w, dtype: 'c64', prediction: ADAM.predictions.w },
  { what: 'momentum weights', raw: MOMENTUM.w, dtype: 'f32', prediction: MOMENTUM.prediction },
  { what: 'nesterov weights', raw: NESTEROV.w, dtype: 'f32', prediction: NESTEROV.prediction },
  ...(['bf16', 'f16'] as const).map((dtype) => ({
    what: `${dtype} copy`,
    raw: castOf(MASTER, dtype),
    dtype,
    prediction: { rule: { kind: 'cast', from: 'f32' } as const, inputs: [MASTER] },
  })),
  ...kinSteps(20_000),
];

describe('rules that hold', () => {
  it.each(HELD)('leave almost nothing: $what', ({ what, raw, dtype, prediction, bits: most }) => {
    const others = prediction.inputs[0].length === raw.length ? [prediction.inputs[0]] : [];
    const base = others.map((input): Prediction => ({ rule: { kind: 'base' }, inputs: [input] }));
    const length = checked(raw, dtype, [...base, prediction]);
    expect(kindOf(raw, dtype, [...base, prediction])).toBe(prediction.rule.kind);
    const bits = (length * 8) / 20_000;
    const usual = what === 'first moment' ? 13 : what === 'nesterov weights' ? 2 : 0.1;
    expect(bits).toBeLessThan(most ?? usual);
  });

  it('is chosen among candidates by its cost', () => {
    const wrong = { ...RULES.adamWeights, lr: 0.3 };
    const inputs = ADAM.predictions.w.inputs;
    const guesses = [{ rule: wrong, inputs }, ADAM.predictions.w, { rule: wrong, inputs }];
    const { prediction } = codec.encode(ADAM.w, 'f32', guesses, 'fast');
    expect(prediction).toBe(ADAM.predictions.w);
  });

  it('finds a learning rate and a decay that nobody has on record', () => {
    const wrong = { ...RULES.adamWeights, lr: 0.3, weightDecay: 0 };
    const { inputs } = ADAM.predictions.w;
    const base: Prediction = { rule: { kind: 'base' }, inputs: [inputs[0]] };
    expect((checked(ADAM.w, 'f32', [base, { rule: wrong, inputs }]) * 8) / 20_000).toBeLessThan(2);
  });

  it('widens a bf16 copy to guess an fp32 master', () => {
    const copy = castOf(MASTER, 'bf16');
    const prediction: Prediction = { rule: { kind: 'cast', from: 'bf16' }, inputs: [copy] };
    expect(checked(MASTER, 'f32', [prediction])).toBeLessThan(MASTER.length * 0.6);
  });

  it('spans blocks', () => {
    const { w, m, predictions } = adamStep(150_000, 8);
    expect(checked(w, 'f32', [predictions.w])).toBeLessThan(200);
    expect(checked(m, 'f32', [predictions.m])).toBeLessThan(150_000 * 2);
  });
});

const NUMBERS = fc.constantFrom(0, 1, 0.9, 0.999, 1e-8, -3, 1e300, Number.NaN, Number.POSITIVE_INFINITY);

const RULE: fc.Arbitrary<Rule> = fc.oneof(
  fc.constant<Rule>({ kind: 'base' }),
  fc.constantFrom<Rule>({ kind: 'cast', from: 'f32' }, { kind: 'cast', from: 'bf16' }),
  fc.record({
    kind: fc.constant('adam-second-moment' as const),
    beta1: NUMBERS,
    beta2: NUMBERS,
  }),
  fc.record({
    kind: fc.constant('adam-weights' as const),
    lr: NUMBERS,
    beta1: NUMBERS,
    beta2: NUMBERS,
    eps: NUMBERS,
    weightDecay: NUMBERS,
    decoupled: fc.boolean(),
    step: NUMBERS,
  }),
  fc.record({
    kind: fc.constant('momentum-weights' as const),
    lr: NUMBERS,
    momentum: NUMBERS,
    dampening: NUMBERS,
    nesterov: fc.boolean(),
  }),
  fc.record({
    kind: fc.constant('lazy-adam-weights' as const),
    lr: NUMBERS,
    beta1: NUMBERS,
    beta2: NUMBERS,
    eps: NUMBERS,
    weightDecay: NUMBERS,
    decoupled: fc.boolean(),
    step: NUMBERS,
  }),
  fc.record({
    kind: fc.constant('nadam-weights' as const),
    lr: NUMBERS,
    beta1: NUMBERS,
    beta2: NUMBERS,
    eps: NUMBERS,
    weightDecay: NUMBERS,
    decoupled: fc.boolean(),
    step: NUMBERS,
    momentumDecay: NUMBERS,
  }),
  fc.record({
    kind: fc.constant('lion-weights' as const),
    lr: NUMBERS,
    beta1: NUMBERS,
    beta2: NUMBERS,
    weightDecay: NUMBERS,
  }),
  fc.record({ kind: fc.constant('faded-moment' as const), kept: NUMBERS, added: NUMBERS }),
  fc.record({
    kind: fc.constant('gradient-moment' as const),
    kept: NUMBERS,
    added: NUMBERS,
    gradients: fc.constantFrom('bf16' as const, 'f16' as const),
    scale: NUMBERS,
    weightDecay: NUMBERS,
  }),
  fc.record({
    kind: fc.constant('step-square' as const),
    kept: NUMBERS,
    added: NUMBERS,
    squareKept: NUMBERS,
    squareAdded: NUMBERS,
    eps: NUMBERS,
  }),
  fc.record({ kind: fc.constant('average' as const), decay: NUMBERS }),
  fc.constant<Rule>({ kind: 'maximum' }),
);

describe('rules that do not hold', () => {
  it('cost bytes, never bits of the chunk', () => {
    const chunk = fc.tuple(
      RULE,
      fc.constantFrom<DType>('f32', 'bf16', 'f16', 'bytes', 'c64'),
      fc.nat(300),
      fc.nat(),
    );
    fc.assert(
      fc.property(chunk, ([rule, dtype, lanes, seed]) => {
        const length = lanes * (dtype === 'f32' || seed % 2 === 0 ? 4 : 1);
        const raw = seed % 3 === 0 ? edgeLanes(Math.floor(length / 4), 4) : randomBytes(length, seed);
        const inputs = Array.from({ length: seed % 4 }, (_, index) =>
          index === 1 ? Uint8Array.from(raw) : edgeLanes(raw.length >> 2, 4),
        );
        checked(raw, dtype, [{ rule, inputs }]);
      }),
      { numRuns: 500 },
    );
  });

  it('are passed over where the inputs do not fit', () => {
    const { rule, inputs } = ADAM.predictions.w;
    const misfits: Prediction[] = [
      { rule, inputs: inputs.slice(0, 2) },
      { rule, inputs: [...inputs, inputs[0]] },
      { rule, inputs: [inputs[0], inputs[1].subarray(4), inputs[2]] },
      { rule: { kind: 'cast', from: 'f64' }, inputs: [inputs[0]] },
      { rule: { kind: 'base' }, inputs: [] },
    ];
    for (const misfit of misfits) expect(kindOf(ADAM.w, 'f32', [misfit])).toBe(undefined);
    expect(kindOf(ADAM.w, 'i32', [ADAM.predictions.w])).toBe(undefined);
  });
});

describe('records of rules', () => {
  it.each(HELD)('need all their inputs, whole: $what', ({ raw, dtype, prediction }) => {
    const { record } = codec.encode(raw, dtype, [prediction], 'fast');
    const { inputs } = prediction;
    expect(failure(record, raw.length, inputs)).toBe(undefined);
    expect(failure(record, raw.length, [])?.code).toBe('record-inputs');
    expect(failure(record, raw.length, inputs.slice(1))?.code).toBe('record-inputs');
    expect(failure(record, raw.length, [...inputs, inputs[0]])?.code).toBe('record-inputs');
    const short = inputs.map((input) => input.subarray(4));
    expect(failure(record, raw.length, short)?.code).toBe('record-inputs');
    expect(failure(record, raw.length + 1, inputs)?.code).toBe('record-inputs');
  });

  it.each(HELD)('are refused when cut, and never crash when changed: $what', ({ raw, dtype, prediction }) => {
    const { record } = codec.encode(raw, dtype, [prediction], 'fast');
    for (let at = 0; at < Math.min(record.length, 60); at++) {
      expect(failure(record.subarray(0, at), raw.length, prediction.inputs)?.kind).toBe('corrupt');
      const damaged = Uint8Array.from(record);
      damaged[at] ^= 1 << (at % 8);
      failure(damaged, raw.length, prediction.inputs);
    }
  });

  it('name an unknown predictor, cast or order as unsupported', () => {
    const input = new Uint8Array(8);
    const unknown = [
      [4, 15, 18],
      [4, 15, 3, 16],
      [4, 14, 3, 14],
      [4, 15, 4, 6],
      [4, 15, 4, 128],
      [4, 15, 10, 32],
      [4, 15, 11, 5],
      [4, 15, 13, 5],
      [4, 15, 13, 16],
      [4, 15, 14, 32],
      [4, 15, 6, 2],
      [4, 15, 8, 5],
    ];
    for (const head of unknown) {
      const record = Uint8Array.from([...head, ...new Array(24).fill(0)]);
      expect(failure(record, 8, [input, input, input])?.kind, `${head}`).toBe('unsupported');
    }
    expect(failure(Uint8Array.of(4, 14, 4, 0), 8, [input, input, input])?.code).toBe('record-rule');
  });
});

describe('a rule that reads more than the base', () => {
  it.each([
    { share: 1, kind: 'base' },
    { share: 10, kind: 'maximum' },
  ])('that predicts $share % of the lanes more: $kind is chosen', ({ share, kind }) => {
    const lanes = 40_000;
    const before = spread(lanes, 1).map((lane) => 1 + Math.abs(lane) / 2);
    const steps = spread(lanes, 2);
    const isKnown = (lane: number) => lane % 100 < share;
    const raw = before.map((lane, at) => lane * (1 + Math.abs(steps[at]) * 0.01));
    const other = raw.map((lane, at) => (isKnown(at) ? lane : 0));
    const predictions: Prediction[] = [
      { rule: { kind: 'maximum' }, inputs: [bytesOf(before), bytesOf(other)] },
      { rule: { kind: 'base' }, inputs: [bytesOf(before)] },
    ];
    expect(kindOf(bytesOf(raw), 'f32', predictions)).toBe(kind);
  });
});
