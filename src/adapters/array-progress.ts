/** How far a run is, where formats have nothing but named arrays: trees of a JAX or JavaScript program in one file. */
import type { RandomAccess, Segmentation, TensorRange } from './adapter.js';
import { decodeScalar } from './torch-progress.js';

/** Arrays beside the trees, in the order of asking; what an optimizer counts lies deeper. */
const STEP_KEYS = ['step', 'global_step', 'iteration', 'iterations'];

/** Reads the step from an array of one number; whatever is not there or no count is left out. */
export async function readArrayStep(
  ranges: readonly TensorRange[],
  source: RandomAccess,
): Promise<Pick<Segmentation, 'step'>> {
  for (const name of STEP_KEYS) {
    const range = ranges.find(
      ({ tensors: [view] }) => view?.name === name && view.shape.every((size) => size === 1),
    );
    if (range === undefined || range.tensors.length !== 1) continue;
    const step = decodeScalar(range.dtype, await source.read(range.offset, range.length));
    if (step !== undefined && Number.isSafeInteger(step) && step >= 0) return { step };
  }
  return {};
}
