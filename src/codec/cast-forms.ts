/** Which casts between dtypes there are. */
import type { Formula } from '../kernels/index.js';
import type { DType } from '../tensor/index.js';

const CASTS: readonly (readonly [from: DType, to: DType, Formula])[] = [
  ['f32', 'bf16', 'narrow-bf16'],
  ['f32', 'f16', 'narrow-f16'],
  ['bf16', 'f32', 'widen-bf16'],
  ['f16', 'f32', 'widen-f16'],
];

export function castFormula(from: DType, to: DType): Formula | undefined {
  return CASTS.find((cast) => cast[0] === from && cast[1] === to)?.[2];
}
