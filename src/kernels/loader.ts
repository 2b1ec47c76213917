import { ThetalogError } from '../errors.js';
import type { KernelImplementation, Kernels } from './kernels.js';
import { typescriptKernels } from './reference.js';
import { WasmKernels } from './wasm-kernels.js';
import { instantiateWasm } from './wasm-module.js';

/**
 * Returns new kernels. Without an argument: WebAssembly where this machine has its SIMD, else plain TypeScript. Asking for
 * `wasm` where it is missing throws `unsupported`.
 */
export function loadKernels(implementation?: KernelImplementation): Kernels {
  if (implementation === 'typescript') return typescriptKernels();
  const wasm = instantiateWasm();
  if (wasm !== undefined) return new WasmKernels(wasm);
  if (implementation === 'wasm') {
    throw new ThetalogError('unsupported', 'no-wasm-simd', 'This machine has no WebAssembly SIMD.');
  }
  return typescriptKernels();
}
