/**
 * What the paths of Keras's HDF5 files mean. `.h5` files of a whole model have the names of variables below those of layers
 * (`model_weights/up/classifier/up/kernel`, `optimizer_weights/adam/classifier_up_kernel_momentum`). `.weights.h5` files count: weights
 * of a layer, `layers/dense/vars/0`, and of the optimizer, `optimizer/vars/2`: two numbers of its own, then for each weight its slots.
 */
import type { RandomAccess, Segmentation, TensorRange } from './adapter.js';
import { isWeightType } from './parameter-names.js';
import { variableFacts } from './variable-names.js';

const NUMBERED = /^(.*\/)?optimizer\/vars\/(\d+)$/;
/** Steps and learning rate come first. */
const OWN_NUMBERS = ['iteration', 'learning_rate'];
/** Slots of a weight, by their number: Adam's, those of Adam with amsgrad, the momentum of SGD; as Keras 2 and others call them. */
const SLOTS: readonly (readonly string[])[] = [['m', 'v'], ['m', 'v', 'vhat'], ['momentum']];

/** A dataset, and where its header is: Keras makes them in the order of the model. */
export interface FoundDataset {
  range: TensorRange;
  address: number;
}

/** Returns what the paths tell of the optimizer. */
export async function kerasFacts(
  found: readonly FoundDataset[],
  source: RandomAccess,
): Promise<Pick<Segmentation, 'parameters' | 'step'>> {
  const names = new Map<string, string>();
  for (const { range } of found) {
    const name = nameInProgram(range.key);
    if (name !== undefined) names.set(range.key, name);
  }
  for (const [key, name] of namesOfSlots(found)) names.set(key, name);
  const ranges = found.map(({ range }) => range);
  return variableFacts(ranges, names, source);
}

function nameInProgram(path: string): string | undefined {
  const numbered = NUMBERED.exec(path)?.[2];
  if (numbered !== undefined) return `optimizer/${OWN_NUMBERS[Number(numbered)] ?? numbered}`;
  const weights = /^(?:model_weights\/[^/]+|optimizer_weights)\/(.+)$/.exec(path);
  return weights?.[1];
}

/**
 * Names for slots that are only counted, `optimizer/<weights>/<slot>`. The slots of each weight follow one another, weights in the
 * order of the model, those that are not trained left out.
 */
function namesOfSlots(found: readonly FoundDataset[]): Map<string, string> {
  const slots = found
    .map(({ range }) => ({ range, number: Number(NUMBERED.exec(range.key)?.[2] ?? Number.NaN) }))
    .filter(({ number }) => number >= OWN_NUMBERS.length)
    .sort((a, b) => a.number - b.number)
    .map(({ range }) => range);
  const weights = [...found]
    .sort((a, b) => a.address - b.address)
    .map(({ range }) => range)
    .filter(({ group, dtype }) => group === 'model' && isWeightType(dtype));
  for (const names of SLOTS) {
    const matched = matchSlots(slots, weights, names);
    if (matched !== undefined) return matched;
  }
  return new Map();
}

function matchSlots(
  slots: readonly TensorRange[],
  weights: readonly TensorRange[],
  names: readonly string[],
): Map<string, string> | undefined {
  if (slots.length % names.length !== 0) return undefined;
  const matched = new Map<string, string>();
  let at = 0;
  for (let first = 0; first < slots.length; first += names.length) {
    const own = slots.slice(first, first + names.length);
    const shape = String(own[0].tensors[0].shape);
    if (own.some(({ tensors }) => String(tensors[0].shape) !== shape)) return undefined;
    while (at < weights.length && String(weights[at].tensors[0].shape) !== shape) at++;
    if (at === weights.length) return undefined;
    for (const [index, { key }] of own.entries())
      matched.set(key, `optimizer/${weights[at].key}/${names[index]}`);
    at++;
  }
  return matched;
}
