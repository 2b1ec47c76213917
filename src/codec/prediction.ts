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
  | MomentumWeightsRule
  | AdamFirstMomentRule;

/** The second moment (f32) after one step of Adam. Inputs: second moment before, first moment after, and before. */
export interface AdamSecondMomentRule {
  readonly kind: 'adam-second-moment';
  readonly beta1: number;
  readonly beta2: number;
}

/** Weights (f32) after one step of Adam or AdamW. Inputs: weights before, first and second moment after. */
export interface AdamWeightsRule {
  readonly kind: 'adam-weights';
  readonly lr: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly eps: number;
  readonly weightDecay: number;
  /** Whether decay acts on the weights (AdamW) instead of on the gradient (Adam). */
  readonly decoupled: boolean;
  /** The number of this step, the first being 1. */
  readonly step: number;
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

/**
 * The first moment (f32) after one step with gradients of 16 bits (bf16 values): the record holds the gradient. Inputs:
 * the first moment before.
 */
export interface AdamFirstMomentRule {
  readonly kind: 'adam-first-moment-16bit';
  readonly beta1: number;
}

/** Returns the prediction from the same chunk of an earlier checkpoint, as the only one; none without it. */
export function fromBase(base: Uint8Array | undefined): readonly Prediction[] {
  return base === undefined ? [] : [{ rule: { kind: 'base' }, inputs: [base] }];
}
