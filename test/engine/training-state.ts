/** States as a training program has them: weights that drift, moments that change a lot, a few things that never do. */
import type { StateValue } from '../../src/index.js';

/** Pseudo-random numbers in [0, 1), the same for the same seed. */
export function randomNumbers(seed: number): () => number {
  let state = (seed * 2654435761 + 1) >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

export interface TrainingState {
  [key: string]: StateValue;
  model: { [name: string]: StateValue };
  optimizer: { [name: string]: StateValue };
}

/** Elements of the large tensors: five chunks of a test store, the last one cut off. */
export const LARGE_ELEMENTS = 4 * 1024 + 100;

/**
 * Returns the state after `step` steps of a run: two large tensors and moments of them, small ones, a large one that never
 * changes, and progress. Each step is a small change of the one before, so that deltas pay.
 */
export function trainingState(step: number, seed = 1): TrainingState {
  return {
    model: {
      weight: drifting(LARGE_ELEMENTS, seed, step),
      embedding: { dtype: 'bf16', shape: [64, 32], data: bfloats(64 * 32, seed + 1, step) },
      frozen: drifting(2 * 1024, seed + 2, 0),
      bias: drifting(16, seed + 3, step),
      scale: drifting(8, seed + 4, step),
    },
    optimizer: {
      state: { 0: { exp_avg: drifting(LARGE_ELEMENTS, seed + 5, step), step } },
      param_groups: [{ lr: 0.001, betas: [0.9, 0.999], params: [0] }],
    },
    progress: { step, epoch: Math.floor(step / 10) },
    metrics: { loss: 1 / (step + 1) },
  };
}

function drifting(length: number, seed: number, step: number): Float32Array {
  const next = randomNumbers(seed);
  return Float32Array.from({ length }, () => {
    const start = next() - 0.5;
    return start * (1 + step * 0.0001 * next());
  });
}

function bfloats(length: number, seed: number, step: number): Uint16Array {
  const words = new Uint32Array(drifting(length, seed, step).buffer);
  return Uint16Array.from(words, (word) => word >>> 16);
}
