/** Calls the WebAssembly kernel of a formula. */
import type { Formula } from './formulas.js';
import type { WasmExports } from './wasm-module.js';

/** Pointers of the inputs and the output, lanes, order, constants. */
type Run = (
  wasm: WasmExports,
  inputs: readonly number[],
  output: number,
  lanes: number,
  order: number,
  constants: Float32Array,
) => void;

const RUNS: Record<Formula, Run> = {
  'narrow-bf16': (wasm, [a], output, lanes) => wasm.narrowToBf16(a, output, lanes),
  'widen-bf16': (wasm, [a], output, lanes) => wasm.widenBf16(a, output, lanes),
  'narrow-f16': (wasm, [a], output, lanes) => wasm.narrowToF16(a, output, lanes),
  'widen-f16': (wasm, [a], output, lanes) => wasm.widenF16(a, output, lanes),
  'adam-second-moment': (wasm, [a, b, c], output, lanes, order, [k0, k1, k2, k3]) =>
    wasm.predictSecondMoment(a, b, c, output, lanes, order, k0, k1, k2, k3),
  'adam-weights': (wasm, [a, b, c], output, lanes, order, [k0, k1, k2, k3, k4]) =>
    wasm.predictAdamWeights(a, b, c, output, lanes, order, k0, k1, k2, k3, k4),
  'momentum-weights': (wasm, [a, b], output, lanes, order, [k0, k1, k2]) =>
    wasm.predictMomentumWeights(a, b, b, output, lanes, order, k0, k1, k2),
  'nesterov-weights': (wasm, [a, b, c], output, lanes, order, [k0, k1, k2]) =>
    wasm.predictMomentumWeights(a, b, c, output, lanes, order | 2, k0, k1, k2),
  'adam-first-moment': (wasm, [a, b], output, lanes, order, [k0, k1]) =>
    wasm.predictFirstMoment(a, b, output, lanes, order, k0, k1),
  'recover-gradient': (wasm, [a, b], output, lanes, order, [k0, k1]) =>
    wasm.recoverGradient(a, b, output, lanes, order, k0, k1),
};

/** Runs a formula over `lanes` lanes; `inputs` and `output` point into the memory of the instance. */
export function runFormula(
  wasm: WasmExports,
  formula: Formula,
  order: number,
  constants: Float32Array,
  inputs: readonly number[],
  output: number,
  lanes: number,
): void {
  RUNS[formula](wasm, inputs, output, lanes, order, constants);
}
