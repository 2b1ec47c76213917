/**
 * Optimizers in formats that have nothing but names: trees of a JAX or JavaScript program, flattened into one file
 * (`opt_state.0.mu.block.kernel` beside `params.block.kernel`).
 */
import { dtypeInfo, type ParameterFacts, type StateValue } from '../tensor/index.js';
import type { RandomAccess, TensorRange } from './adapter.js';
import { parametersOfState, type StateTensor } from './state-parameters.js';
import { STEP_NAMES } from './state-settings.js';
import { decodeScalar } from './torch-progress.js';

/** Counts of steps that are read from a file: one for each transformation of an optimizer. */
const COUNTS_MAX = 64;
/** Bytes of the longest of them. */
const COUNT_BYTES_MAX = 8;

/** Returns the facts of the optimizers that the names tell of; keys are those of the ranges. */
export async function parametersByName(
  ranges: readonly TensorRange[],
  source: RandomAccess,
): Promise<ParameterFacts[]> {
  if (!ranges.some(({ group }) => group === 'optimizer')) return [];
  const tensors: StateTensor[] = [];
  const counts: { path: string[]; value: number }[] = [];
  for (const range of ranges) {
    const { key, dtype, length, offset } = range;
    const [view] = range.tensors;
    if (range.tensors.length !== 1 || view.strides !== undefined) continue;
    const path = view.name.split(/[./]/);
    const isCount = STEP_NAMES.includes(path[path.length - 1]) && length === dtypeInfo(dtype).bytes;
    if (!isCount) tensors.push({ path, name: key, dtype, shape: view.shape });
    else if (length <= COUNT_BYTES_MAX && counts.length < COUNTS_MAX) {
      const value = decodeScalar(dtype, await source.read(offset, length));
      if (value !== undefined) counts.push({ path, value });
    }
  }
  return parametersOfState(tensors, treeOf(counts));
}

/** Makes a state of values and their paths. */
export function treeOf(leaves: readonly { path: readonly string[]; value: number }[]): StateValue {
  const root: Record<string, StateValue> = Object.create(null);
  for (const { path, value } of leaves) {
    let node = root;
    for (const segment of path.slice(0, -1)) {
      const next = node[segment];
      const child: Record<string, StateValue> =
        typeof next === 'object' && next !== null
          ? (next as Record<string, StateValue>)
          : Object.create(null);
      node[segment] = child;
      node = child;
    }
    node[path[path.length - 1]] = value;
  }
  return root;
}
