/**
 * What the names of TensorFlow's and Keras's variables mean: `dense/kernel/Adam_1` of `tf.compat.v1.train`, `w/.OPTIMIZER_SLOT/optimizer/m`
 * and `Adam/dense/kernel/m` of Keras 2, `adam/dense_kernel_momentum` of Keras 3. A wrong guess costs ratio, never a byte.
 */
import { dtypeInfo, type ParameterFacts, SettingsCollector, stepCount } from '../tensor/index.js';
import type { Group, RandomAccess, Segmentation, TensorRange } from './adapter.js';
import { isWeightType } from './parameter-names.js';
import { decodeScalar } from './torch-progress.js';

const SLOT_MARK = '/.OPTIMIZER_SLOT/';
/** Slots of `tf.compat.v1.train`, behind the name of the variable. */
const OLD_SLOTS = /\/(Adam|Momentum|RMSProp|Adagrad|Adadelta|Ftrl)(_1)?$|^beta[12]_power(_\d+)?$/;
/** Keras 3 reaches the weights by way of the optimizer where that is shorter. */
const WEIGHTS_OF_OPTIMIZER = /(^|\/)_?optimizer\/_trainable_variables\/\d+$/;
const OF_OPTIMIZER = /(^|\/)_?optimizers?(_weights)?\//;
const COUNTERS = /^(save_counter|global_step|step|epoch|iteration|iterations)$/;
const RUN_STEPS = ['global_step', 'step', 'iteration', 'iterations'];
const OPTIMIZER_STEPS = ['iteration', 'iterations', 'iter', '_iterations'];

/** Places at which a name is cut into optimizer, weights and slot; guards time against names of nothing but slashes. */
const CUTS_MAX = 16;
/** Single numbers read from one file. */
const SCALARS_MAX = 64;
const SCALAR_BYTES_MAX = 8;

/** Slots as torch calls them. */
const SLOT_NAMES = new Map([
  ['m', 'exp_avg'],
  ['v', 'exp_avg_sq'],
  ['vhat', 'max_exp_avg_sq'],
  ['velocity_hat', 'max_exp_avg_sq'],
  ['Adam', 'exp_avg'],
  ['Adam_1', 'exp_avg_sq'],
  ['Momentum', 'momentum_buffer'],
  ['RMSProp', 'square_avg'],
  ['RMSProp_1', 'momentum_buffer'],
  ['rms', 'square_avg'],
  ['Adagrad', 'sum'],
  ['accumulator', 'sum'],
]);

/** Returns the group of a variable by the name that its checkpoint has for it. */
export function groupOfVariable(name: string): Group {
  if (COUNTERS.test(name)) return 'extra';
  if (WEIGHTS_OF_OPTIMIZER.test(name)) return 'model';
  return name.includes(SLOT_MARK) || OF_OPTIMIZER.test(name) || OLD_SLOTS.test(name) ? 'optimizer' : 'model';
}

/** Returns what the names tell of optimizers and of the step; `fullNames` has those that the program uses, by key. */
export async function variableFacts(
  ranges: readonly TensorRange[],
  fullNames: ReadonlyMap<string, string>,
  source: RandomAccess,
): Promise<Pick<Segmentation, 'parameters' | 'step'>> {
  const nameOf = ({ key }: TensorRange): string => (fullNames.get(key) ?? key).replace(/:0$/, '');
  const scalars = await readScalars(ranges, nameOf, source);
  const slots = findSlots(ranges, nameOf);
  const parameters = [...slots.values()].flatMap((optimizer) => factsOf(optimizer, scalars));
  const own = RUN_STEPS.map((name) => stepCount(scalars.get(name))).find((count) => count !== null);
  const step = own ?? stepOf(scalars, undefined);
  return { parameters, ...(step === null ? {} : { step }) };
}

/** A slot of a variable, and the optimizer that keeps it. */
interface Slot {
  range: TensorRange;
  weights: TensorRange;
  slot: string;
  optimizer: string;
}

function findSlots(
  ranges: readonly TensorRange[],
  nameOf: (range: TensorRange) => string,
): Map<string, Slot[]> {
  const weights = new Map<string, TensorRange>();
  for (const range of ranges) {
    if (range.group !== 'model' || !isWeightType(range.dtype)) continue;
    for (const name of [range.key, nameOf(range), nameOf(range).replaceAll('/', '_')])
      if (!weights.has(name)) weights.set(name, range);
  }
  const slots = new Map<string, Slot[]>();
  for (const range of ranges) {
    if (range.group !== 'optimizer' || !isWeightType(range.dtype)) continue;
    const place = placeOf(nameOf(range), weights) ?? placeOf(range.key, weights);
    if (place === undefined || String(place.weights.tensors[0].shape) !== String(range.tensors[0].shape))
      continue;
    const own = slots.get(place.optimizer) ?? [];
    slots.set(place.optimizer, own);
    own.push({ range, ...place });
  }
  return slots;
}

function placeOf(name: string, weights: ReadonlyMap<string, TensorRange>): Omit<Slot, 'range'> | undefined {
  const mark = name.indexOf(SLOT_MARK);
  if (mark >= 0) {
    const found = weights.get(name.slice(0, mark));
    const [optimizer, slot] = name.slice(mark + SLOT_MARK.length).split('/');
    return found === undefined || slot === undefined ? undefined : { weights: found, slot, optimizer };
  }
  const cut = name.lastIndexOf('/');
  if (cut < 0) return undefined;
  return (
    behindWeights(name.slice(0, cut), name.slice(cut + 1), weights) ??
    joinedName(name.slice(0, cut), name.slice(cut + 1), weights)
  );
}

/** `[…/]<optimizer>/<weights>/<slot>`, or `<weights>/<slot>`, where the slot is called as its optimizer. */
function behindWeights(
  path: string,
  slot: string,
  weights: ReadonlyMap<string, TensorRange>,
): Omit<Slot, 'range'> | undefined {
  let start = 0;
  for (let cuts = 0; cuts < CUTS_MAX; cuts++) {
    const found = weights.get(path.slice(start));
    const optimizer = start === 0 ? slot.replace(/_1$/, '') : path.slice(0, start - 1);
    if (found !== undefined) return { weights: found, slot, optimizer };
    start = path.indexOf('/', start) + 1;
    if (start === 0) return undefined;
  }
  return undefined;
}

/** `<optimizer>/<weights, joined by underscores>_<slot>`. */
function joinedName(
  optimizer: string,
  joined: string,
  weights: ReadonlyMap<string, TensorRange>,
): Omit<Slot, 'range'> | undefined {
  let cut = joined.lastIndexOf('_');
  for (let cuts = 0; cut > 0 && cuts < CUTS_MAX; cuts++) {
    const found = weights.get(joined.slice(0, cut));
    if (found !== undefined) return { weights: found, slot: joined.slice(cut + 1), optimizer };
    cut = joined.lastIndexOf('_', cut - 1);
  }
  return undefined;
}

function factsOf(slots: readonly Slot[], scalars: ReadonlyMap<string, number>): ParameterFacts[] {
  const byWeights = new Map<TensorRange, Slot[]>();
  for (const slot of slots) {
    const own = byWeights.get(slot.weights) ?? [];
    byWeights.set(slot.weights, own);
    own.push(slot);
  }
  const { optimizer } = slots[0];
  const settings = new SettingsCollector();
  for (const [name, value] of scalars) {
    const own = name.slice(name.lastIndexOf('/') + 1);
    if (belongsTo(name, optimizer) && !OPTIMIZER_STEPS.includes(own))
      settings.add(own.replace(/^_/, ''), value);
  }
  return [...byWeights].map(([weights, own], index) => {
    const names = new Set(own.map(({ slot }) => slot));
    return {
      weights: weights.key,
      slots: Object.fromEntries(own.map(({ slot, range }) => [torchName(slot, names, optimizer), range.key])),
      optimizer,
      group: 0,
      index,
      name: weights.key,
      shape: [...weights.tensors[0].shape],
      settings: settings.toRecord(),
      step: stepOf(scalars, optimizer),
    };
  });
}

/** `momentum` and `velocity` mean something else in each optimizer of Keras. */
function torchName(slot: string, all: ReadonlySet<string>, optimizer: string): string {
  const known = SLOT_NAMES.get(slot);
  if (known !== undefined) return known;
  const isSquare = /rms/i.test(optimizer) || !all.has('momentum');
  if (slot === 'velocity') return isSquare ? 'square_avg' : 'exp_avg_sq';
  if (slot === 'momentum') return all.has('velocity') && !isSquare ? 'exp_avg' : 'momentum_buffer';
  return slot;
}

/** A number of the optimizer itself, or of the only one that tells any. */
function belongsTo(name: string, optimizer: string | undefined): boolean {
  const cut = name.lastIndexOf('/');
  const owner = name.slice(0, Math.max(0, cut));
  return cut > 0 && (optimizer === undefined || owner === optimizer || /(^|\/)_?optimizer$/.test(owner));
}

function stepOf(scalars: ReadonlyMap<string, number>, optimizer: string | undefined): number | null {
  for (const [name, value] of scalars) {
    if (belongsTo(name, optimizer) && OPTIMIZER_STEPS.includes(name.slice(name.lastIndexOf('/') + 1)))
      return stepCount(value);
  }
  return optimizer === undefined ? null : stepCount(scalars.get('global_step'));
}

/** Single numbers of optimizers and counters, by name. */
async function readScalars(
  ranges: readonly TensorRange[],
  nameOf: (range: TensorRange) => string,
  source: RandomAccess,
): Promise<Map<string, number>> {
  const scalars = new Map<string, number>();
  for (const range of ranges) {
    const { group, dtype, offset, length } = range;
    const isScalar = length === dtypeInfo(dtype).bytes && length <= SCALAR_BYTES_MAX;
    if ((group !== 'optimizer' && group !== 'extra') || !isScalar || scalars.size === SCALARS_MAX) continue;
    const value = decodeScalar(dtype, await source.read(offset, length));
    if (value === undefined) continue;
    scalars.set(COUNTERS.test(range.key) ? range.key : nameOf(range), value);
  }
  return scalars;
}
