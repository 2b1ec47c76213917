/**
 * DeepSpeed's ZeRO, stages 1 and 2, keeps the fp32 weights and the moments of a parameter group in flat tensors, of which each
 * process saves its part; `param_slice_mappings` says where in it which parameter lies. Sources: `state_dict` in
 * deepspeed/runtime/zero/stage_1_and_2.py and deepspeed/runtime/bf16_optimizer.py; deepspeed/utils/tensor_fragment.py.
 */
import {
  entriesOf,
  itemsOf,
  PickleDict,
  PickleGlobal,
  PickleList,
  PickleRecord,
  PickleTuple,
  type PickleValue,
} from './pickle-values.js';
import { readTensor } from './torch-tensors.js';

const ZERO = 'optimizer_state_dict';
const OPTIMIZER = 'base_optimizer_state';
const WEIGHTS = 'single_partition_of_fp32_groups';
const MAPPINGS = 'param_slice_mappings';
/** Parts of flat tensors in a file: 100,000 parameters have 300,000. Guards time and memory, as a pickle can name one list often. */
const PARTS_MAX = 2 ** 20;

/** Where in a flat tensor a parameter, or the part of it that this process has, lies; in elements. */
interface Fragment {
  name: string;
  start: number;
  length: number;
}

/** A parameter group of one flat tensor, taken apart. */
interface NamedGroup {
  group: PickleDict;
  weights: PickleDict;
  state: Map<string, PickleDict>;
}

/**
 * Returns what a pickle holds with parameters by name in the place of the flat tensors, as other optimizers have them:
 * `state.layers.0.weight.exp_avg`. What is not laid out so stays as it is.
 */
export function namePartitions(value: PickleValue, object: string): PickleValue {
  const zero = entriesOf(value)?.get(ZERO);
  const mappings = itemsOf(entriesOf(zero)?.get(MAPPINGS));
  const weights = itemsOf(entriesOf(zero)?.get(WEIGHTS));
  const optimizer = entriesOf(zero)?.get(OPTIMIZER);
  const groups = itemsOf(entriesOf(optimizer)?.get('param_groups'));
  const state = entriesOf(entriesOf(optimizer)?.get('state'));
  if (groups === undefined || state === undefined || mappings?.length !== groups.length) return value;
  const named: NamedGroup[] = [];
  let parts = 0;
  for (const [at, group] of groups.entries()) {
    const [parameter = null, ...others] = itemsOf(entriesOf(group)?.get('params')) ?? [];
    const slots = entriesOf(state.get(parameter));
    const mapping = entriesOf(mappings[at]);
    if (slots === undefined || mapping === undefined || others.length > 0) return value;
    parts += mapping.size * (slots.size + 1);
    if (parts > PARTS_MAX) return value;
    const fragments = readFragments(mapping);
    const apart = fragments && nameGroup(group, slots, weights?.[at] ?? null, fragments, object);
    if (apart === undefined) return value;
    named.push(apart);
  }
  const parameters = named.flatMap((group) => [...group.state]);
  if (new Set(parameters.map(([name]) => name)).size !== parameters.length) return value;
  const ofOptimizer = withEntries(optimizer, {
    state: dictOf(parameters),
    param_groups: listOf(named.map(({ group }) => group)),
  });
  const ofZero = { [OPTIMIZER]: ofOptimizer, [WEIGHTS]: listOf(named.map((group) => group.weights)) };
  return withEntries(value, { [ZERO]: withEntries(zero, ofZero) });
}

function nameGroup(
  group: PickleValue,
  slots: ReadonlyMap<PickleValue, PickleValue>,
  weights: PickleValue,
  fragments: readonly Fragment[],
  object: string,
): NamedGroup | undefined {
  const named: NamedGroup = {
    group: withEntries(group, { params: listOf(fragments.map(({ name }) => name)) }),
    weights: new PickleDict(),
    state: new Map(),
  };
  for (const fragment of fragments) {
    const own = partOf(weights, fragment, object);
    if (own === undefined) return undefined;
    named.weights.entries.set(fragment.name, own);
    const parts = [...slots].map(([slot, flat]): [PickleValue, PickleValue] => {
      return [slot, partOf(flat, fragment, object) ?? flat];
    });
    named.state.set(fragment.name, dictOf(parts));
  }
  return named;
}

/** `{name: fragment_address(numel, start)}`. */
function readFragments(mapping: ReadonlyMap<PickleValue, PickleValue>): Fragment[] | undefined {
  const fragments: Fragment[] = [];
  for (const [name, address] of mapping) {
    const fields = address instanceof PickleRecord ? entriesOf(address.state) : undefined;
    const [start, length] = [fields?.get('start'), fields?.get('numel')];
    const sound = typeof name === 'string' && typeof start === 'number' && typeof length === 'number';
    if (!sound || start < 0 || length < 0) return undefined;
    fragments.push({ name, start, length });
  }
  return fragments;
}

/** A window on a flat tensor, as torch would pickle it; undefined for what is no flat tensor or too short. */
function partOf(flat: PickleValue, { start, length }: Fragment, object: string): PickleRecord | undefined {
  const use = readTensor(flat, object);
  if (use === undefined || use.shape.length !== 1 || use.strides !== undefined) return undefined;
  const { storage, element, offset, shape } = use;
  if (start + length > shape[0] || element?.dtype !== storage.element?.dtype) return undefined;
  const rebuild = new PickleGlobal('torch._utils', '_rebuild_tensor_v2');
  const place = [offset - storage.windowStart + start, tupleOf(length), tupleOf(1), false, new PickleDict()];
  return new PickleRecord(rebuild, tupleOf(storage.reference, ...place), storage.reference.offset);
}

function tupleOf(...items: PickleValue[]): PickleTuple {
  return new PickleTuple(items);
}

function listOf(items: PickleValue[]): PickleList {
  const list = new PickleList();
  list.items = items;
  return list;
}

function dictOf(entries: Iterable<readonly [PickleValue, PickleValue]>): PickleDict {
  const dict = new PickleDict();
  dict.entries = new Map(entries);
  return dict;
}

/** The same dict with other values for some keys. */
function withEntries(dict: PickleValue | undefined, changed: Record<string, PickleValue>): PickleDict {
  return dictOf([...(entriesOf(dict) ?? []), ...Object.entries(changed)]);
}
