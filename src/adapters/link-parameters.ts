/**
 * Puts together what the files of one checkpoint say of its parameters: a Hugging Face Trainer, for one, keeps the
 * optimizer in `optimizer.pt`, which knows parameters by number, and the weights in `model.safetensors`, which knows them
 * by name. A wrong link costs ratio, never a byte.
 */
import {
  dtypeInfo,
  elementCount,
  type LinkedParameter,
  type ParameterFacts,
  type WeightsCopy,
} from '../tensor/index.js';
import type { Segmentation } from './adapter.js';
import { parametersOfArrays } from './array-parameters.js';
import { matchOrder, type NamedShape, type NumberedGroup } from './module-order.js';
import { isWeightType, nameInModel } from './parameter-names.js';
import { BUFFER_NAMES } from './torch-parameters.js';
import { findWeightsCopies, weightsViews } from './weights-copies.js';

/** A file of a checkpoint. */
export interface CheckpointFile {
  path: string;
  segmentation: Segmentation;
}

interface WeightsPlace extends NamedShape {
  key: string;
  file: number;
}

/**
 * Returns the facts of all files, with the weights found across files, and what is made of fp32 weights: 16-bit copies and averages. Weights in
 * another file are found by name where the optimizer has names, else by the order of shapes (`module-order.ts`), which
 * takes as many weights as the optimizer has parameters: frozen weights leave an optimizer without its weights.
 */
export function linkParameters(files: readonly CheckpointFile[]): {
  parameters: LinkedParameter[];
  copies: WeightsCopy[];
} {
  const fileAt = new Map(files.map(({ path }, file) => [path, file]));
  const parameters = files.flatMap(({ path, segmentation }, file) =>
    (segmentation.parameters ?? []).map((facts) => {
      const folder = path.slice(0, path.lastIndexOf('/') + 1);
      return placeFacts(facts, file, (name) => fileAt.get(folder + name) ?? file);
    }),
  );
  for (const facts of parametersOfArrays(files)) parameters.push(facts);
  const models = findModels(files);
  for (const optimizer of optimizersOf(parameters)) {
    if (optimizer.every(({ weights }) => weights === null)) linkOptimizer(optimizer, models, files);
  }
  const full = new Set(
    files.flatMap(({ segmentation }, file) =>
      segmentation.ranges.filter(({ dtype }) => dtype === 'f32').map(({ key }) => `${file}:${key}`),
    ),
  );
  const isFull = (file: number, key: string): boolean => full.has(`${file}:${key}`);
  const copies = findWeightsCopies(weightsViews(files), parameters, isFull);
  const casts = copies.filter(({ kind }) => kind === 'cast');
  const masterOf = new Map(casts.map((pair) => [`${pair.copyFile}:${pair.copy}`, pair]));
  for (const facts of parameters) {
    const pair = facts.weights === null ? undefined : masterOf.get(`${facts.weightsFile}:${facts.weights}`);
    if (pair === undefined) continue;
    facts.weights = pair.weights;
    facts.weightsFile = pair.weightsFile;
  }
  return { parameters, copies };
}

/** Says in which file each range is. */
function placeFacts(facts: ParameterFacts, file: number, beside: (name: string) => number): LinkedParameter {
  const { weights, slots, elsewhere } = facts;
  if (elsewhere === undefined)
    return { ...facts, slotsFile: file, weightsFile: weights === null ? null : file };
  const placeOf = (key: string): number => (Object.hasOwn(elsewhere, key) ? beside(elsewhere[key]) : file);
  const slotFiles = Object.fromEntries(Object.entries(slots).map(([slot, key]) => [slot, placeOf(key)]));
  return { ...facts, slotsFile: file, slotFiles, weightsFile: weights === null ? null : placeOf(weights) };
}

function optimizersOf(parameters: readonly LinkedParameter[]): LinkedParameter[][] {
  const optimizers = new Map<string, LinkedParameter[]>();
  for (const facts of parameters) {
    const id = `${facts.slotsFile}:${facts.optimizer}`;
    const known = optimizers.get(id);
    if (known === undefined) optimizers.set(id, [facts]);
    else known.push(facts);
  }
  return [...optimizers.values()];
}

/** Weights that belong together: a file, or all shards of one. */
interface ModelFiles {
  path: string;
  weights: WeightsPlace[];
  /** Whether they are in the order of the model. */
  ordered: boolean;
}

function findModels(files: readonly CheckpointFile[]): ModelFiles[] {
  const models = new Map<string, ModelFiles>();
  for (const [file, { path, segmentation }] of files.entries()) {
    const weights = weightsOf(segmentation, file);
    if (weights.length === 0) continue;
    const whole = path.replace(/-\d+-of-\d+(?=\.[^/]*$)/, '');
    const ordered = segmentation.format.startsWith('torch') && whole === path;
    const model = models.get(whole) ?? { path: whole, weights: [], ordered };
    models.set(whole, model);
    model.weights.push(...weights);
  }
  return [...models.values()];
}

function weightsOf({ ranges }: Segmentation, file: number): WeightsPlace[] {
  return ranges.flatMap(({ key, group, dtype, length, tensors }) => {
    const elements = length / dtypeInfo(dtype).bytes;
    const view = tensors.find(({ shape, strides }) => {
      return strides === undefined && elementCount(shape) === elements;
    });
    if (group !== 'model' || view === undefined || !isWeightType(dtype) || BUFFER_NAMES.test(view.name))
      return [];
    return [{ name: view.name, shape: view.shape, key, file }];
  });
}

function linkOptimizer(
  optimizer: readonly LinkedParameter[],
  models: readonly ModelFiles[],
  files: readonly CheckpointFile[],
): void {
  const { path } = files[optimizer[0].slotsFile];
  const nearest = [...models].sort((a, b) => closeness(b.path, path) - closeness(a.path, path));
  for (const model of nearest) {
    const found = matchNames(optimizer, model) ?? matchShapes(optimizer, model);
    if (found === undefined) continue;
    for (const [facts, weights] of found) {
      facts.weights = weights.key;
      facts.weightsFile = weights.file;
      facts.name ??= weights.name;
    }
    return;
  }
}

/** Folders in common, then files that are no moving average. */
function closeness(a: string, b: string): number {
  const [left, right] = [a.split('/').slice(0, -1), b.split('/').slice(0, -1)];
  const apart = left.findIndex((folder, at) => folder !== right[at]);
  const inCommon = apart < 0 ? left.length : apart;
  return 2 * (2 * inCommon - left.length - right.length) + (/ema|averag/i.test(a) ? 0 : 1);
}

type Links = Map<LinkedParameter, WeightsPlace>;

function matchNames(optimizer: readonly LinkedParameter[], { weights }: ModelFiles): Links | undefined {
  const byName = new Map(weights.map((place) => [nameInModel(place.name), place]));
  const links: Links = new Map();
  for (const facts of optimizer) {
    const place = facts.name === null ? undefined : byName.get(nameInModel(facts.name));
    if (place !== undefined && String(place.shape) === String(facts.shape)) links.set(facts, place);
  }
  return links.size === 0 ? undefined : links;
}

function matchShapes(
  optimizer: readonly LinkedParameter[],
  { weights, ordered }: ModelFiles,
): Links | undefined {
  const numbered = numberedGroups(optimizer, weights.length);
  if (numbered === undefined) return undefined;
  const groups = numbered.map((members): NumberedGroup => {
    const decay = members.find((facts) => facts !== undefined)?.settings.weight_decay;
    return { shapes: members.map((facts) => facts?.shape), decay: typeof decay === 'number' ? decay : 0 };
  });
  const matched =
    (ordered ? matchOrder(groups, weights, 'given') : undefined) ?? matchOrder(groups, weights, 'unknown');
  if (matched === undefined) return undefined;
  const links: Links = new Map();
  for (const [group, members] of numbered.entries()) {
    for (const [at, facts] of members.entries()) {
      if (facts !== undefined) links.set(facts, weights[matched[group][at]]);
    }
  }
  return links;
}

/** The parameters of each group by number; undefined for numbers without state, which count with the group in front. */
function numberedGroups(
  optimizer: readonly LinkedParameter[],
  count: number,
): (LinkedParameter | undefined)[][] | undefined {
  const sorted = [...optimizer].sort((a, b) => a.index - b.index);
  if (sorted.at(-1)?.index !== count - 1) return undefined;
  const groups: (LinkedParameter | undefined)[][] = [];
  const position = new Map<number, number>();
  let index = 0;
  let current = 0;
  for (const facts of sorted) {
    const wanted = position.get(facts.group) ?? groups.push([]) - 1;
    position.set(facts.group, wanted);
    for (; index < facts.index; index++) groups[current].push(undefined);
    if (index > facts.index) return undefined;
    groups[wanted].push(facts);
    current = wanted;
    index++;
  }
  return groups;
}
