/** Calls the WebAssembly kernel of a formula. */
import type { Formula } from './formulas.js';
import type { WasmExports } from './wasm-module.js';

/** Pointers of the inputs and the output, lanes, order, pointer of the constants. */
type Run = (
  wasm: WasmExports,
  inputs: readonly number[],
  output: number,
  lanes: number,
  order: number,
  k: number,
) => void;

const RUNS: Record<Formula, Run> = {
  'narrow-bf16': (wasm, [a], output, lanes) => wasm.narrowToBf16(a, output, lanes),
  'widen-bf16': (wasm, [a], output, lanes) => wasm.widenBf16(a, output, lanes),
  'narrow-f16': (wasm, [a], output, lanes) => wasm.narrowToF16(a, output, lanes),
  'widen-f16': (wasm, [a], output, lanes) => wasm.widenF16(a, output, lanes),
  'adam-second-moment': (wasm, [a, b, c], ...rest) => wasm.predictSecondMoment(a, b, c, ...rest),
  'adam-weights': (wasm, [a, b, c], ...rest) => wasm.predictAdamWeights(a, b, c, ...rest),
  'lazy-adam-weights': (wasm, [a, b, c, d], ...rest) => wasm.predictLazyAdamWeights(a, b, c, d, ...rest),
  'nadam-weights': (wasm, [a, b, c, d], ...rest) => wasm.predictNadamWeights(a, b, c, d, ...rest),
  'momentum-weights': (wasm, [a, b], ...rest) => wasm.predictMomentumWeights(a, b, ...rest),
  'nesterov-weights': (wasm, [a, b, c], ...rest) => wasm.predictNesterovWeights(a, b, c, ...rest),
  'lion-weights': (wasm, [a, b, c], ...rest) => wasm.predictLionWeights(a, b, c, ...rest),
  'adam-first-moment': (wasm, [a, b], ...rest) => wasm.predictFirstMoment(a, b, ...rest),
  'faded-moment': (wasm, [a], ...rest) => wasm.predictFadedMoment(a, ...rest),
  'scaled-moment': (wasm, [a, b], ...rest) => wasm.predictScaledMoment(a, b, ...rest),
  'decayed-moment': (wasm, [a, b, c], ...rest) => wasm.predictDecayedMoment(a, b, c, ...rest),
  'step-square': (wasm, [a, b, c], ...rest) => wasm.predictStepSquare(a, b, c, ...rest),
  average: (wasm, [a, b], ...rest) => wasm.predictAverage(a, b, ...rest),
  maximum: (wasm, [a, b], output, lanes) => wasm.predictMaximum(a, b, output, lanes),
  'recover-gradient': (wasm, [a, b], ...rest) => wasm.recoverGradient(a, b, ...rest),
  'recover-scaled': (wasm, [a, b], ...rest) => wasm.recoverScaled(a, b, 0, ...rest),
  'recover-decayed': (wasm, [a, b, c], ...rest) => wasm.recoverScaled(a, b, c, ...rest),
};

/** Runs a formula over `lanes` lanes; `inputs`, `output` and `k` (its constants) point into the memory of the instance. */
export function runFormula(
  wasm: WasmExports,
  formula: Formula,
  order: number,
  inputs: readonly number[],
  output: number,
  lanes: number,
  k: number,
): void {
  RUNS[formula](wasm, inputs, output, lanes, order, k);
}
