/** Settings and step counts among the plain data of a state. */
import { dtypeInfo, isDType, SettingsCollector, type StateValue, stepCount } from '../tensor/index.js';
import { decodeScalar } from './torch-progress.js';

/** What counts of steps are called. */
export const STEP_NAMES = ['step', 't', 'iterations', 'iteration', 'iter', 'count', 'steps'];
/** Maps inside an optimizer, and beside it, in which programs keep its settings. */
const INNER_SETTINGS = ['config', 'hyperparameters', 'options', 'defaults', 'settings'];
const OUTER_SETTINGS = ['hyperparameters', 'config'];
/** What may be taken from a map that is not the optimizer's own. */
const OPTIMIZER_SETTINGS =
  /^(lr|learning_?rate|betas|beta_?[12]|eps|epsilon|weight_?decay|momentum|nesterov|amsgrad|dampening)$/i;

export type Fields = ReadonlyMap<string, unknown>;

/** The parameters of a group and their settings. */
export interface SettingsGroup {
  /** Numbers or names, in order. */
  params: string[];
  /** Names by number, where the group has them. */
  names: Map<string, string>;
  settings: Record<string, number | boolean>;
  step: number | null;
}

/** Returns the fields of a plain object; none for everything else. */
export function fieldsOf(value: unknown): Fields {
  const isMap =
    typeof value === 'object' && value !== null && !Array.isArray(value) && !ArrayBuffer.isView(value);
  return isMap ? new Map(Object.entries(value)) : new Map();
}

/** Returns what lies at a path. */
export function field(state: StateValue, path: readonly string[]): unknown {
  let value: unknown = state;
  for (const segment of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, segment)) return undefined;
    value = (value as { readonly [key: string]: unknown })[segment];
  }
  return value;
}

/** Reads torch's `param_groups`. */
export function torchGroups(value: unknown): SettingsGroup[] {
  if (!Array.isArray(value)) return [];
  return value.map((item: unknown) => {
    const fields = fieldsOf(item);
    const params = textsOf(fields.get('params'));
    const names = textsOf(fields.get('param_names'));
    return {
      params,
      names:
        names.length === params.length ? new Map(params.map((param, at) => [param, names[at]])) : new Map(),
      settings: settingsIn([fields]),
      step: countIn(fields),
    };
  });
}

/** Reads the settings of an optimizer without groups: its own, else those that the state keeps beside it. */
export function plainGroup(optimizer: Fields, state: StateValue): SettingsGroup {
  const inner = INNER_SETTINGS.map((name) => fieldsOf(optimizer.get(name)));
  const outer = OUTER_SETTINGS.map((name) => fieldsOf(field(state, [name]))).map(
    (fields) => new Map([...fields].filter(([name]) => OPTIMIZER_SETTINGS.test(name))),
  );
  const step = countIn(optimizer) ?? stepCount(field(state, ['progress', 'step']));
  return { params: [], names: new Map(), settings: settingsIn([optimizer, ...inner, ...outer]), step };
}

/** Returns the count of steps among fields, a number or a tensor of one element. */
export function countIn(fields: Fields): number | null {
  for (const name of STEP_NAMES) {
    const count = stepCount(scalarOf(fields.get(name)));
    if (count !== null) return count;
  }
  return null;
}

function settingsIn(maps: readonly Fields[]): Record<string, number | boolean> {
  const settings = new SettingsCollector();
  for (const fields of maps) {
    for (const [name, value] of fields) if (name !== 'params') settings.add(name, scalarOf(value));
  }
  return settings.toRecord();
}

function scalarOf(value: unknown): unknown {
  if (typeof value === 'bigint') return Number(value);
  const fields = ArrayBuffer.isView(value) ? new Map<string, unknown>([['data', value]]) : fieldsOf(value);
  const data = fields.get('data');
  if (!ArrayBuffer.isView(data)) return value;
  const dtype =
    fields.get('dtype') ?? (data instanceof Float32Array ? 'f32' : data instanceof Int32Array ? 'i32' : null);
  if (!isDType(dtype) || data.byteLength !== dtypeInfo(dtype).bytes) return undefined;
  return decodeScalar(dtype, new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
}

function textsOf(value: unknown): string[] {
  if (!Array.isArray(value)) return [];
  return value.filter((item) => typeof item === 'number' || typeof item === 'string').map(String);
}
