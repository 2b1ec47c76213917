/**
 * Finds what is made of the weights in the same checkpoint: 16-bit working weights that are rounded from fp32 weights, and
 * moving averages of these. Names and sizes tell, and what the maps and files are called.
 */
import {
  type DType,
  dtypeInfo,
  elementCount,
  type ParameterFacts,
  type WeightsCopy,
} from '../tensor/index.js';
import type { Segmentation, TensorRange } from './adapter.js';
import { groupOfKey } from './group-names.js';
import { isAverage, isHalf, masterListPlace, nameInAverage, nameInModel } from './parameter-names.js';
import type { StateTensor } from './state-parameters.js';
import { BUFFER_NAMES } from './torch-parameters.js';

const MASTER = /master|fp32|(^|\.)main_param/i;

interface Place {
  key: string;
  file: number;
}

/** A tensor that may be weights. */
export interface WeightsView extends Place {
  name: string;
  shape: readonly number[];
  dtype: DType;
  /** Of a model, or of the optimizer's copy of one. */
  isAverage: boolean;
}

/** Weights of one parameter name: those of 32 bits, those of 16, and averages of 32. */
interface SameName {
  full: Place[];
  half: Place[];
  averages: Place[];
}

/** Where the optimizers' own fp32 weights are: they have no names of their own. */
export type NamedWeights = Pick<ParameterFacts, 'name' | 'shape' | 'weights'> & {
  weightsFile: number | null;
};

/**
 * Returns what is made of which weights; a name with several fp32 weights gives nothing. `isFull` tells whether what a
 * parameter names as its weights is fp32.
 */
export function findWeightsCopies(
  views: readonly WeightsView[],
  parameters: readonly NamedWeights[],
  isFull: (file: number, key: string) => boolean,
): WeightsCopy[] {
  const byName = new Map<string, SameName>();
  const at = (name: string, shape: readonly number[]): SameName => {
    // Partitions of ZeRO are flat.
    const id = `${name} ${elementCount(shape)}`;
    const known: SameName = byName.get(id) ?? { full: [], half: [], averages: [] };
    byName.set(id, known);
    return known;
  };
  for (const { name, shape, dtype, key, file, isAverage } of views) {
    const same = at(isAverage ? nameInAverage(name) : nameInModel(name), shape);
    if (!isAverage) (isHalf(dtype) ? same.half : same.full).push({ key, file });
    else if (dtype === 'f32') same.averages.push({ key, file });
  }
  for (const { name, shape, weights, weightsFile } of parameters) {
    if (name === null || weights === null || weightsFile === null) continue;
    const { full } = at(nameInModel(name), shape);
    const known = full.some(({ key, file }) => key === weights && file === weightsFile);
    if (!known && isFull(weightsFile, weights)) full.push({ key: weights, file: weightsFile });
  }
  return [...pairs(byName.values()), ...listedAverages(views)];
}

function pairs(names: Iterable<SameName>): WeightsCopy[] {
  const copies = new Map<string, WeightsCopy>();
  for (const { full, half, averages } of names) {
    if (full.length !== 1) continue;
    for (const place of half) addPair(copies, 'cast', full[0], place);
    for (const place of averages) addPair(copies, 'average', full[0], place);
  }
  return [...copies.values()];
}

function addPair(copies: Map<string, WeightsCopy>, kind: WeightsCopy['kind'], from: Place, to: Place): void {
  const id = `${to.file}:${to.key}`;
  if (copies.has(id) || (from.key === to.key && from.file === to.file)) return;
  copies.set(id, { kind, weights: from.key, weightsFile: from.file, copy: to.key, copyFile: to.file });
}

/** Averages in a list, which has the parameters of the model in order. */
function listedAverages(views: readonly WeightsView[]): WeightsCopy[] {
  const weights = views.filter(({ isAverage, dtype }) => !isAverage && dtype === 'f32');
  const lists = new Map<string, WeightsView[]>();
  for (const view of views) {
    const prefix = view.isAverage ? /^(.*)\.\d+$/.exec(view.name)?.[1] : undefined;
    if (prefix === undefined || nameInAverage(view.name) !== view.name.slice(prefix.length + 1)) continue;
    const list = lists.get(prefix) ?? [];
    lists.set(prefix, list);
    list.push(view);
  }
  return [...lists.values()].flatMap((list): WeightsCopy[] => {
    const inOrder = list.sort((a, b) => numberOf(a.name) - numberOf(b.name));
    const fits =
      inOrder.length === weights.length &&
      inOrder.every(({ shape, dtype }, at) => dtype === 'f32' && `${shape}` === `${weights[at].shape}`);
    if (!fits) return [];
    return inOrder.map(({ key, file }, at) => {
      return {
        kind: 'average',
        weights: weights[at].key,
        weightsFile: weights[at].file,
        copy: key,
        copyFile: file,
      };
    });
  });
}

function numberOf(name: string): number {
  return Number(name.slice(name.lastIndexOf('.') + 1));
}

/** Returns the weights in files: tensors that fill a range, and of an optimizer's only those called master weights. */
export function weightsViews(files: readonly { path: string; segmentation: Segmentation }[]): WeightsView[] {
  return files.flatMap(({ path, segmentation }, file) =>
    segmentation.ranges.flatMap((range) =>
      viewsIn(range).map(({ name, shape }): WeightsView => {
        const { key, dtype } = range;
        return { name, shape, dtype, key, file, isAverage: isAverage(name) || isAverage(path) };
      }),
    ),
  );
}

function viewsIn({ group, dtype, length, tensors }: TensorRange): TensorRange['tensors'] {
  if (dtype !== 'f32' && !isHalf(dtype)) return [];
  const elements = length / dtypeInfo(dtype).bytes;
  return tensors.filter(({ name, shape, strides }) => {
    const fills = strides === undefined && elementCount(shape) === elements;
    if (!fills || elements <= 1 || BUFFER_NAMES.test(name)) return false;
    return group === 'model' || isAverage(name) || (MASTER.test(name) && masterListPlace(name) === undefined);
  });
}

/** Returns what is made of which weights in a state; keys are the tensors' names. */
export function copiesOfState(
  tensors: readonly StateTensor[],
  parameters: readonly ParameterFacts[],
): WeightsCopy[] {
  const views = tensors.flatMap(({ path, name, shape, dtype }): WeightsView[] => {
    const group = path.length > 1 ? groupOfKey(path[0]) : undefined;
    const isWeights = group === undefined || group === 'model' || MASTER.test(name);
    if (!isWeights || (dtype !== 'f32' && !isHalf(dtype)) || BUFFER_NAMES.test(name)) return [];
    return [{ name, shape, dtype, key: name, file: 0, isAverage: isAverage(name) }];
  });
  const full = new Set(tensors.filter(({ dtype }) => dtype === 'f32').map(({ name }) => name));
  const named = parameters.map((facts) => ({ ...facts, weightsFile: 0 }));
  return findWeightsCopies(views, named, (_, key) => full.has(key));
}
