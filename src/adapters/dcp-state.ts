/**
 * What the objects of a distributed checkpoint say: progress, and the settings of the optimizer, which belong to the boxes of all
 * files. Tensors are taken for whole here, and the facts about them given to each of their boxes.
 */
import { isThetalogError } from '../errors.js';
import { dtypeInfo, elementCount, type ParameterFacts, type StateValue } from '../tensor/index.js';
import type { Folder, RandomAccess, Segmentation } from './adapter.js';
import type { DcpItem, DcpMetadata } from './dcp-metadata.js';
import { openWindow } from './file-window.js';
import { groupOfTensorName } from './group-names.js';
import { itemsOf, PickleDict, PickleFloat, type PickleValue } from './pickle-values.js';
import { parametersOfState, type StateTensor } from './state-parameters.js';
import { STEP_NAMES } from './state-settings.js';
import { decodeScalar, readTorchProgress } from './torch-progress.js';
import { segmentTorchFile } from './torch-ranges.js';
import { openTorchZip } from './torch-zip.js';

/** Bytes of an object that is read: the names of 100,000 parameters take some 5 MB. */
const OBJECT_BYTES_MAX = 16 * 2 ** 20;
/** Objects that are read: an optimizer that is saved flat has some ten for each parameter. */
const OBJECTS_MAX = 200_000;
/** Above the states of models and optimizers, programs keep their progress in one of these, or beside it. */
const PROGRESS_HOLDERS = ['train_state', 'trainer_state', 'progress'];

/** Reads what is said of progress and parameters. What cannot be read is left out; it is in a file that has its own error. */
export async function readDcpState(
  metadata: DcpMetadata,
  folder: Folder,
  object: string,
): Promise<Pick<Segmentation, 'step' | 'epoch' | 'metrics' | 'parameters'>> {
  const items = [...metadata.itemsOf.values()].flat();
  const tree = new StateTree();
  const top = new PickleDict();
  let left = OBJECTS_MAX;
  for (const item of items) {
    const path = item.fqn.split('.');
    const isSetting = groupOfTensorName(item.fqn) === 'optimizer' && isSettingPath(path, item);
    const name = progressName(path);
    if ((!isSetting && name === undefined) || left-- <= 0) continue;
    const value = await readObject(item, folder);
    if (value === undefined) continue;
    if (isSetting) tree.add(path, value);
    else if (name !== undefined) top.entries.set(name, value);
  }
  const progress = await readTorchProgress(top, [], {
    name: object,
    size: 0,
    read: async () => new Uint8Array(0),
  });
  const parameters = factsOfBoxes(parametersOfState(tensorsOf(items), tree.value()), items);
  return { ...progress, ...(parameters.length === 0 ? {} : { parameters }) };
}

function isSettingPath(path: readonly string[], { tensor }: DcpItem): boolean {
  return tensor === undefined ? path.includes('param_groups') : STEP_NAMES.includes(path[path.length - 1]);
}

function progressName(path: readonly string[]): string | undefined {
  if (path.length === 1) return path[0];
  return path.length === 2 && PROGRESS_HOLDERS.includes(path[0]) ? path[1] : undefined;
}

const openFile = async (file: RandomAccess): Promise<RandomAccess> => file;

/** An object, or a tensor of one element as a float. */
async function readObject(
  { file, offset, length, tensor }: DcpItem,
  folder: Folder,
): Promise<PickleValue | undefined> {
  const elements = elementCount(tensor?.extent ?? []);
  const source = await folder.parse(file, openFile);
  if (source === undefined || elements !== 1 || length > OBJECT_BYTES_MAX) return undefined;
  try {
    const window = await openWindow(source, offset, length);
    const archive = await openTorchZip(window);
    if (tensor === undefined || archive === undefined) return archive?.unpickled.value;
    const [range] = (await segmentTorchFile(archive)).ranges;
    if (range === undefined || range.length !== dtypeInfo(range.dtype).bytes) return undefined;
    const value = decodeScalar(range.dtype, await window.read(range.offset, range.length));
    return value === undefined ? undefined : new PickleFloat(value);
  } catch (error) {
    if (isThetalogError(error, 'corrupt', 'unsupported')) return undefined;
    throw error;
  }
}

/** Each tensor once, whole. */
function tensorsOf(items: readonly DcpItem[]): StateTensor[] {
  const tensors = new Map<string, StateTensor>();
  for (const { fqn, tensor } of items) {
    if (tensor?.dtype === undefined || tensors.has(fqn)) continue;
    const path = fqn.split('.');
    tensors.set(fqn, { path, name: fqn, dtype: tensor.dtype, shape: [...tensor.size] });
  }
  return [...tensors.values()];
}

/** The facts of whole parameters, for each box of their weights, or of their first slot where these are elsewhere. */
function factsOfBoxes(facts: readonly ParameterFacts[], items: readonly DcpItem[]): ParameterFacts[] {
  const boxes = new Map<string, DcpItem[]>();
  const fileOf = new Map<string, string>();
  for (const item of items) {
    const known = boxes.get(item.fqn) ?? [];
    boxes.set(item.fqn, known);
    known.push(item);
    fileOf.set(item.key, item.file);
  }
  return facts.flatMap((fact) => {
    const whole = fact.weights ?? Object.values(fact.slots)[0];
    return (boxes.get(whole) ?? []).map((box): ParameterFacts => {
      const cut = box.key.slice(whole.length);
      const keyOf = (fqn: string): string => fqn + cut;
      const elsewhere: Record<string, string> = {};
      for (const fqn of [whole, ...Object.values(fact.slots)]) {
        const file = fileOf.get(keyOf(fqn));
        if (file !== undefined) elsewhere[keyOf(fqn)] = file;
      }
      return {
        ...fact,
        weights: fact.weights === null ? null : keyOf(fact.weights),
        slots: Object.fromEntries(Object.entries(fact.slots).map(([slot, fqn]) => [slot, keyOf(fqn)])),
        name: fact.name === null ? null : keyOf(fact.name),
        shape: [...(box.tensor?.extent ?? fact.shape)],
        elsewhere,
      };
    });
  });
}

type Settings = Record<string, StateValue>;

/** Settings and counts of steps as a state tree has them, with `param_groups` as a list. */
class StateTree {
  private readonly root: Settings = Object.create(null);
  /** By the path of the optimizer, then by the number of the group or the name of the only parameter in it. */
  private readonly groups = new Map<string, Map<string, Settings>>();

  add(path: readonly string[], value: PickleValue): void {
    const at = path.indexOf('param_groups');
    const plain = plainValue(value);
    if (plain === undefined) return;
    if (at < 0) this.set(path, plain);
    else if (path.length > at + 2)
      this.setInGroup(path.slice(0, at), path.slice(at + 1, -1).join('.'), path[path.length - 1], plain);
  }

  private set(path: readonly string[], value: StateValue): void {
    let node = this.root;
    for (const segment of path.slice(0, -1)) {
      node[segment] ??= Object.create(null);
      const next = node[segment];
      if (typeof next !== 'object' || next === null || Array.isArray(next)) return;
      node = next as Settings;
    }
    node[path[path.length - 1]] = value;
  }

  private setInGroup(optimizer: readonly string[], group: string, name: string, value: StateValue): void {
    const key = optimizer.join('.');
    const groups = this.groups.get(key) ?? new Map<string, Settings>();
    this.groups.set(key, groups);
    const settings = groups.get(group) ?? settingsOf(group);
    groups.set(group, settings);
    settings[name] = value;
  }

  value(): StateValue {
    for (const [optimizer, groups] of this.groups)
      this.set(
        [...optimizer.split('.').filter((segment) => segment !== ''), 'param_groups'],
        [...groups.values()],
      );
    return this.root;
  }
}

/** Of a group by number; saved flat, each parameter has settings of its own, by its name. */
function settingsOf(group: string): Settings {
  const settings: Settings = Object.create(null);
  if (!/^\d+$/.test(group)) settings.params = [group];
  return settings;
}

/** Numbers, flags, names and lists of them. */
function plainValue(value: PickleValue): StateValue | undefined {
  if (value instanceof PickleFloat) return value.value;
  if (typeof value === 'number' || typeof value === 'boolean' || typeof value === 'string') return value;
  return itemsOf(value)?.map((item) =>
    item instanceof PickleFloat ? item.value : typeof item === 'object' ? null : item,
  );
}
