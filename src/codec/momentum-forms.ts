/** Orders of operations of SGD with momentum, Lion, RMSprop and Adagrad, of moments and averages. */
import type {
  AverageRule,
  FadedMomentRule,
  GradientMomentRule,
  LionWeightsRule,
  MomentumWeightsRule,
  StepSquareRule,
} from './prediction.js';
import type { Form } from './predictor.js';

/** Ways to mix an average with something new: a fused lerp, a lerp, products with the one or the other sum fused or none. */
const MIXES = [0, 2, 1, 3, 4] as const;
/** Fields of an order of scaled-moment and decayed-moment. */
const F16 = 8;
const DECAY_NOT_FUSED = 16;
/** Field of an order of step-square. */
const UNDER_ROOT = 8;

/** torch adds `lr * buffer` with a fused multiply-add where the processor has one. */
export function momentumWeightsForms(rule: MomentumWeightsRule): readonly Form[] {
  const formula = rule.nesterov ? 'nesterov-weights' : 'momentum-weights';
  const constants = [-rule.lr, rule.momentum, 1 - rule.dampening];
  return [1, 0].map((order) => ({ formula, order, constants }));
}

export function lionWeightsForms({ lr, beta1, beta2, weightDecay }: LionWeightsRule): readonly Form[] {
  const ratio = (1 - beta1) / (1 - beta2);
  const form = (order: number, decay: number): Form => ({
    formula: 'lion-weights',
    order,
    constants: [decay, -lr, ratio],
  });
  if (weightDecay === 0) return [form(0, 0)];
  const lost = lr * weightDecay;
  return [form(1, 1 - lost), form(4, weightDecay), form(2, lost), form(3, lost)];
}

export function fadedMomentForms({ kept, added }: FadedMomentRule): readonly Form[] {
  // A gradient of 0 leaves three of the ways; the lerps only where the weights add up to 1.
  const isLerp = Math.abs(kept + added - 1) < 1e-9;
  const orders = isLerp ? [0, 1, 2] : [2];
  return orders.map((order) => ({ formula: 'faded-moment', order, constants: [kept, added] }));
}

export function gradientMomentForms(rule: GradientMomentRule): readonly Form[] {
  const { kept, added, gradients, scale, weightDecay } = rule;
  const isLerp = Math.abs(kept + added - 1) < 1e-9;
  const mixes = MIXES.filter((mix) => isLerp || mix >= 2);
  const isF16 = gradients === 'f16' ? F16 : 0;
  if (weightDecay !== 0) {
    const constants = [kept, added, scale, weightDecay];
    return [0, DECAY_NOT_FUSED].flatMap((decay) =>
      mixes.map((mix) => ({ formula: 'decayed-moment', order: mix | isF16 | decay, constants })),
    );
  }
  if (scale === 1 && gradients === 'bf16') {
    return mixes.map((order) => ({ formula: 'adam-first-moment', order, constants: [kept, added] }));
  }
  const constants = [kept, added, scale];
  return mixes.map((mix) => ({ formula: 'scaled-moment', order: mix | isF16, constants }));
}

export function stepSquareForms(rule: StepSquareRule): readonly Form[] {
  const constants = [rule.kept, rule.added, rule.squareKept, rule.squareAdded, rule.eps];
  // TensorFlow has eps under the root.
  return [0, 2, 3, 6, UNDER_ROOT | 3].map((order) => ({ formula: 'step-square', order, constants }));
}

export function averageForms({ decay }: AverageRule): readonly Form[] {
  return MIXES.map((order) => ({ formula: 'average', order, constants: [decay, 1 - decay] }));
}
