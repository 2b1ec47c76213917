/**
 * What the optimizers of a torch file say of each parameter: its slots, settings and steps, and where its weights are.
 * Nothing is trusted and nothing is required; what is absent or odd is left out.
 */
import {
  dtypeInfo,
  elementCount,
  type ParameterFacts,
  SettingsCollector,
  stepCount,
} from '../tensor/index.js';
import type { RandomAccess, TensorRange } from './adapter.js';
import { isMasterSlot, isWeightType } from './parameter-names.js';
import { entriesOf, itemsOf, PickleFloat, type PickleValue } from './pickle-values.js';
import type { StorageRanges } from './storage-ranges.js';
import type { FoundTensor, OptimizerFound, TorchContents } from './torch-contents.js';
import { decodeScalar } from './torch-progress.js';
import { readTensor } from './torch-tensors.js';
import { type Listed, type Parameter, trainedWeights } from './torch-trained-weights.js';

/** Parameters that the groups of an optimizer may list; guards time, as a pickle can hold one list a million times. */
const LISTED_MAX = 2 ** 20;

/** Reads the facts of all optimizers, at most one for each range of the file. */
export async function readOptimizerFacts(
  contents: TorchContents,
  names: ReadonlyMap<OptimizerFound, ReadonlyMap<number, string>>,
  ranges: StorageRanges,
  source: RandomAccess,
): Promise<ParameterFacts[]> {
  const slots = collectSlots(contents.tensors);
  const taken = new Set<FoundTensor>();
  const facts: ParameterFacts[] = [];
  for (const optimizer of contents.optimizers) {
    const ofOptimizer = slots.get(optimizer);
    if (ofOptimizer === undefined) continue;
    const reader = new OptimizerReader(optimizer, contents, ranges, source, taken);
    facts.push(...(await reader.read(ofOptimizer, names.get(optimizer))));
    if (facts.length >= ranges.size) break;
  }
  return facts.slice(0, ranges.size);
}

type SlotTensors = Map<Parameter, FoundTensor[]>;

function collectSlots(tensors: readonly FoundTensor[]): Map<OptimizerFound, SlotTensors> {
  const slots = new Map<OptimizerFound, SlotTensors>();
  for (const tensor of tensors) {
    if (tensor.slot === undefined || tensor.use === undefined) continue;
    const { optimizer, parameter, stateName } = tensor.slot;
    // Tensors in a list below a slot are parts of something else.
    if (tensor.name !== `${optimizer.statePrefix}${parameter}.${stateName}`) continue;
    const ofOptimizer: SlotTensors = slots.get(optimizer) ?? new Map();
    slots.set(optimizer, ofOptimizer);
    const ofParameter = ofOptimizer.get(parameter) ?? [];
    ofOptimizer.set(parameter, ofParameter);
    ofParameter.push(tensor);
  }
  return slots;
}

class OptimizerReader {
  private readonly optimizer: OptimizerFound;
  private readonly contents: TorchContents;
  private readonly ranges: StorageRanges;
  private readonly source: RandomAccess;
  /** Weights that optimizers read before this one work on. */
  private readonly taken: Set<FoundTensor>;

  constructor(
    optimizer: OptimizerFound,
    contents: TorchContents,
    ranges: StorageRanges,
    source: RandomAccess,
    taken: Set<FoundTensor>,
  ) {
    this.optimizer = optimizer;
    this.contents = contents;
    this.ranges = ranges;
    this.source = source;
    this.taken = taken;
  }

  async read(slots: SlotTensors, names?: ReadonlyMap<number, string>): Promise<ParameterFacts[]> {
    const listed = await this.listParameters(slots, names);
    const weights = trainedWeights(this.optimizer, this.contents, listed, this.taken);
    const facts: ParameterFacts[] = [];
    for (const item of listed) {
      const tensors = slots.get(item.parameter);
      if (tensors === undefined || facts.length >= this.ranges.size) continue;
      const fact = this.factsOf(item, tensors, weights.get(item));
      if (fact === undefined) continue;
      fact.step = (await this.stepOf(item.parameter)) ?? item.step;
      facts.push(fact);
    }
    return facts;
  }

  /** The parameters with state, those of the groups first. */
  private async listParameters(
    slots: SlotTensors,
    names: ReadonlyMap<number, string> | undefined,
  ): Promise<Listed[]> {
    const listed = new Map<Parameter, Listed>();
    let index = 0;
    for (const [group, value] of (itemsOf(this.optimizer.paramGroups) ?? []).entries()) {
      const entries = entriesOf(value);
      const params = itemsOf(entries?.get('params')) ?? [];
      const settings = await this.settingsOf(entries ?? new Map());
      const step = stepCount(settings.step);
      for (const [place, parameter] of params.entries()) {
        if (index >= LISTED_MAX) break;
        const own = typeof parameter === 'number' ? parameter : index;
        index++;
        if ((typeof parameter !== 'number' && typeof parameter !== 'string') || !slots.has(parameter))
          continue;
        const name = ownName(parameter) ?? names?.get(own) ?? null;
        if (!listed.has(parameter))
          listed.set(parameter, { parameter, group, place, index: own, name, settings, step });
      }
    }
    for (const parameter of slots.keys()) {
      if (listed.has(parameter)) continue;
      const place = typeof parameter === 'number' ? parameter : index++;
      const name = ownName(parameter) ?? names?.get(place) ?? null;
      listed.set(parameter, { parameter, group: -1, place, index: place, name, settings: {}, step: null });
    }
    return [...listed.values()];
  }

  private async settingsOf(
    entries: ReadonlyMap<PickleValue, PickleValue>,
  ): Promise<Record<string, number | boolean>> {
    const settings = new SettingsCollector();
    for (const [key, value] of entries) {
      if (typeof key !== 'string' || key === 'params') continue;
      const items = itemsOf(value);
      if (items !== undefined) settings.add(key, items.slice(0, 4).map(plainSetting));
      else settings.add(key, plainSetting(value) ?? (await this.readScalar(value)));
    }
    return settings.toRecord();
  }

  private async stepOf(parameter: Parameter): Promise<number | null> {
    const value = entriesOf(entriesOf(this.optimizer.state)?.get(parameter))?.get('step');
    if (value === undefined) return null;
    return stepCount(plainSetting(value) ?? (await this.readScalar(value)));
  }

  /** A tensor of one element, out of the file. */
  private async readScalar(value: PickleValue): Promise<number | undefined> {
    const use = readTensor(value, this.source.name);
    const place = use === undefined ? undefined : this.ranges.holding(use);
    if (use === undefined || place === undefined || use.shape.some((size) => size !== 1)) return undefined;
    const { range, offset } = place;
    const { bytes } = dtypeInfo(range.dtype);
    if ((offset + 1) * bytes > range.length) return undefined;
    return decodeScalar(range.dtype, await this.source.read(range.offset + offset * bytes, bytes));
  }

  private factsOf(
    { group, index, name, settings }: Listed,
    tensors: readonly FoundTensor[],
    found: FoundTensor | undefined,
  ): ParameterFacts | undefined {
    const sized = tensors.filter(({ slot }) => slot?.stateName !== 'step');
    const master = sized.find(({ slot }) => isMasterSlot(slot?.stateName ?? ''));
    const weights = master ?? found;
    const weightsRange = weights === undefined ? undefined : this.filledRange(weights);
    if (weights !== undefined && !isWeightType(weightsRange?.dtype ?? 'bytes')) return undefined;
    const shape = weights?.use?.shape ?? largestShape(sized);
    if (shape === undefined) return undefined;
    const slots = new Map<string, string>();
    for (const tensor of sized) {
      if (tensor === master || tensor.slot === undefined) continue;
      if (String(tensor.use?.shape) !== String(shape)) continue;
      const range = this.filledRange(tensor);
      if (range === undefined) return undefined;
      if (isWeightType(range.dtype)) slots.set(tensor.slot.stateName, range.key);
    }
    if (slots.size === 0) return undefined;
    return {
      weights: weightsRange?.key ?? null,
      slots: Object.fromEntries(slots),
      optimizer: this.optimizer.statePrefix,
      group,
      index,
      name,
      shape: [...shape],
      settings,
      step: null,
    };
  }

  /** The range that a tensor fills from end to end, in row-major order. */
  private filledRange({ use }: FoundTensor): TensorRange | undefined {
    const place = use === undefined ? undefined : this.ranges.holding(use);
    if (use === undefined || use.strides !== undefined || place?.offset !== 0) return undefined;
    const { range } = place;
    const elements = elementCount(use.shape);
    return elements * dtypeInfo(range.dtype).bytes === range.length && elements > 0 ? range : undefined;
  }
}

/** The name that a parameter is listed by, where it is not its number in another spelling. */
function ownName(parameter: Parameter): string | undefined {
  return typeof parameter === 'string' && !/^\d+$/.test(parameter) ? parameter : undefined;
}

function plainSetting(value: PickleValue): number | boolean | undefined {
  if (value instanceof PickleFloat) return value.value;
  return typeof value === 'number' || typeof value === 'boolean' ? value : undefined;
}

function largestShape(tensors: readonly FoundTensor[]): number[] | undefined {
  let largest: number[] | undefined;
  let most = 0;
  for (const { use } of tensors) {
    const elements = use === undefined ? 0 : elementCount(use.shape);
    if (elements <= most) continue;
    most = elements;
    largest = use?.shape;
  }
  return largest;
}
