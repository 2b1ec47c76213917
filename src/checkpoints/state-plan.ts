/** Turns a state tree into a save plan, and a stored one back into a state. */
import { copiesOfState, parametersOfState } from '../adapters/index.js';
import { corrupt, ThetalogError } from '../errors.js';
import { assertTensorFits, streamBytes, type TensorLayout } from '../format/index.js';
import {
  dtypeInfo,
  type FoundTensor,
  flattenState,
  GROUPS,
  type Group,
  groupOfPath,
  type StateValue,
  unflattenState,
  viewOf,
} from '../tensor/index.js';
import type { StoreContext } from './context.js';
import { findFamilies, linkRanges } from './families.js';
import { assertKept } from './kept-groups.js';
import type { LoadedManifest } from './manifest-store.js';
import { type FoundProgress, memorySource, type PlannedRange, type SavePlan, StreamPlanner } from './plan.js';
import { groupsOf, matchTensors } from './restore-into.js';
import { piecesIntoMemory } from './restore-pieces.js';
import { readTensors } from './tensor-reader.js';
import type { RestoreStateOptions } from './types.js';

/** Key of the stream with the plain data of a state. */
export const PLAIN_KEY = 'state:plain';

/**
 * Plans a checkpoint of a state. The sources of the plan are the caller's memory: it must be staged before anything is
 * awaited. Top-level keys name the groups; `progress.step`, `progress.epoch` and `metrics` go on record.
 */
export function planState(state: StateValue): SavePlan {
  const { tensors, plain } = flattenState(state);
  const { ranges, rangeOf } = findRanges(tensors);
  const planner = new StreamPlanner();
  const parameters = parametersOfState(tensors, state);
  const facts = parameters.map((fact) => {
    return { ...fact, slotsFile: 0, weightsFile: fact.weights === null ? null : 0 };
  });
  const linked = linkRanges(ranges, facts, copiesOfState(tensors, parameters));
  const placements = planner.addRanges(ranges);
  planner.addBytes(PLAIN_KEY, memorySource(plain));
  const layouts = tensors.map((tensor, index): TensorLayout => {
    assertTensorFits(tensor);
    const placement = placements[rangeOf[index]];
    const box = {
      origin: tensor.shape.map(() => 0),
      extent: tensor.shape,
      stream: placement.stream,
      elementOffset: placement.byteOffset / dtypeInfo(tensor.dtype).bytes,
      strides: null,
    };
    return {
      name: tensor.name,
      group: groupOfPath(tensor.path),
      dtype: tensor.dtype,
      shape: tensor.shape,
      boxes: [box],
    };
  });
  return {
    kind: 'state',
    layout: { streams: planner.streams, tensors: layouts, files: [] },
    sources: planner.sources,
    files: async () => [],
    assertUnchanged: async () => {},
    directories: [],
    settings: linked.settings,
    families: findFamilies(ranges, placements, linked),
    groups: GROUPS.filter((group) => layouts.some((tensor) => tensor.group === group)),
    progress: progressOf(state),
    logicalBytes: tensors.reduce((sum, tensor) => sum + tensor.data.length, 0) + plain.length,
    warnings: [],
    close: async () => {},
  };
}

/** Finds the ranges of memory that tensors are in, the same one only once. */
function findRanges(tensors: readonly FoundTensor[]): { ranges: PlannedRange[]; rangeOf: number[] } {
  const ranges: PlannedRange[] = [];
  const seen = new Map<ArrayBufferLike, Map<string, number>>();
  const rangeOf = tensors.map((tensor) => {
    const { buffer, byteOffset, byteLength } = tensor.data;
    const ofBuffer = seen.get(buffer) ?? new Map<string, number>();
    seen.set(buffer, ofBuffer);
    const place = `${byteOffset}:${byteLength}:${tensor.dtype}`;
    const present = ofBuffer.get(place);
    if (present !== undefined) return present;
    ofBuffer.set(place, ranges.length);
    const source = memorySource(tensor.data);
    ranges.push({ file: 0, key: tensor.name, group: groupOfPath(tensor.path), dtype: tensor.dtype, source });
    return ranges.length - 1;
  });
  return { ranges, rangeOf };
}

/** Returns what goes on record of a state: step, epoch and metrics. */
export function progressOf(state: StateValue): FoundProgress {
  const progress = field(state, 'progress');
  const metrics = field(state, 'metrics');
  const found: Record<string, number> = {};
  if (typeof metrics === 'object' && metrics !== null) {
    for (const [name, value] of Object.entries(metrics)) {
      if (typeof value === 'number' && name !== '' && name !== '__proto__') found[name] = value;
    }
  }
  const step = field(progress, 'step');
  const epoch = field(progress, 'epoch');
  return {
    step: typeof step === 'number' && Number.isSafeInteger(step) && step >= 0 ? step : null,
    epoch: typeof epoch === 'number' && Number.isFinite(epoch) && epoch >= 0 ? epoch : null,
    metrics: found,
  };
}

function field(value: StateValue | undefined, name: string): StateValue | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || ArrayBuffer.isView(value))
    return undefined;
  return Object.hasOwn(value, name) ? (value as { [key: string]: StateValue })[name] : undefined;
}

/** What is to be read of a stored state. */
export interface ReadStateOptions extends Pick<RestoreStateOptions, 'groups' | 'into'> {
  /** A group that only one of the checkpoint and `into` has is a difference, too, even if it is plain data. */
  sameGroups?: boolean;
}

/**
 * Reads a stored state back; tensors of other groups than those given are left out, and those that are lost. What retention dropped
 * may not be wanted.
 */
export async function readState(
  context: StoreContext,
  loaded: LoadedManifest,
  { groups, into, sameGroups = false }: ReadStateOptions,
  lost: readonly string[] = [],
): Promise<StateValue> {
  assertKept(loaded, groups);
  const plain = await readPlain(context, loaded);
  const object = `manifests/${loaded.name}`;
  const saved = loaded.dropped?.saved ?? loaded.layout;
  const left = new Set(loaded.layout.tensors);
  const missing = new Set(lost);
  const wanted = [...saved.tensors.entries()].filter(
    ([, tensor]) => left.has(tensor) && (groups === undefined || groups.includes(tensor.group)),
  );
  const tensors = wanted.map(([, tensor]) => tensor);
  const storedGroups = sameGroups ? groupsOfStored(plain, loaded) : undefined;
  const given = into === undefined ? [] : matchTensors(into, { tensors, groups, storedGroups });
  const kept = wanted
    .map(([at, tensor], index) => ({ at, tensor, place: given.at(index) }))
    .filter(({ tensor }) => !missing.has(tensor.name));
  const filled = await readTensors(
    context,
    loaded,
    kept.map(({ tensor }) => tensor),
    kept.map(({ place }) => place?.data),
  );
  const values = new Map(kept.map(({ at, place }, index) => [at, { place, bytes: filled[index] }]));
  return unflattenState(plain, object, (slot) => {
    if (slot.index >= saved.tensors.length)
      throw corrupt('bad-slot', 'names a tensor that is not there', object);
    const value = values.get(slot.index);
    return value && (value.place?.view ?? viewOf(slot.dtype, value.bytes));
  });
}

/** Returns what is no tensor of a stored state: tensors are left out of maps and null in lists. */
export async function readPlainValues(context: StoreContext, loaded: LoadedManifest): Promise<StateValue> {
  return withoutTensors(await readPlain(context, loaded), `manifests/${loaded.name}`);
}

/** The same of a state that was taken apart. */
export function withoutTensors(plain: Uint8Array, object: string): StateValue {
  return unflattenState(plain, object, () => undefined);
}

function groupsOfStored(plain: Uint8Array, { name, layout }: LoadedManifest): Group[] {
  return groupsOf(
    withoutTensors(plain, `manifests/${name}`),
    layout.tensors.map(({ group }) => group),
  );
}

async function readPlain(context: StoreContext, loaded: LoadedManifest): Promise<Uint8Array> {
  const { layout, manifest } = loaded;
  const stream = layout.streams.findIndex(({ key }) => key === PLAIN_KEY);
  if (stream < 0) {
    const message = 'The checkpoint was saved from files, not from a state.';
    const hint = 'Restore it into a folder, or read single tensors.';
    throw new ThetalogError('invalid', 'not-a-state', message, { object: manifest.checkpoint, hint });
  }
  const length = streamBytes(layout.streams[stream]);
  const piece = { stream, offset: 0, length, target: 0, position: 0 };
  const [plain] = await piecesIntoMemory(context, loaded, [piece], [length]);
  return plain;
}
