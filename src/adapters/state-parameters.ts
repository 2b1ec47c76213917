/**
 * The same facts of a state that a training program hands over: optimizers as torch lays them out (`state` and
 * `param_groups`), and as JavaScript programs do, with trees or names that mirror the model's (`optimizer.m.layer.w`,
 * `optimizer.layer.w.m`, `layer/w/m`). Keys are the tensors' names.
 */
import type { FoundTensor, ParameterFacts, StateValue } from '../tensor/index.js';
import { groupOfKey } from './group-names.js';
import { matchOrder, type NamedShape } from './module-order.js';
import { isMasterSlot, isWeightType, nameInModel } from './parameter-names.js';
import { countIn, field, fieldsOf, plainGroup, type SettingsGroup, torchGroups } from './state-settings.js';

/** A tensor of a state; its bytes are not looked at. */
export type StateTensor = Pick<FoundTensor, 'path' | 'name' | 'dtype' | 'shape'>;

/** Slots by the names that training programs give them. */
const SLOT_NAMES = new Map([
  ['m', 'exp_avg'],
  ['mu', 'exp_avg'],
  ['exp_avg', 'exp_avg'],
  ['first_moment', 'exp_avg'],
  ['firstMoment', 'exp_avg'],
  ['v', 'exp_avg_sq'],
  ['nu', 'exp_avg_sq'],
  ['exp_avg_sq', 'exp_avg_sq'],
  ['second_moment', 'exp_avg_sq'],
  ['secondMoment', 'exp_avg_sq'],
  ['max_exp_avg_sq', 'max_exp_avg_sq'],
  ['vhat', 'max_exp_avg_sq'],
  ['momentum_buffer', 'momentum_buffer'],
  ['momentum', 'momentum_buffer'],
  ['velocity', 'momentum_buffer'],
  ['trace', 'momentum_buffer'],
  ['accumulator', 'sum'],
  ['rms', 'square_avg'],
  ['mg', 'grad_avg'],
]);
/** Segments of a path among which the optimizer's `state` is looked for; guards time against names of nothing but dots. */
const OPTIMIZER_DEPTH_MAX = 64;
const AVERAGE = /(^|_)(ema|averaged?|swa|shadow)(_|$)/i;

/** Returns the facts of all optimizers in a state, each parameter at most once for each optimizer. */
export function parametersOfState(tensors: readonly StateTensor[], state: StateValue): ParameterFacts[] {
  const finder = new StateFinder(tensors, state);
  return finder.read();
}

interface Weights extends NamedShape {
  key: string;
}

/** The slots of one parameter, and the map that holds its settings. */
interface Entry {
  parameter: string;
  slots: Map<string, StateTensor>;
  container: string[];
  /** Of the map that holds the slots, where each parameter has its own. */
  path: string[];
}

class StateFinder {
  private readonly tensors: readonly StateTensor[];
  private readonly state: StateValue;
  /** By top-level key, moving averages last. */
  private readonly models: Weights[][];
  private readonly byName = new Map<string, Weights>();

  constructor(tensors: readonly StateTensor[], state: StateValue) {
    this.tensors = tensors;
    this.state = state;
    const models = this.collectModels();
    const sorted = [...models].sort(([a], [b]) => Number(AVERAGE.test(a)) - Number(AVERAGE.test(b)));
    this.models = sorted.map(([, model]) => model);
    for (const [key, model] of sorted) {
      for (const place of model) {
        const name = spell(place.name);
        for (const spelled of [name, spell(place.key), spell(`${key}.${name}`)])
          if (!this.byName.has(spelled)) this.byName.set(spelled, place);
      }
    }
  }

  /** The tensors of the models; where no key says that it is one, all that belong to nothing else. */
  private collectModels(): Map<string, Weights[]> {
    const known = new Map<string, Weights[]>();
    const unknown = new Map<string, Weights[]>();
    for (const { path, name, dtype, shape } of this.tensors) {
      if (optimizerDepth(path) > 0 || this.torchPlace(path) !== undefined || !isWeightType(dtype)) continue;
      const isBare = path.length <= 1;
      const group = isBare ? undefined : groupOfKey(path[0]);
      if (group !== undefined && group !== 'model') continue;
      const models = group === 'model' ? known : unknown;
      const key = isBare ? '' : path[0];
      const model = models.get(key) ?? [];
      models.set(key, model);
      model.push({ key: name, name: isBare ? name : path.slice(1).join('.'), shape });
    }
    return known.size > 0 ? known : unknown;
  }

  read(): ParameterFacts[] {
    const entries = new Map<string, Entry>();
    for (const tensor of this.tensors) this.sort(tensor, entries);
    const optimizers = new Map<string, Entry[]>();
    for (const entry of entries.values()) {
      const id = entry.container.join('.');
      const members = optimizers.get(id) ?? [];
      optimizers.set(id, members);
      members.push(entry);
    }
    return [...optimizers.values()].flatMap((members) => this.factsOf(members));
  }

  /** Adds a tensor to the parameter of whose state it is. */
  private sort(tensor: StateTensor, entries: Map<string, Entry>): void {
    const place = this.torchPlace(tensor.path) ?? this.mirrorPlace(tensor.path);
    if (place === undefined || !isWeightType(tensor.dtype)) return;
    const id = JSON.stringify([place.container, place.parameter]);
    const entry: Entry = entries.get(id) ?? {
      parameter: place.parameter,
      slots: new Map(),
      container: place.container,
      path: tensor.path.slice(0, -1),
    };
    entries.set(id, entry);
    if (!entry.slots.has(place.slot)) entry.slots.set(place.slot, tensor);
  }

  /** In a map with `state` and `param_groups`: `….state.<parameter>.<slot>`. */
  private torchPlace(path: readonly string[]): Place | undefined {
    for (let at = 0; at + 2 < path.length && at < OPTIMIZER_DEPTH_MAX; at++) {
      if (path[at] !== 'state' || !Array.isArray(field(this.state, [...path.slice(0, at), 'param_groups'])))
        continue;
      const inside = path.slice(at + 1);
      const slot = inside[inside.length - 1];
      return { container: path.slice(0, at), parameter: inside.slice(0, -1).join('.'), slot };
    }
    return undefined;
  }

  private mirrorPlace(path: readonly string[]): Place | undefined {
    const places = mirrorPlaces(path);
    return places.find(({ parameter }) => this.find(parameter) !== undefined) ?? places[0];
  }

  private factsOf(entries: readonly Entry[]): ParameterFacts[] {
    const { container } = entries[0];
    const map = fieldsOf(field(this.state, container));
    const isTorch = Array.isArray(map.get('param_groups'));
    const groups = isTorch ? torchGroups(map.get('param_groups')) : [plainGroup(map, this.state)];
    const placeOf = new Map<string, { group: number; index: number }>();
    let index = 0;
    for (const [group, { params }] of groups.entries()) {
      for (const parameter of params)
        if (!placeOf.has(parameter)) placeOf.set(parameter, { group, index: index++ });
    }
    const places = entries.map(
      ({ parameter }) => placeOf.get(parameter) ?? { group: isTorch ? -1 : 0, index: index++ },
    );
    const numbered = isTorch ? this.matchNumbers(entries, places, groups) : undefined;
    return entries.flatMap((entry, at): ParameterFacts[] => {
      const { group, index: own } = places[at];
      const name = groups[group]?.names.get(entry.parameter) ?? entry.parameter;
      const facts = this.factsOfEntry(entry, numbered?.get(entry) ?? this.findFor(container, name));
      if (facts === undefined) return [];
      const { settings, step } = groups[group] ?? { settings: {}, step: null };
      const kept = isTorch ? fieldsOf(field(this.state, entry.path)) : new Map();
      return [{ ...facts, group, index: own, settings, step: countIn(kept) ?? step }];
    });
  }

  /** Of several models with the same names, the one that the optimizer is called by or that lies beside it. */
  private findFor(container: readonly string[], name: string): Weights | undefined {
    const last = container[container.length - 1];
    const model = groupOfKey(last) === 'optimizer' ? container[0] : last;
    return this.find(`${model}.${name}`) ?? this.find(name);
  }

  private find(name: string): Weights | undefined {
    return this.byName.get(spell(name));
  }

  private factsOfEntry(entry: Entry, found: Weights | undefined): ParameterFacts | undefined {
    const master = [...entry.slots].find(([slot]) => isMasterSlot(slot))?.[1];
    const shape = master?.shape ?? found?.shape ?? [...entry.slots.values()][0].shape;
    const slots = [...entry.slots].filter(([slot, tensor]) => {
      return slot !== 'step' && tensor !== master && String(tensor.shape) === String(shape);
    });
    if (slots.length === 0) return undefined;
    return {
      weights: master?.name ?? found?.key ?? null,
      slots: Object.fromEntries(slots.map(([slot, { name }]) => [slot, name])),
      optimizer: entry.container.join('.'),
      group: 0,
      index: 0,
      name: found?.name ?? null,
      shape: [...shape],
      settings: {},
      step: null,
    };
  }

  /** Parameters by number, as torch counts them, are those of the model in its own order. */
  private matchNumbers(
    entries: readonly Entry[],
    places: readonly { group: number; index: number }[],
    groups: readonly SettingsGroup[],
  ): Map<Entry, Weights> | undefined {
    if (!entries.every(({ parameter }) => /^\d+$/.test(parameter))) return undefined;
    if (groups.some(({ names }) => names.size > 0)) return undefined;
    const entryOf = new Map(entries.map((entry, at) => [places[at].index, entry]));
    let index = 0;
    const numbers = groups.map(({ params }) => params.map(() => index++));
    const shapes = numbers.map((members, group) => {
      const { weight_decay: decay } = groups[group].settings;
      return {
        shapes: members.map((number) => shapeOf(entryOf.get(number))),
        decay: typeof decay === 'number' ? decay : 0,
      };
    });
    for (const model of this.models) {
      const matched = matchOrder(shapes, model, 'given') ?? matchOrder(shapes, model, 'unknown');
      if (matched === undefined) continue;
      const links = new Map<Entry, Weights>();
      for (const [group, members] of numbers.entries()) {
        for (const [at, number] of members.entries()) {
          const entry = entryOf.get(number);
          if (entry !== undefined) links.set(entry, model[matched[group][at]]);
        }
      }
      return links;
    }
    return undefined;
  }
}

function shapeOf(entry: Entry | undefined): readonly number[] | undefined {
  const slots = [...(entry?.slots ?? [])].filter(([slot]) => slot !== 'step');
  return slots[0]?.[1].shape;
}

interface Place {
  container: string[];
  parameter: string;
  slot: string;
}

/** Where in a path the optimizer begins: the number of segments up to and with its key; 0: nowhere. */
function optimizerDepth(path: readonly string[]): number {
  return path.slice(0, -1).findIndex((segment) => groupOfKey(segment) === 'optimizer') + 1;
}

/** `<optimizer>.<slot>.<parameter>` and `<optimizer>.<parameter>.<slot>`, with dots or slashes: what a path can mean. */
function mirrorPlaces(path: readonly string[]): Place[] {
  const depth = optimizerDepth(path);
  if (depth === 0) return [];
  const places: Place[] = [];
  const at = path.findIndex((segment, index) => index >= depth && SLOT_NAMES.has(segment));
  const first = SLOT_NAMES.get(path[at]);
  if (first !== undefined && at < path.length - 1)
    places.push({ container: path.slice(0, at), parameter: path.slice(at + 1).join('.'), slot: first });
  const inside = path.slice(depth).join('.').split(/[./]/);
  const last = SLOT_NAMES.get(inside.pop() ?? '');
  if (inside.length > 1 && inside[0] === 'state') inside.shift();
  if (last !== undefined && inside.length > 0)
    places.push({ container: path.slice(0, depth), parameter: inside.join('.'), slot: last });
  return places;
}

function spell(name: string): string {
  return nameInModel(name.replaceAll('/', '.'));
}
