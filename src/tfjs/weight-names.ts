/**
 * Names of weights that are the same in every process. TensorFlow.js numbers layers without a name through the whole process, in
 * the order in which they were made (`dense_Dense11`), and adds `_1` to variables whose name is taken (`hidden/kernel_1`).
 */
import { ThetalogError } from '../index.js';
import type {
  TfLayer,
  TfLayersModel,
  TfLayerVariable,
  TfTensor,
  TfVariable,
  Training,
} from './tfjs-types.js';

/** The variables of a training by their stable names, and how to find those names. */
export interface NamedVariables {
  byName: Map<string, TfVariable>;
  /** Stable names by what TensorFlow.js calls the variables, which is how optimizers know them. */
  stableNames: Map<string, string>;
}

/** Names the variables of a training. Throws `invalid` where two have one name or something is no variable. */
export function nameVariables({ model, variables }: Training): NamedVariables {
  const named: NamedVariables = { byName: new Map(), stableNames: new Map() };
  const weights = model === undefined ? new Map<TfLayerVariable, string>() : nameWeights(model);
  for (const [weight, name] of weights) add(named, name, weight.read());
  for (const [name, variable] of Object.entries(variables ?? {})) add(named, name, variable);
  // Optimizers loaded by TensorFlow.js itself may know weights as another process called them.
  for (const [{ originalName }, name] of weights) {
    if (!named.stableNames.has(originalName)) named.stableNames.set(originalName, name);
  }
  return named;
}

function add({ byName, stableNames }: NamedVariables, name: string, tensor: TfTensor): void {
  if (byName.has(name)) throw invalid(name, `Two variables are called ${name}.`);
  if (!isVariable(tensor)) throw invalid(name, `${name} is no tf.Variable.`);
  byName.set(name, tensor);
  stableNames.set(tensor.name, name);
}

function isVariable(tensor: TfTensor): tensor is TfVariable {
  return typeof tensor === 'object' && tensor !== null && 'assign' in tensor && 'name' in tensor;
}

function invalid(object: string, message: string): ThetalogError {
  return new ThetalogError('invalid', 'bad-training', message, { object });
}

/** Returns a name for each weight of a model, in the order of its layers. */
function nameWeights(model: TfLayersModel): Map<TfLayerVariable, string> {
  if (!Array.isArray(model.layers))
    throw invalid('model', 'The model has no layers: hand over its variables.');
  const names = new Map<TfLayerVariable, string>();
  const taken = new Set<string>();
  nameLayers(model.layers, '', names, taken);
  for (const weight of model.weights) nameWeight(weight, '', weight.originalName, names, taken);
  return names;
}

function nameLayers(
  layers: readonly TfLayer[],
  prefix: string,
  names: Map<TfLayerVariable, string>,
  taken: Set<string>,
): void {
  // Layers without weights have no say in the numbers of others.
  const weighted = layers.filter(({ weights }) => weights.length > 0);
  const given = weighted.map(({ name }) => name).filter((name) => withoutNumber(name) === name);
  const used = new Set(given);
  for (const layer of weighted) {
    const kind = withoutNumber(layer.name);
    const label = kind === layer.name ? kind : firstFree(kind, used);
    used.add(label);
    if (isContainer(layer)) nameLayers(layer.layers, `${prefix}${label}/`, names, taken);
    for (const weight of layer.weights) {
      const { originalName } = weight;
      const own = originalName.startsWith(`${layer.name}/`)
        ? originalName.slice(layer.name.length + 1)
        : originalName;
      nameWeight(weight, `${prefix}${label}/`, own, names, taken);
    }
  }
}

/** A weight that several layers share keeps its first name. */
function nameWeight(
  weight: TfLayerVariable,
  prefix: string,
  own: string,
  names: Map<TfLayerVariable, string>,
  taken: Set<string>,
): void {
  if (names.has(weight)) return;
  const stable = firstFree(prefix + own.split('/').map(withoutNumber).join('/'), taken);
  taken.add(stable);
  names.set(weight, stable);
}

function isContainer(layer: TfLayer): layer is TfLayer & { layers: TfLayer[] } {
  return 'layers' in layer && Array.isArray(layer.layers);
}

/** `dense`, then `dense_1`, `dense_2`, as Keras counts. */
function firstFree(name: string, used: ReadonlySet<string>): string {
  if (!used.has(name)) return name;
  for (let number = 1; ; number++) if (!used.has(`${name}_${number}`)) return `${name}_${number}`;
}

/** What models are called that got no name: `sequential_2`, `model1`. */
const MODEL = /^(sequential|model|functional)_?\d+$/;
/** What layers are called: the class in snake case, the class, a number. */
const LAYER = /^(.+)_([A-Z][A-Za-z0-9]*?)(\d+)$/;

/** Returns `dense` for `dense_Dense11`, `forward_lstm` for `forward_lstm_LSTM2`, and names that people chose as they are. */
function withoutNumber(name: string): string {
  const model = MODEL.exec(name);
  if (model !== null) return model[1];
  const layer = LAYER.exec(name);
  if (layer === null) return name;
  const [, kind, className, number] = layer;
  // A class may itself end in digits.
  for (let digits = 0; digits < number.length; digits++) {
    if (spell(kind).endsWith(spell(className + number.slice(0, digits)))) return kind;
  }
  return name;
}

function spell(name: string): string {
  return name.replaceAll('_', '').toLowerCase();
}
