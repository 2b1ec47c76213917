/** Orders of operations of Adam and its kin, as training frameworks have them. FORMAT.md, "Rules", defines the fields. */
import type { AdamSecondMomentRule, AdamWeightsRule, NadamWeightsRule } from './prediction.js';
import type { Form } from './predictor.js';

/** Fields of an order of adam-second-moment. */
const RECOVERY = { lerp: 0, products: 1 } as const;
const PRECISION = { all: 0, bf16: 1, f16: 2 } as const;
const LAZY = 1 << 6;

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
const DECAY_AFTER = 1 << 7;
/** Without a decay the same bit stands for one division by both corrections. */
const JOINT = DECAY_AFTER;

/**
 * Recovery, precision and the way to add the square of the gradient. Where the gradient is recovered only nearly, the way
 * makes no difference; where it is a 16-bit value, it does. Forms of those come first: others then nearly hold. Rows left
 * alone: SparseAdam, lazy Adam.
 */
const SECOND_MOMENT_ORDERS: readonly number[] = [
  [RECOVERY.lerp, PRECISION.bf16, 0],
  [RECOVERY.lerp, PRECISION.f16, 0],
  [RECOVERY.lerp, PRECISION.all, 0],
  [RECOVERY.products, PRECISION.all, 0],
  [RECOVERY.lerp, PRECISION.bf16, 2],
  [RECOVERY.lerp, PRECISION.bf16, 1],
  [RECOVERY.lerp, PRECISION.bf16, 3],
  [RECOVERY.products, PRECISION.all, 2],
  [RECOVERY.lerp, PRECISION.all, 6],
  [RECOVERY.lerp, PRECISION.all, 7],
  [RECOVERY.lerp, PRECISION.all, 6, LAZY],
  [RECOVERY.lerp, PRECISION.all, 0, LAZY],
  [RECOVERY.products, PRECISION.all, 2, LAZY],
].map(([recovery, precision, sum, lazy = 0]) => recovery | (precision << 1) | (sum << 3) | lazy);

export function adamSecondMomentForms({ beta1, beta2 }: AdamSecondMomentRule): readonly Form[] {
  const constants = [beta1, 1 - beta1, beta2, 1 - beta2];
  return SECOND_MOMENT_ORDERS.map((order) => ({ formula: 'adam-second-moment', order, constants }));
}

export function adamWeightsForms(rule: AdamWeightsRule): readonly Form[] {
  const { lr, beta1, beta2, eps, weightDecay, step } = rule;
  const bias1 = 1 - beta1 ** step;
  const bias2 = 1 - beta2 ** step;
  const root = Math.sqrt(bias2);
  const scale = -(lr / bias1);
  const decays = rule.decoupled && weightDecay !== 0;
  const lost = lr * weightDecay;
  const kept = 1 - lost;
  const inverse = 1 / Math.fround(root);
  const { quotient, product, inside, fused } = DENOMINATOR;
  const form = (decay: number, denominator: number, update: number, constants: readonly number[]): Form => ({
    formula: rule.kind,
    order: decay | (denominator << 2) | (update << 4),
    constants,
  });
  const kind = (decay: number) => (decays ? decay : DECAY.none);
  const after = (decay: number) => (decays ? decay | DECAY_AFTER : DECAY.none);
  const multiplied = kind(DECAY.product);
  const torch = [kept, scale, bias1, root, eps];
  const inverted = [kept, scale, bias1, inverse, eps];
  const subtracted = [lost, scale, bias1, root, eps];
  const capturable = [kept, scale, bias1, Math.fround(root) * Math.fround(scale), eps / Math.fround(scale)];
  const unbiased = [weightDecay, -lr, bias1, bias2, eps];
  // XLA takes powers of single precision, and divides by both roots at once.
  const single = (beta: number) => 1 - Math.fround(Math.fround(beta) ** step);
  const joint = [weightDecay, -lr, single(beta1), single(beta2), eps];
  // Both corrections in the step size: epsilon is added to the root as it is.
  const together = [lost, scale * root, bias1, 1, eps];
  return [
    form(multiplied, quotient, UPDATE.numeratorFirst, torch),
    form(multiplied, quotient, UPDATE.quotientFirst, torch),
    form(multiplied, quotient, UPDATE.quotientFused, torch),
    form(multiplied, product, UPDATE.quotientFused, inverted),
    form(multiplied, fused, UPDATE.quotientFused, inverted),
    form(multiplied, product, UPDATE.quotientFirst, inverted),
    form(kind(DECAY.difference), quotient, UPDATE.numeratorFirst, subtracted),
    form(kind(DECAY.fused), quotient, UPDATE.numeratorFirst, subtracted),
    form(kind(DECAY.fused), fused, UPDATE.quotientFused, [lost, scale, bias1, inverse, eps]),
    form(multiplied, quotient, UPDATE.unscaled, capturable),
    form(DECAY.none, inside, decays ? UPDATE.decayed : UPDATE.unbiased, unbiased),
    form(DECAY.none, inside, decays ? UPDATE.decayedFused : UPDATE.unbiasedFused, unbiased),
    form(JOINT, inside, decays ? UPDATE.decayedFused : UPDATE.unbiasedFused, joint),
    form(JOINT, inside, decays ? UPDATE.decayed : UPDATE.unbiased, joint),
    form(after(DECAY.fused), quotient, UPDATE.numeratorFirst, together),
    form(after(DECAY.difference), quotient, UPDATE.numeratorFirst, together),
    form(kind(DECAY.difference), quotient, UPDATE.numeratorFirst, together),
    form(kind(DECAY.difference), quotient, UPDATE.quotientFirst, together),
  ];
}

/** The momentum of NAdam grows with the steps; its product falls below what single precision holds after some hundred. */
const NADAM_STEPS_MAX = 2000;

export function nadamWeightsForms(rule: NadamWeightsRule): readonly Form[] {
  const { lr, beta1, beta2, eps, weightDecay, momentumDecay, step } = rule;
  const momentum = (at: number) => beta1 * (1 - 0.5 * 0.96 ** (at * momentumDecay));
  let product = 1;
  for (let at = 1; at <= Math.min(step, NADAM_STEPS_MAX); at++) product *= momentum(at);
  const next = momentum(step + 1);
  const ahead = (-lr * (1 - momentum(step))) / (1 - product);
  const scale = (-lr * next) / (1 - product * next);
  const decay = rule.decoupled && weightDecay !== 0 ? DECAY.product : DECAY.none;
  const constants = [1 - lr * weightDecay, ahead, scale, 1 - beta2 ** step, eps, beta1, 1 - beta1];
  const order = decay | (DENOMINATOR.inside << 2);
  return [0, 1].map((update) => ({ formula: 'nadam-weights', order: order | (update << 4), constants }));
}
