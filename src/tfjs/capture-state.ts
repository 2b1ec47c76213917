/** From a TensorFlow.js training to a state that `run.save` takes. */
import { type StateValue, type Tensor, ThetalogError } from '../index.js';
import { layoutOf, scalarVariable, slotVariables } from './optimizer-layout.js';
import { describeVariable, stateTensor } from './tensor-copies.js';
import type { TfOptimizer, TfTensor, Training } from './tfjs-types.js';
import { type NamedVariables, nameVariables } from './weight-names.js';

/** What `captureState` gives and `applyState` takes: plain objects, to which a program adds what else it keeps. */
export interface CapturedState {
  [key: string]: StateValue;
  /** Weights by stable name, `dense_1/kernel`; variables by the names that were given. */
  model: { [name: string]: Tensor };
}

/** The part of a state that an optimizer has. */
export interface CapturedOptimizer {
  [key: string]: StateValue;
  className: string;
  /** What `getConfig` says: learning rate, betas, epsilon. */
  config: { [name: string]: number | boolean | null };
  iterations: number;
  /** Names of the variables that it trains, in its own order, by which it knows its slots. */
  parameters: string[];
  /** Of each of them, by name, what the optimizer keeps: `m` and `v` for Adam. */
  state: { [parameter: string]: { [slot: string]: Tensor } };
}

/**
 * Returns the weights of a model, the variables and all that the optimizer keeps, as they are now: copies, which stay what they are while
 * training goes on. Synchronous, so nothing can train in between; needs a backend that can be read synchronously (cpu, wasm, webgl, node).
 *
 * Names are the same in every process: layers without a name of their own are called by their class and counted within their model
 * (`dense`, `dense_1`), whatever number TensorFlow.js gave them (`dense_Dense11`). So `dense_1/kernel` is the kernel of the second dense layer that
 * has no name; name layers to be free to reorder them. Weights of a model inside a model have its name in front.
 *
 * Throws `invalid` where two variables have one name or the optimizer trains some that were not given, `unsupported` for optimizers of other
 * classes than those of `tf.train` and for complex and string variables.
 */
export function captureState(training: Training): CapturedState {
  const { tensors, build } = partsOf(training);
  return build(tensors.map((tensor) => tensor.dataSync()));
}

/**
 * The same for backends that can only be read asynchronously (webgpu), and without waiting for the GPU on the others. The state is that of
 * the call, whatever is trained before the promise resolves.
 */
export async function captureStateAsync(training: Training): Promise<CapturedState> {
  const { tensors, build } = partsOf(training);
  return build(await Promise.all(tensors.map((tensor) => tensor.data())));
}

/** The tensors to be read, and what makes a state of what was read of each. */
interface Parts {
  tensors: TfTensor[];
  build(data: readonly unknown[]): CapturedState;
}

function partsOf(training: Training): Parts {
  const named = nameVariables(training);
  const weights = [...named.byName].map(([name, variable]) => describeVariable(name, variable));
  const optimizer = optimizerOf(training);
  const kept = optimizer === undefined ? undefined : optimizerParts(optimizer, named);
  return {
    tensors: [...named.byName.values(), ...(kept?.tensors ?? [])],
    build: (data) => {
      const model = weights.map((description, at) => [description.name, stateTensor(description, data[at])]);
      const state: CapturedState = { model: Object.fromEntries(model) };
      if (kept !== undefined) state.optimizer = kept.build(data.slice(weights.length));
      return state;
    },
  };
}

/** The optimizer that was given, else the one of the compiled model. */
export function optimizerOf({ model, optimizer }: Training): TfOptimizer | undefined {
  return optimizer === undefined ? model?.optimizer : (optimizer ?? undefined);
}

interface OptimizerParts {
  tensors: TfTensor[];
  build(data: readonly unknown[]): CapturedOptimizer;
}

function optimizerParts(optimizer: TfOptimizer, { stableNames }: NamedVariables): OptimizerParts {
  const { slots, scalars } = layoutOf(optimizer);
  const inUse = slots
    .map((slot) => ({ slot, variables: slotVariables(optimizer, slot) }))
    .filter(({ variables }) => variables.length > 0);
  const orders = inUse.map(({ slot: { suffix }, variables }) =>
    variables.map(({ originalName }) => parameterName(originalName, suffix, stableNames)),
  );
  const [parameters = []] = orders;
  if (orders.some((order) => String(order) !== String(parameters)))
    throw invalid('optimizer', 'The slots of the optimizer are not of the same variables.');
  const places = parameters.flatMap((parameter, at) =>
    inUse.map(({ slot: { name }, variables }) => {
      const { variable } = variables[at];
      return { slot: name, variable, description: describeVariable(parameter, variable) };
    }),
  );
  const { iterations } = optimizer;
  const [className, config] = [optimizer.getClassName(), plainConfig(optimizer)];
  return {
    tensors: [
      ...places.map(({ variable }) => variable),
      ...scalars.map((field) => scalarVariable(optimizer, field)),
    ],
    build: (data) => {
      const copies = places.map(
        ({ slot, description }, at) => [slot, stateTensor(description, data[at])] as const,
      );
      const state = parameters.map((parameter, at) => {
        const own = copies.slice(at * inUse.length, (at + 1) * inUse.length);
        return [parameter, Object.fromEntries(own)] as const;
      });
      const numbers = scalars.map((field, at) => {
        return [field, Number((data[places.length + at] as ArrayLike<number>)[0])] as const;
      });
      return {
        className,
        config,
        iterations,
        ...Object.fromEntries(numbers),
        parameters,
        state: Object.fromEntries(state),
      };
    },
  };
}

/** Returns the settings of an optimizer that are numbers and switches, as all of TensorFlow.js are. */
export function plainConfig(optimizer: TfOptimizer): CapturedOptimizer['config'] {
  const plain = Object.entries(optimizer.getConfig()).filter(([, value]) => {
    return typeof value === 'number' || typeof value === 'boolean' || value === null;
  });
  return Object.fromEntries(plain);
}

function parameterName(
  originalName: string,
  suffix: string,
  stableNames: ReadonlyMap<string, string>,
): string {
  const ending = `/${suffix}`;
  const variable = originalName.endsWith(ending) ? originalName.slice(0, -ending.length) : originalName;
  const name = stableNames.get(variable);
  if (name !== undefined) return name;
  throw invalid(
    variable,
    `The optimizer trains ${variable}, which is neither of the model nor of the variables.`,
  );
}

function invalid(object: string, message: string): ThetalogError {
  return new ThetalogError('invalid', 'bad-training', message, { object });
}
