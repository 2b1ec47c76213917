/**
 * Gives optimizer state the names of its parameters. An optimizer knows its parameters by number only, so a parameter
 * added in front renumbers all of them; with the model's state dict in the same file, the numbers can be matched with
 * names: torch numbers the parameters group by group, each group usually in the order of the model. A match is accepted
 * only if no other one fits. A wrong one would cost ratio, never a byte.
 */
import { plainParameterName } from './parameter-names.js';
import { entriesOf, itemsOf, type PickleValue } from './pickle-values.js';
import type { FoundTensor, ModelFound, OptimizerFound, TorchContents } from './torch-contents.js';

/** Buffers of well-known modules; they are in the state dict between the parameters. */
export const BUFFER_NAMES =
  /(^|\.)(running_mean|running_var|num_batches_tracked|inv_freq|position_ids|masked_bias)$/;

/** Shapes looked at for one parameter; optimizers keep two or three tensors, quantised ones eight. Guards time. */
const STATE_SHAPES_MAX = 16;
/** Group by candidate comparisons; beyond it (a group for each of 2000 parameters) only the plain order is tried. */
const COMPARISONS_MAX = 4_000_000;

/** A parameter group: the numbers and, where the optimizer was made from named parameters, the names. */
interface ParameterGroup {
  numbers: number[];
  names: string[] | undefined;
}

/** Returns the parameter names by number, for each optimizer whose parameters can be told. */
export function nameParameters(contents: TorchContents): Map<OptimizerFound, Map<number, string>> {
  const shapes = collectStateShapes(contents.tensors);
  const named = new Map<OptimizerFound, Map<number, string>>();
  for (const [optimizer, stateShapes] of shapes) {
    const groups = readGroups(optimizer.paramGroups);
    const names = groups === undefined ? undefined : nameOne(groups, contents.models, stateShapes);
    if (names !== undefined) named.set(optimizer, names);
  }
  return named;
}

/** By optimizer and number: the shapes of the state tensors, but for the step count, which has none. */
type StateShapes = Map<number | string, readonly number[][]>;

function collectStateShapes(tensors: readonly FoundTensor[]): Map<OptimizerFound, StateShapes> {
  const shapes = new Map<OptimizerFound, Map<number | string, number[][]>>();
  for (const { slot, use } of tensors) {
    if (slot === undefined) continue;
    const ofOptimizer = shapes.get(slot.optimizer) ?? new Map<number | string, number[][]>();
    shapes.set(slot.optimizer, ofOptimizer);
    const ofParameter = ofOptimizer.get(slot.parameter) ?? [];
    ofOptimizer.set(slot.parameter, ofParameter);
    if (use !== undefined && slot.stateName !== 'step' && ofParameter.length < STATE_SHAPES_MAX)
      ofParameter.push(use.shape);
  }
  return shapes;
}

function readGroups(value: PickleValue): ParameterGroup[] | undefined {
  const groups: ParameterGroup[] = [];
  const taken = new Set<number>();
  for (const item of itemsOf(value) ?? []) {
    const entries = entriesOf(item);
    const numbers = itemsOf(entries?.get('params'))?.filter((number) => typeof number === 'number');
    if (numbers === undefined || numbers.some((number) => taken.has(number))) return undefined;
    for (const number of numbers) taken.add(number);
    const names = itemsOf(entries?.get('param_names'))?.filter((name) => typeof name === 'string');
    groups.push({ numbers, names: names?.length === numbers.length ? names : undefined });
  }
  return groups;
}

function nameOne(
  groups: readonly ParameterGroup[],
  models: readonly ModelFound[],
  shapes: StateShapes,
): Map<number, string> | undefined {
  if (groups.every((group) => group.names !== undefined)) {
    return new Map(
      groups.flatMap(({ numbers, names }) => numbers.map((number, i) => [number, names?.[i] ?? ''])),
    );
  }
  let accepted: Map<number, string> | undefined;
  for (const model of models) {
    const names = matchModel(groups, model, shapes);
    if (names === undefined) continue;
    if (accepted !== undefined && !sameNames(accepted, names)) return undefined;
    accepted = names;
  }
  return accepted;
}

/** Two copies of one model (weights and their moving average, which may be wrapped) give the same names; two models do not. */
function sameNames(a: ReadonlyMap<number, string>, b: ReadonlyMap<number, string>): boolean {
  return [...a].every(
    ([number, name]) => plainParameterName(b.get(number) ?? '') === plainParameterName(name),
  );
}

interface Candidate {
  name: string;
  shape: readonly number[];
}

/** The model's parameters in order: no buffers, tied tensors once, as `Module.parameters()` gives them. */
function candidatesOf({ prefix, tensors }: ModelFound): Candidate[] {
  const candidates: Candidate[] = [];
  const places = new Set<string>();
  for (const { name, use, buffer } of tensors) {
    if (use === undefined || buffer || BUFFER_NAMES.test(name)) continue;
    const dtype = use.element?.dtype;
    if (dtype !== undefined && !/^(f|bf|c|bytes)/.test(dtype)) continue;
    const place = `${use.storage.key}/${use.offset}/${use.shape}`;
    if (places.has(place) && !use.shape.includes(0)) continue;
    places.add(place);
    candidates.push({ name: name.startsWith(prefix) ? name.slice(prefix.length) : name, shape: use.shape });
  }
  return candidates;
}

function matchModel(
  groups: readonly ParameterGroup[],
  model: ModelFound,
  shapes: StateShapes,
): Map<number, string> | undefined {
  const candidates = candidatesOf(model);
  return groupByGroup(groups, candidates, shapes) ?? oneAfterTheOther(groups, candidates, shapes);
}

/** Each group is an ordered selection of the model; groups that fit in one way only make room for the others. */
function groupByGroup(
  groups: readonly ParameterGroup[],
  candidates: readonly Candidate[],
  shapes: StateShapes,
): Map<number, string> | undefined {
  const names = new Map<number, string>();
  let waiting = groups.filter((group) => group.numbers.length > 0);
  let free = [...candidates];
  let comparisons = 0;
  while (waiting.length > 0) {
    const undecided: ParameterGroup[] = [];
    for (const group of waiting) {
      comparisons += free.length;
      if (comparisons > COMPARISONS_MAX) return undefined;
      const places = onlySelection(group.numbers, free, shapes);
      if (places === undefined) {
        undecided.push(group);
        continue;
      }
      group.numbers.forEach((number, i) => void names.set(number, free[places[i]].name));
      const used = new Set(places);
      free = free.filter((_, index) => !used.has(index));
    }
    if (undecided.length === waiting.length) return undefined;
    waiting = undecided;
  }
  return names;
}

/** The groups cut the model into consecutive pieces, as with one learning rate for each layer. */
function oneAfterTheOther(
  groups: readonly ParameterGroup[],
  candidates: readonly Candidate[],
  shapes: StateShapes,
): Map<number, string> | undefined {
  const numbers = groups.flatMap((group) => group.numbers);
  const fits =
    numbers.length === candidates.length &&
    numbers.every((number, i) => couldBe(number, candidates[i], shapes));
  return fits ? new Map(numbers.map((number, i) => [number, candidates[i].name])) : undefined;
}

/** Returns where the numbers lie among the candidates, in order, if there is exactly one way: the first is the last. */
function onlySelection(
  numbers: readonly number[],
  candidates: readonly Candidate[],
  shapes: StateShapes,
): number[] | undefined {
  const first: number[] = [];
  for (let at = 0; at < candidates.length && first.length < numbers.length; at++) {
    if (couldBe(numbers[first.length], candidates[at], shapes)) first.push(at);
  }
  if (first.length < numbers.length) return undefined;
  let left = numbers.length;
  for (let at = candidates.length - 1; at >= 0 && left > 0; at--) {
    if (!couldBe(numbers[left - 1], candidates[at], shapes)) continue;
    if (first[--left] !== at) return undefined;
  }
  return first;
}

/** State has the shape of its parameter, at least one tensor of it; without state every shape is possible. */
function couldBe(number: number, { shape }: Candidate, shapes: StateShapes): boolean {
  const found = shapes.get(number) ?? [];
  return found.length === 0 || found.some((other) => sameShape(other, shape));
}

function sameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((size, axis) => size === b[axis]);
}
