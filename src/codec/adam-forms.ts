/** Orders of operations of Adam and AdamW, as torch, optax and TensorFlow.js have them. FORMAT.md, "Rules", defines the fields. */
import type { AdamFirstMomentRule, AdamSecondMomentRule, AdamWeightsRule } from './prediction.js';
import type { Form } from './predictor.js';

/** Fields of an order of adam-second-moment. */
const RECOVERY = { lerp: 0, products: 1 } as const;
const PRECISION = { all: 0, bf16: 1, f16: 2 } as const;

/** Fields of an order of adam-weights. */
const DECAY = { none: 0, product: 1, difference: 2, fused: 3 } as const;
const DENOMINATOR = { quotient: 0, product: 1, inside: 2, fused: 3 } as const;
const UPDATE = {
  numeratorFirst: 0,
  quotientFirst: 1,
  quotientFused: 2,
  unbiased: 3,
  unbiasedFused: 4,
  decayed: 5,
  decayedFused: 6,
  unscaled: 7,
} as const;

/**
 * Recovery, precision and the way to add the square of the gradient. Where the gradient is recovered only nearly, the way
 * makes no difference; where it is a 16-bit value, all of them are tried.
 */
const SECOND_MOMENT_ORDERS = [
  [RECOVERY.lerp, PRECISION.all, 0],
  [RECOVERY.lerp, PRECISION.bf16, 0],
  [RECOVERY.products, PRECISION.all, 0],
  [RECOVERY.lerp, PRECISION.bf16, 2],
  [RECOVERY.lerp, PRECISION.bf16, 1],
  [RECOVERY.lerp, PRECISION.bf16, 3],
  [RECOVERY.lerp, PRECISION.f16, 0],
  [RECOVERY.products, PRECISION.all, 2],
] as const;

/** Orders of adam-first-moment: lerp and products, each with and without a fused step. */
const FIRST_MOMENT_ORDERS = [0, 1, 2, 3, 4] as const;

export function adamSecondMomentForms({ beta1, beta2 }: AdamSecondMomentRule): readonly Form[] {
  const constants = [beta1, 1 - beta1, beta2, 1 - beta2];
  return SECOND_MOMENT_ORDERS.map(([recovery, precision, sum]) => ({
    formula: 'adam-second-moment',
    order: recovery | (precision << 1) | (sum << 3),
    constants,
  }));
}

export function adamFirstMomentForms({ beta1 }: AdamFirstMomentRule): readonly Form[] {
  return FIRST_MOMENT_ORDERS.map((order) => ({
    formula: 'adam-first-moment',
    order,
    constants: [beta1, 1 - beta1],
  }));
}

export function adamWeightsForms(rule: AdamWeightsRule): readonly Form[] {
  const { lr, beta1, beta2, eps, weightDecay, decoupled, step } = rule;
  const bias1 = 1 - beta1 ** step;
  const bias2 = 1 - beta2 ** step;
  const root = Math.sqrt(bias2);
  const scale = -(lr / bias1);
  const decays = decoupled && weightDecay !== 0;
  const kept = 1 - lr * weightDecay;
  const lost = lr * weightDecay;
  const inverse = 1 / Math.fround(root);
  const { quotient, product, inside, fused } = DENOMINATOR;
  const kind = (decay: number) => (decays ? decay : DECAY.none);
  const form = (decay: number, denominator: number, update: number, constants: readonly number[]): Form => ({
    formula: 'adam-weights',
    order: decay | (denominator << 2) | (update << 4),
    constants,
  });
  const multiplied = kind(DECAY.product);
  const torch = [kept, scale, bias1, root, eps];
  const inverted = [kept, scale, bias1, inverse, eps];
  const subtracted = [lost, scale, bias1, root, eps];
  const capturable = [kept, scale, bias1, Math.fround(root) * Math.fround(scale), eps / Math.fround(scale)];
  const unbiased = [weightDecay, -lr, bias1, bias2, eps];
  return [
    form(multiplied, quotient, UPDATE.numeratorFirst, torch),
    form(multiplied, quotient, UPDATE.quotientFirst, torch),
    form(multiplied, quotient, UPDATE.quotientFused, torch),
    form(multiplied, product, UPDATE.quotientFused, inverted),
    form(multiplied, fused, UPDATE.quotientFused, inverted),
    form(multiplied, product, UPDATE.quotientFirst, inverted),
    form(kind(DECAY.difference), quotient, UPDATE.numeratorFirst, subtracted),
    form(kind(DECAY.fused), quotient, UPDATE.numeratorFirst, subtracted),
    form(multiplied, quotient, UPDATE.unscaled, capturable),
    form(DECAY.none, inside, decays ? UPDATE.decayed : UPDATE.unbiased, unbiased),
    form(DECAY.none, inside, decays ? UPDATE.decayedFused : UPDATE.unbiasedFused, unbiased),
  ];
}
