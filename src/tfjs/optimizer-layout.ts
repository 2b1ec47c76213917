/**
 * What the optimizers of `tf.train` keep, and in which of their private fields: `getWeights` leaves out the running powers of Adam
 * (`setWeights` computes them anew, which differs in the last bit) and is not there for Adamax.
 */
import { ThetalogError } from '../index.js';
import type { TfOptimizer, TfVariable } from './tfjs-types.js';

/** A list of variables, one for each trained variable. */
export interface Slot {
  /** As states call it; `m`, `v` and `momentum` are names by which the update rules of the codec are found. */
  name: string;
  field: string;
  /** What TensorFlow.js adds to the name of the trained variable. */
  suffix: string;
  /** The setting without which it stays empty. */
  onlyWith?: string;
}

export interface OptimizerLayout {
  slots: readonly Slot[];
  /** Fields with a variable of one number. */
  scalars: readonly string[];
}

const slot = (name: string, field: string, suffix = name): Slot => ({ name, field, suffix });

/** By class name. */
const LAYOUTS: ReadonlyMap<string, OptimizerLayout> = new Map([
  ['SGD', { slots: [], scalars: [] }],
  ['Momentum', { slots: [slot('momentum', 'accumulations')], scalars: [] }],
  [
    'RMSProp',
    {
      slots: [
        slot('rms', 'accumulatedMeanSquares'),
        slot('momentum', 'accumulatedMoments'),
        { ...slot('mg', 'accumulatedMeanGrads'), onlyWith: 'centered' },
      ],
      scalars: [],
    },
  ],
  ['Adagrad', { slots: [slot('accumulator', 'accumulatedGrads')], scalars: [] }],
  [
    'Adadelta',
    {
      slots: [slot('accum_grad', 'accumulatedGrads'), slot('accum_var', 'accumulatedUpdates')],
      scalars: [],
    },
  ],
  [
    'Adam',
    {
      slots: [slot('m', 'accumulatedFirstMoment'), slot('v', 'accumulatedSecondMoment')],
      scalars: ['accBeta1', 'accBeta2'],
    },
  ],
  [
    'Adamax',
    {
      slots: [slot('m', 'accumulatedFirstMoment'), slot('inf_norm', 'accumulatedWeightedInfNorm', 'v')],
      scalars: ['accBeta1', 'iteration'],
    },
  ],
]);

/** A variable that an optimizer keeps, and the name it gave it. */
export interface OptimizerVariable {
  originalName: string;
  variable: TfVariable;
}

/** Throws `unsupported` for optimizers of other classes. */
export function layoutOf(optimizer: TfOptimizer): OptimizerLayout {
  const className = optimizer.getClassName();
  const layout = LAYOUTS.get(className);
  if (layout !== undefined) return layout;
  throw unsupported(
    `The optimizer ${className} is none of ${[...LAYOUTS.keys()].join(', ')}.`,
    'Leave it out (`optimizer: null`) and put what it keeps into the state yourself.',
  );
}

/** Returns the variables of a slot; none before the first step. */
export function slotVariables(optimizer: TfOptimizer, { field }: Slot): OptimizerVariable[] {
  const list = fieldOf(optimizer, field);
  if (Array.isArray(list) && list.every(isOptimizerVariable)) return list;
  throw unknownVersion(optimizer, field);
}

/** Returns the variable of one number in a field. */
export function scalarVariable(optimizer: TfOptimizer, field: string): TfVariable {
  const value = fieldOf(optimizer, field);
  if (isVariable(value)) return value;
  throw unknownVersion(optimizer, field);
}

function fieldOf(optimizer: TfOptimizer, field: string): unknown {
  return (optimizer as unknown as Record<string, unknown>)[field];
}

function isVariable(value: unknown): value is TfVariable {
  return typeof value === 'object' && value !== null && 'assign' in value && 'dataSync' in value;
}

function isOptimizerVariable(value: unknown): value is OptimizerVariable {
  if (typeof value !== 'object' || value === null) return false;
  const { originalName, variable } = value as Partial<Record<keyof OptimizerVariable, unknown>>;
  return typeof originalName === 'string' && isVariable(variable);
}

function unknownVersion(optimizer: TfOptimizer, field: string): ThetalogError {
  return unsupported(
    `The optimizer ${optimizer.getClassName()} does not have ${field} as those of TensorFlow.js 3 and 4 do.`,
    'Use @tensorflow/tfjs 3 or 4.',
  );
}

function unsupported(message: string, hint: string): ThetalogError {
  return new ThetalogError('unsupported', 'unknown-optimizer', message, { object: 'optimizer', hint });
}
