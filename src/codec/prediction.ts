/** What a chunk may be predicted from. A prediction is never trusted: what it misses is in the record, bit for bit. */
import type { DType } from '../tensor/index.js';

/** A rule and the decoded bytes of the chunks that it reads, in the order that the rule names them. */
export interface Prediction {
  readonly rule: Rule;
  readonly inputs: readonly Uint8Array[];
}

/** How the inputs give the predicted bytes. Numbers are those of the training job: a wrong one only costs bytes. */
export type Rule =
  /** Inputs: the same chunk of an earlier checkpoint. */
  | { readonly kind: 'base' }
  /** Inputs: the same elements as `from`. An fp32 master gives its bf16 or f16 copy, and such a copy an fp32 guess. */
  | { readonly kind: 'cast'; readonly from: DType }
  | AdamSecondMomentRule
  | AdamWeightsRule
  | NadamWeightsRule
  | MomentumWeightsRule
  | LionWeightsRule
  | FadedMomentRule
  | GradientMomentRule
  | StepSquareRule
  | AverageRule
  /** The larger of two (f32), as amsgrad keeps it. Inputs: the maximum before, the second moment after. */
  | { readonly kind: 'maximum' };

/** The second moment (f32) after one step of Adam. Inputs: second moment before, first moment after, and before. */
export interface AdamSecondMomentRule {
  readonly kind: 'adam-second-moment';
  readonly beta1: number;
  readonly beta2: number;
}

interface AdamSettings {
  readonly lr: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly eps: number;
  readonly weightDecay: number;
  /** Whether decay acts on the weights (AdamW) instead of on the gradient (Adam). */
  readonly decoupled: boolean;
  /** The number of this step, the first being 1; Infinity where it is not known. */
  readonly step: number;
}

/**
 * Weights (f32) after one step of Adam or AdamW. Inputs: weights before, first and second moment after (of amsgrad the
 * maximum); `lazy` also the first moment before: rows without a gradient are left alone.
 */
export interface AdamWeightsRule extends AdamSettings {
  readonly kind: 'adam-weights' | 'lazy-adam-weights';
}

/** Weights (f32) after one step of NAdam. Inputs: weights before, first and second moment after, first moment before. */
export interface NadamWeightsRule extends AdamSettings {
  readonly kind: 'nadam-weights';
  readonly momentumDecay: number;
}

/**
 * Weights (f32) after one step of SGD with momentum. Inputs: weights before, momentum buffer after, and for `nesterov`
 * the buffer before. Weight decay acts on the gradient, so the buffer holds it already.
 */
export interface MomentumWeightsRule {
  readonly kind: 'momentum-weights';
  readonly lr: number;
  readonly momentum: number;
  readonly dampening: number;
  readonly nesterov: boolean;
}

/** Weights (f32) after one step of Lion. Inputs: weights before, momentum after, and before. */
export interface LionWeightsRule {
  readonly kind: 'lion-weights';
  readonly lr: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly weightDecay: number;
}

/** A moment (f32) is `kept` times the one before plus `added` times the gradient. */
interface MomentSettings {
  readonly kept: number;
  readonly added: number;
}

/** A moment after one step in which nearly all gradients are 0. Inputs: the moment before. */
export interface FadedMomentRule extends MomentSettings {
  readonly kind: 'faded-moment';
}

/**
 * A moment after one step with gradients of 16 bits: the record holds them. Inputs: the moment before, and the weights
 * before where their decay is a part of the gradient.
 */
export interface GradientMomentRule extends MomentSettings {
  readonly kind: 'gradient-moment';
  readonly gradients: 'bf16' | 'f16';
  /** What the gradients of 16 bits were multiplied with. */
  readonly scale: number;
  readonly weightDecay: number;
}

/**
 * A mean (f32) of squared gradients whose root the gradient was divided by (RMSprop, Adagrad). `x - kept * x0` is
 * `added` times this quotient. Inputs: the mean before, `x` (weights or momentum buffer) after, and before.
 */
export interface StepSquareRule extends MomentSettings {
  readonly kind: 'step-square';
  /** Of the mean before, and of the squared gradient. */
  readonly squareKept: number;
  readonly squareAdded: number;
  readonly eps: number;
}

/** A moving average (f32) of weights. Inputs: the average before, the weights after. */
export interface AverageRule {
  readonly kind: 'average';
  readonly decay: number;
}

/** Returns the prediction from the same chunk of an earlier checkpoint, as the only one; none without it. */
export function fromBase(base: Uint8Array | undefined): readonly Prediction[] {
  return base === undefined ? [] : [{ rule: { kind: 'base' }, inputs: [base] }];
}
