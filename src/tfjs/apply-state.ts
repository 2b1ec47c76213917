/** From a restored state back into a TensorFlow.js training. */
import { type StateValue, type Tensor, ThetalogError } from '../index.js';
import { optimizerOf, plainConfig } from './capture-state.js';
import { layoutOf, type OptimizerLayout, scalarVariable, slotVariables } from './optimizer-layout.js';
import {
  describeVariable,
  isTensorLike,
  showValue,
  showVariable,
  tfTensor,
  type VariableDescription,
} from './tensor-copies.js';
import type { Tf, TfNewTensor, TfOptimizer, TfVariable, Training } from './tfjs-types.js';
import { type NamedVariables, nameVariables } from './weight-names.js';

/** Differences named in a message; the others are counted. */
const NAMED_MAX = 20;
/** The one setting that training changes; all others must be those that the optimizer was made with. */
const RATE = 'learningRate';

/** A training to be filled, and the library that makes its tensors. */
export interface RestoredTraining extends Training {
  tf: Tf;
}

/**
 * Puts a state that `captureState` made, as `run.resume` or `run.restore` give it back, into a model, variables and an optimizer that were
 * made as before: every bit of it, so that training goes on as if it had never stopped. Of the settings the learning rate is taken over;
 * change `state.optimizer.config.learningRate` before, or set it afterwards, to go on with another.
 *
 * Throws `conflict` (`state-differs`), naming each difference, before anything is written, unless both have the same names, shapes, types, kind of
 * optimizer and settings. `optimizer: null` leaves the optimizer of a checkpoint alone.
 */
export function applyState(state: StateValue, training: RestoredTraining): void {
  const named = nameVariables(training);
  const { model, optimizer: saved } = mapOf(state);
  const differences: string[] = [];
  const weights = matchWeights(model, named, differences);
  const steps = matchOptimizer(saved, training, named, differences);
  if (differences.length > 0) throw differs(differences);
  for (const weight of weights) assign(training.tf, weight);
  for (const step of steps) step();
}

/** A tensor of the state and the variable of the same name. */
interface Match {
  variable: TfVariable;
  description: VariableDescription;
  tensor: Tensor;
}

/** Pairs the weights of the state with the variables of the same name; what differs is added to the differences. */
function matchWeights(
  value: StateValue | undefined,
  { byName }: NamedVariables,
  differences: string[],
): Match[] {
  const saved = mapOf(value);
  for (const name of Object.keys(saved)) if (!byName.has(name)) differences.push(`model.${name}: is missing`);
  return [...byName].flatMap(
    ([name, variable]) => matchTensor(`model.${name}`, saved[name], variable, differences) ?? [],
  );
}

function matchTensor(
  path: string,
  tensor: StateValue | undefined,
  variable: TfVariable,
  differences: string[],
): Match | undefined {
  const description = describeVariable(path, variable);
  if (tensor !== undefined && isTensorLike(tensor, description)) return { variable, description, tensor };
  const difference =
    tensor === undefined ? 'is not' : `is ${showVariable(description)}, ${showValue(tensor)}`;
  differences.push(`${path}: ${difference} in the checkpoint`);
  return undefined;
}

/** Returns what is to be done to the optimizer, in order. */
function matchOptimizer(
  value: StateValue | undefined,
  training: RestoredTraining,
  named: NamedVariables,
  differences: string[],
): (() => void)[] {
  const optimizer = optimizerOf(training);
  if (training.optimizer === null || (optimizer === undefined && value === undefined)) return [];
  if (optimizer === undefined) differences.push('optimizer: is missing (null leaves it out)');
  else if (value === undefined) differences.push('optimizer: is not in the checkpoint');
  if (optimizer === undefined || value === undefined) return [];
  const saved = mapOf(value);
  const className = optimizer.getClassName();
  if (saved.className !== className) {
    differences.push(`optimizer: is ${className}, ${String(saved.className)} in the checkpoint`);
    return [];
  }
  const layout = layoutOf(optimizer);
  matchConfig(mapOf(saved.config), optimizer, differences);
  return [
    ...matchSlots(saved, layout, { optimizer, tf: training.tf, named }, differences),
    ...matchNumbers(saved, layout, { optimizer, tf: training.tf }, differences),
  ];
}

function matchConfig(
  saved: { [key: string]: StateValue },
  optimizer: TfOptimizer,
  differences: string[],
): void {
  const config = plainConfig(optimizer);
  for (const name of new Set([...Object.keys(config), ...Object.keys(saved)])) {
    if (name !== RATE && !Object.is(config[name], saved[name]))
      differences.push(
        `optimizer.config.${name}: is ${String(config[name])}, ${String(saved[name])} in the checkpoint`,
      );
  }
}

/** Makes the variables of the slots anew: an optimizer that has taken no step has none yet. */
function matchSlots(
  saved: { [key: string]: StateValue },
  { slots }: OptimizerLayout,
  { optimizer, tf, named }: { optimizer: TfOptimizer; tf: Tf; named: NamedVariables },
  differences: string[],
): (() => void)[] {
  const parameters = Array.isArray(saved.parameters) ? saved.parameters.map(String) : [];
  const [state, config] = [mapOf(saved.state), mapOf(saved.config)];
  for (const name of new Set([...parameters, ...Object.keys(state)])) {
    if (!named.byName.has(name) || !parameters.includes(name))
      differences.push(`optimizer.state.${name}: is missing`);
  }
  return slots.map((slot) => {
    const isUsed = slot.onlyWith === undefined || config[slot.onlyWith] === true;
    const matches = parameters.flatMap((name) => {
      const variable = named.byName.get(name);
      if (variable === undefined || !isUsed) return [];
      const tensor = mapOf(state[name])[slot.name];
      return matchTensor(`optimizer.state.${name}.${slot.name}`, tensor, variable, differences) ?? [];
    });
    const before = slotVariables(optimizer, slot);
    return () => {
      const after = matches.map((match) => ({
        originalName: `${match.variable.name}/${slot.suffix}`,
        variable: withTensor(tf, match, (value) => value.variable(false)),
      }));
      setField(optimizer, slot.field, after);
      for (const { variable } of before) variable.dispose();
    };
  });
}

/** Iterations, learning rate and fields of one number. */
function matchNumbers(
  saved: { [key: string]: StateValue },
  { scalars }: OptimizerLayout,
  { optimizer, tf }: { optimizer: TfOptimizer; tf: Tf },
  differences: string[],
): (() => void)[] {
  const number = (path: string, value: StateValue | undefined): number => {
    if (typeof value === 'number') return value;
    differences.push(`optimizer.${path}: is no number in the checkpoint`);
    return 0;
  };
  const iterations = number('iterations', saved.iterations);
  const rate = number(`config.${RATE}`, mapOf(saved.config)[RATE]);
  const values = scalars.map((field): Match => {
    const variable = scalarVariable(optimizer, field);
    const data = Float32Array.of(number(field, saved[field]));
    return {
      variable,
      description: describeVariable(field, variable),
      tensor: { dtype: 'f32', shape: [], data },
    };
  });
  return [
    ...values.map((value) => () => assign(tf, value)),
    () => setField(optimizer, 'iterations_', iterations),
    () => setRate(optimizer, rate),
  ];
}

/** SGD and Momentum keep a tensor of the rate, which only their method makes anew. */
function setRate(optimizer: TfOptimizer, rate: number): void {
  const { setLearningRate } = optimizer as { setLearningRate?: unknown };
  if (typeof setLearningRate === 'function') setLearningRate.call(optimizer, rate);
  else setField(optimizer, RATE, rate);
}

function setField(optimizer: TfOptimizer, field: string, value: unknown): void {
  (optimizer as unknown as Record<string, unknown>)[field] = value;
}

/** Not `LayerVariable.write`, which applies constraints, and those may change the last bit. */
function assign(tf: Tf, match: Match): void {
  withTensor(tf, match, (value) => match.variable.assign(value));
}

/** Variables share the memory of a tensor that they are given: the tensor itself is not needed any more. */
function withTensor<T>(tf: Tf, { description, tensor }: Match, use: (value: TfNewTensor) => T): T {
  const value = tfTensor(tf, description, tensor);
  try {
    return use(value);
  } finally {
    value.dispose();
  }
}

function mapOf(value: StateValue | undefined): { [key: string]: StateValue } {
  const isMap =
    typeof value === 'object' && value !== null && !Array.isArray(value) && !ArrayBuffer.isView(value);
  return isMap ? (value as { [key: string]: StateValue }) : {};
}

function differs(differences: readonly string[]): ThetalogError {
  const named = differences.slice(0, NAMED_MAX);
  if (differences.length > named.length) named.push(`and ${differences.length - named.length} more`);
  const message = `The training differs from the checkpoint:\n${named.join('\n')}`;
  return new ThetalogError('conflict', 'state-differs', message, {
    object: differences[0].slice(0, differences[0].indexOf(': ')),
    hint: 'Make model, variables and optimizer as they were made for the run that was saved.',
  });
}
