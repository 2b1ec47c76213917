import type { Kernels } from '../kernels/index.js';

/** Returns memory that a codec keeps for its lifetime, in the arena while that has room. */
export function scratchBytes(kernels: Kernels, length: number): Uint8Array {
  return kernels.arena.take(length) ?? new Uint8Array(length);
}
