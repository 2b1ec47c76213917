/**
 * Walks what a torch pickle holds and names every tensor in it the way its users do: by the path of keys, a module's
 * parameters without `_parameters` and `_modules`. Notes on the way what is a model and what an optimizer, whatever they
 * are called.
 */
import { corrupt } from '../errors.js';
import type { Group } from './adapter.js';
import { groupOfFile, groupOfKey } from './group-names.js';
import {
  entriesOf,
  itemsOf,
  PickleDict,
  PickleRecord,
  PickleReference,
  PickleSet,
  type PickleValue,
} from './pickle-values.js';
import { readTensor, type TensorUse } from './torch-tensors.js';

/** Containers inside containers. Python's recursion limit of 1000 keeps what it can pickle below; guards the call stack. */
const NESTING_MAX = 1000;
/** Values, in all, that are named again below a container that was seen before. Guards against 2^n paths through n lists. */
const REPEATS_MAX = 200_000;
/** Characters of a name; guards memory against deep paths of long keys. */
const NAME_LENGTH_MAX = 1024;

/** The tensors of one model, in the order of its state dict. */
export interface ModelFound {
  /** In front of the tensors' own names: `model.`, or nothing for a bare state dict. */
  prefix: string;
  tensors: FoundTensor[];
}

/** A dict with `state` and `param_groups`. */
export interface OptimizerFound {
  /** Path of its `state`, with the dot that follows. */
  statePrefix: string;
  state: PickleValue;
  paramGroups: PickleValue;
}

/** Where in an optimizer a tensor was found: the number (or name) of its parameter and the name of its state. */
export interface OptimizerSlot {
  optimizer: OptimizerFound;
  parameter: number | string;
  stateName: string;
}

/** A tensor, or a bare storage, and its name. */
export interface FoundTensor {
  name: string;
  group: Group;
  use: TensorUse | undefined;
  reference: PickleReference;
  /** Known to be a module's buffer. */
  buffer: boolean;
  slot: OptimizerSlot | undefined;
}

export interface TorchContents {
  tensors: FoundTensor[];
  models: ModelFound[];
  optimizers: OptimizerFound[];
}

/** Finds all tensors, in the order of the file. `origin` is where the pickle lies, for errors. */
export function findTensors(value: PickleValue, origin: { object: string; offset: number }): TorchContents {
  const walk = new ContentsWalk(origin);
  walk.top(value);
  return walk.contents;
}

/** Returns true for a dict of tensors: they outnumber everything else in it. */
function isDictOfTensors({ entries }: PickleDict, object: string): boolean {
  let tensors = 0;
  for (const item of entries.values()) if (readTensor(item, object) !== undefined) tensors++;
  return tensors * 2 > entries.size;
}

interface Context {
  path: string;
  /** Undefined until a key tells. */
  group: Group | undefined;
  model: ModelFound | undefined;
  slot: OptimizerSlot | undefined;
  buffer: boolean;
}

class ContentsWalk {
  readonly contents: TorchContents = { tensors: [], models: [], optimizers: [] };
  private readonly origin: { object: string; offset: number };
  private readonly seen = new Set<PickleValue>();
  private readonly open = new Set<PickleValue>();
  private readonly stateDicts = new Map<PickleValue, boolean>();
  private repeatsLeft = REPEATS_MAX;

  constructor(origin: { object: string; offset: number }) {
    this.origin = origin;
  }

  top(value: PickleValue): void {
    const context: Context = { path: '', group: undefined, model: undefined, slot: undefined, buffer: false };
    // An object at the top is a pickled module or a TorchScript one, whose class only its own code knows.
    if (value instanceof PickleRecord || this.isStateDict(value)) this.visit(value, this.modelAt(context), 0);
    else if (isOptimizer(value)) this.visit(value, { ...context, path: 'optimizer', group: 'optimizer' }, 0);
    else this.visit(value, context, 0);
  }

  private modelAt(context: Context): Context {
    const model: ModelFound = { prefix: context.path === '' ? '' : `${context.path}.`, tensors: [] };
    this.contents.models.push(model);
    return { ...context, group: 'model', model };
  }

  private visit(value: PickleValue, context: Context, depth: number): void {
    if (value === null || typeof value !== 'object' || value instanceof Uint8Array) return;
    const use = readTensor(value, this.origin.object);
    const reference = value instanceof PickleReference ? value : use?.storage.reference;
    if (reference !== undefined) {
      this.found(reference, use, context);
      return;
    }
    if (depth > NESTING_MAX)
      throw corrupt(
        'pickle-nesting',
        `nested deeper than ${NESTING_MAX} levels`,
        this.origin.object,
        this.origin.offset,
      );
    if (this.open.has(value) || !this.mayVisit(value)) return;
    this.open.add(value);
    this.visitContainer(value, context, depth);
    this.open.delete(value);
  }

  private mayVisit(value: PickleValue): boolean {
    if (!this.seen.has(value)) {
      this.seen.add(value);
      return true;
    }
    this.repeatsLeft -= 1 + (itemsOf(value)?.length ?? 0) + (entriesOf(value)?.size ?? 0);
    return this.repeatsLeft > 0;
  }

  private isStateDict(value: PickleValue): boolean {
    if (!(value instanceof PickleDict)) return false;
    const known = this.stateDicts.get(value);
    if (known !== undefined) return known;
    const answer = isDictOfTensors(value, this.origin.object);
    this.stateDicts.set(value, answer);
    return answer;
  }

  private visitContainer(value: PickleValue, context: Context, depth: number): void {
    if (isOptimizer(value)) {
      this.visitOptimizer(value, context, depth);
      return;
    }
    if (isModule(value)) {
      this.visitModule(value, context, depth);
      return;
    }
    if (value instanceof PickleRecord) {
      this.visitItems(value.args.items, context, depth);
      if (value.state !== undefined) this.visit(value.state, context, depth + 1);
      this.visitItems(value.items ?? [], context, depth);
    } else {
      this.visitItems(value instanceof PickleSet ? value.items : (itemsOf(value) ?? []), context, depth);
    }
    this.visitEntries(entriesOf(value) ?? new Map(), context, depth);
  }

  private visitItems(items: readonly PickleValue[], context: Context, depth: number): void {
    items.forEach((item, index) => {
      if (item !== null && typeof item === 'object')
        this.visit(item, below(context, String(index)), depth + 1);
    });
  }

  private visitEntries(
    entries: ReadonlyMap<PickleValue, PickleValue>,
    context: Context,
    depth: number,
  ): void {
    for (const [key, item] of entries) {
      if (item === null || typeof item !== 'object') continue;
      const text = keyText(key);
      let inner = below(context, text);
      if (inner.group === undefined) {
        const group = this.groupAt(text, item);
        inner = group === 'model' ? this.modelAt(inner) : { ...inner, group };
      }
      this.visit(item, inner, depth + 1);
    }
  }

  /** What a key above all models and optimizers says; a key that says nothing may hold one all the same. */
  private groupAt(key: string, item: PickleValue): Group | undefined {
    if (isOptimizer(item)) return 'optimizer';
    const named = groupOfKey(key);
    if (named !== undefined) return named;
    return isModule(item) || this.isStateDict(item) ? 'model' : undefined;
  }

  private visitOptimizer(value: PickleDict, context: Context, depth: number): void {
    const optimizer: OptimizerFound = {
      statePrefix: `${below(context, 'state').path}.`,
      state: value.entries.get('state') ?? null,
      paramGroups: value.entries.get('param_groups') ?? null,
    };
    this.contents.optimizers.push(optimizer);
    const group: Group = 'optimizer';
    for (const [key, item] of value.entries) {
      const inner: Context = { ...below(context, keyText(key)), group, model: undefined };
      if (key !== 'state') this.visit(item, inner, depth + 1);
      else this.visitOptimizerState(entriesOf(item) ?? new Map(), optimizer, inner, depth + 1);
    }
  }

  private visitOptimizerState(
    state: ReadonlyMap<PickleValue, PickleValue>,
    optimizer: OptimizerFound,
    context: Context,
    depth: number,
  ): void {
    for (const [parameter, item] of state) {
      const inner = below(context, keyText(parameter));
      const entries = entriesOf(item);
      const named = typeof parameter === 'number' || typeof parameter === 'string';
      if (!named || entries === undefined) {
        this.visit(item, inner, depth + 1);
        continue;
      }
      for (const [key, slotValue] of entries) {
        const stateName = keyText(key);
        const slot: OptimizerSlot = { optimizer, parameter, stateName };
        this.visit(slotValue, { ...below(inner, stateName), slot }, depth + 2);
      }
    }
  }

  private visitModule(value: PickleRecord, context: Context, depth: number): void {
    for (const [attribute, item] of moduleState(value) ?? []) {
      const transparent = attribute === '_parameters' || attribute === '_buffers' || attribute === '_modules';
      const inner = transparent ? context : below(context, keyText(attribute));
      // An attribute that is a tensor but not registered is no parameter either.
      const buffer = attribute !== '_parameters' && attribute !== '_modules';
      this.visit(item, { ...inner, buffer }, depth + 1);
    }
  }

  private found(reference: PickleReference, use: TensorUse | undefined, context: Context): void {
    const { path, buffer, slot, model } = context;
    const group = context.group ?? groupOfFile(this.origin.object);
    const tensor: FoundTensor = { name: path === '' ? 'tensor' : path, group, use, reference, buffer, slot };
    this.contents.tensors.push(tensor);
    model?.tensors.push(tensor);
  }
}

function below(context: Context, key: string): Context {
  const path = context.path === '' ? key : `${context.path}.${key}`;
  return {
    ...context,
    path: path.length > NAME_LENGTH_MAX ? `${path.slice(0, NAME_LENGTH_MAX - 1)}~` : path,
  };
}

/** How a key of a dict prints in a name. */
function keyText(key: PickleValue): string {
  if (typeof key === 'string') return key.length > NAME_LENGTH_MAX ? key.slice(0, NAME_LENGTH_MAX) : key;
  if (typeof key === 'number' || typeof key === 'bigint' || typeof key === 'boolean') return String(key);
  const items = itemsOf(key);
  return items === undefined ? '?' : `(${items.slice(0, 8).map(plainText).join(',')})`;
}

function plainText(value: PickleValue): string {
  return typeof value === 'object' ? '?' : String(value);
}

function isOptimizer(value: PickleValue): value is PickleDict {
  if (!(value instanceof PickleDict)) return false;
  const groups = itemsOf(value.entries.get('param_groups'));
  return groups !== undefined && entriesOf(value.entries.get('state')) !== undefined;
}

function moduleState(value: PickleValue): ReadonlyMap<PickleValue, PickleValue> | undefined {
  return value instanceof PickleRecord ? entriesOf(value.state) : undefined;
}

/** A pickled torch.nn.Module: an object whose attributes are torch's three dicts. */
function isModule(value: PickleValue): value is PickleRecord {
  const state = moduleState(value);
  return state?.has('_parameters') === true && state.has('_modules');
}
