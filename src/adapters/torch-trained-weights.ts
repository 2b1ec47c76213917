/**
 * Finds the weights that an optimizer of a torch file works on: its fp32 master weights, else those of the model that has
 * most of the names. Several models with the same names (generator and discriminator, the weights and their moving
 * average) are told apart by what they are called and by what other optimizers took.
 */
import { masterListPlace, plainParameterName } from './parameter-names.js';
import type { FoundTensor, ModelFound, OptimizerFound, TorchContents } from './torch-contents.js';

/** As a parameter group lists it. */
export type Parameter = number | string;

/** A parameter with state, and where its group lists it. */
export interface Listed {
  parameter: Parameter;
  group: number;
  /** In the group, and in all groups. */
  place: number;
  index: number;
  name: string | null;
  settings: Record<string, number | boolean>;
  step: number | null;
}

const AVERAGE = /(^|[._])(ema|averaged?|swa|shadow)([._]|$)/i;
const OPTIMIZER_WORDS = /^(optim(izer)?s?|opts?|state|dict|\d*)$/;

/** Returns the weights of each parameter, where they can be told, and adds them to those taken. */
export function trainedWeights(
  optimizer: OptimizerFound,
  contents: TorchContents,
  listed: readonly Listed[],
  taken: Set<FoundTensor>,
): Map<Listed, FoundTensor> {
  const names = listed.flatMap(({ name }) => (name === null ? [] : [plainParameterName(name)]));
  const byName = bestModel(optimizer, contents.models, names, taken);
  const masters = mastersOf(optimizer, contents.tensors);
  const weights = new Map<Listed, FoundTensor>();
  for (const item of listed) {
    const { parameter, name, group, place, index } = item;
    const master =
      masters.get(`${group}.${place}`) ?? masters.get(String(index)) ?? masters.get(String(parameter));
    const found = master ?? (name === null ? undefined : byName.get(plainParameterName(name)));
    if (found === undefined) continue;
    weights.set(item, found);
    taken.add(found);
  }
  return weights;
}

/** By group and place, by number or by name: the lists that apex, Megatron and DeepSpeed keep beside the optimizer. */
function mastersOf(optimizer: OptimizerFound, tensors: readonly FoundTensor[]): Map<string, FoundTensor> {
  const masters = new Map<string, FoundTensor>();
  for (const tensor of tensors) {
    if (tensor.slot !== undefined || tensor.use === undefined) continue;
    const list = masterListPlace(tensor.name);
    if (list !== undefined && optimizer.statePrefix.startsWith(list.prefix)) masters.set(list.place, tensor);
  }
  return masters;
}

type TensorsByName = ReadonlyMap<string, FoundTensor>;

function bestModel(
  optimizer: OptimizerFound,
  models: readonly ModelFound[],
  names: readonly string[],
  taken: ReadonlySet<FoundTensor>,
): TensorsByName {
  let best: TensorsByName = new Map();
  let most = 0;
  for (const { prefix, tensors } of models) {
    const byName = new Map<string, FoundTensor>();
    for (const tensor of tensors) {
      const own = tensor.name.startsWith(prefix) ? tensor.name.slice(prefix.length) : tensor.name;
      byName.set(plainParameterName(own), tensor);
    }
    const hits = names.flatMap((name) => byName.get(name) ?? []);
    const isFree = !hits.some((tensor) => taken.has(tensor));
    const likeness =
      (soundsLike(optimizer.statePrefix, prefix) ? 4 : 0) + (AVERAGE.test(prefix) ? 0 : 2) + (isFree ? 1 : 0);
    const score = 8 * hits.length + likeness;
    if (hits.length === 0 || score <= most) continue;
    most = score;
    best = byName;
  }
  return best;
}

/** `optimizer_g` goes with `generator`, `actor_opt` with `actor`. */
function soundsLike(optimizer: string, model: string): boolean {
  const words = optimizer.toLowerCase().split(/[._]/);
  const own = words.filter((word) => !OPTIMIZER_WORDS.test(word));
  const modelWords = model.toLowerCase().split(/[._]/);
  return own.some((word) => modelWords.some((other) => other.startsWith(word)));
}
