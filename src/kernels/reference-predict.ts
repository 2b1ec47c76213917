/** Predictions of all formulas, the plain twin of wasm-predict.ts. */
import type { Formula } from './formulas.js';
import type { Predict } from './reference-arithmetic.js';
import { averages, maxima } from './reference-averages.js';
import {
  narrowToBf16Reference,
  narrowToF16Reference,
  widenBf16Reference,
  widenF16Reference,
} from './reference-cast.js';
import {
  decayedMoments,
  fadedMoments,
  firstMoments,
  recoveredGradients,
  recoveredScaled,
  scaledMoments,
  secondMoments,
  stepSquares,
} from './reference-moments.js';
import {
  adamWeights,
  lazyAdamWeights,
  lionWeights,
  momentumWeights,
  nadamWeights,
  nesterovWeights,
} from './reference-weights.js';

const PREDICTS: Record<Formula, Predict> = {
  'narrow-bf16': (_order, _constants, [input], output) => narrowToBf16Reference(input, output),
  'widen-bf16': (_order, _constants, [input], output) => widenBf16Reference(input, output),
  'narrow-f16': (_order, _constants, [input], output) => narrowToF16Reference(input, output),
  'widen-f16': (_order, _constants, [input], output) => widenF16Reference(input, output),
  'adam-second-moment': secondMoments,
  'adam-weights': adamWeights,
  'lazy-adam-weights': lazyAdamWeights,
  'nadam-weights': nadamWeights,
  'momentum-weights': momentumWeights,
  'nesterov-weights': nesterovWeights,
  'lion-weights': lionWeights,
  'adam-first-moment': firstMoments,
  'faded-moment': fadedMoments,
  'scaled-moment': scaledMoments,
  'decayed-moment': decayedMoments,
  'step-square': stepSquares,
  average: averages,
  maximum: maxima,
  'recover-gradient': recoveredGradients,
  'recover-scaled': recoveredScaled,
  'recover-decayed': recoveredScaled,
};

export function predictReference(
  formula: Formula,
  order: number,
  constants: Float32Array,
  inputs: readonly Uint8Array[],
  output: Uint8Array,
): void {
  PREDICTS[formula](order, constants, inputs, output);
}
