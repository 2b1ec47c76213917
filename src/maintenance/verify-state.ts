/** Compares a state in memory with a stored one: that training went on from exactly what was saved, or what differs. */
import {
  type LoadedManifest,
  type PlainDifference,
  readPlainValues,
  readTensors,
  type StoreContext,
  withoutTensors,
} from '../checkpoints/index.js';
import { throwIfAborted } from '../errors.js';
import type { TensorLayout } from '../format/index.js';
import {
  dtypeInfo,
  elementCount,
  type FoundTensor,
  flattenState,
  type Group,
  groupOfPath,
  type StateValue,
  tensorBytes,
} from '../tensor/index.js';
import { comparePlainData } from './plain-differences.js';

/** Stored tensors in memory at once; a single one may be larger. */
const BATCH_BYTES = 64 * 2 ** 20;

/** One value that is not the same on both sides. */
export interface StateDifference {
  /** The path of the value in the state, its segments joined with dots. */
  name: string;
  /** `missing`: the state lacks it; `surplus`: the checkpoint lacks it. */
  kind: 'missing' | 'surplus' | 'dtype' | 'shape' | 'elements' | 'value';
  /** What is there and what was saved, in words. */
  message: string;
}

interface Pair {
  live: FoundTensor;
  stored: TensorLayout;
}

/**
 * Reads every tensor of the groups, some at a time, and compares its bytes with those in memory; then the plain data, in which
 * NaN equals NaN and 0 is not -0. Returns what differs: first tensors that cannot be compared, then bytes, then plain data.
 */
export async function compareWithState(
  context: StoreContext,
  loaded: LoadedManifest,
  state: StateValue,
  { groups, signal }: { groups?: readonly Group[]; signal?: AbortSignal },
): Promise<{ differences: StateDifference[]; bytes: number }> {
  const isWanted = (group: Group): boolean => groups === undefined || groups.includes(group);
  const { tensors, plain } = flattenState(state);
  const live = tensors.filter(({ path }) => isWanted(groupOfPath(path)));
  const stored = loaded.layout.tensors.filter(({ group }) => isWanted(group));
  const { pairs, differences } = pairTensors(live, stored);
  let bytes = 0;
  for (const batch of inBatches(pairs)) {
    throwIfAborted(signal);
    const values = await readTensors(
      context,
      loaded,
      batch.map((pair) => pair.stored),
    );
    for (const [at, pair] of batch.entries()) {
      bytes += values[at].length;
      const changed = countDifferent(pair.live.data, values[at], dtypeInfo(pair.stored.dtype).bytes);
      if (changed === 0) continue;
      const elements = elementCount(pair.stored.shape);
      const message = `${changed} of ${elements} elements differ`;
      differences.push({ name: pair.stored.name, kind: 'elements', message });
    }
  }
  const saved = ofGroups(await readPlainValues(context, loaded), isWanted);
  const present = ofGroups(withoutTensors(plain, 'state'), isWanted);
  differences.push(...comparePlainData(saved, present).map(describePlain));
  return { differences, bytes };
}

function pairTensors(
  live: readonly FoundTensor[],
  stored: readonly TensorLayout[],
): { pairs: Pair[]; differences: StateDifference[] } {
  const differences: StateDifference[] = [];
  const ofName = new Map(live.map((tensor) => [tensor.name, tensor]));
  const pairs = stored.flatMap((tensor): Pair[] => {
    const { name } = tensor;
    const found = ofName.get(name);
    ofName.delete(name);
    if (found === undefined) differences.push({ name, kind: 'missing', message: 'is missing' });
    else if (found.dtype !== tensor.dtype)
      differences.push({ name, kind: 'dtype', message: `is ${found.dtype} instead of ${tensor.dtype}` });
    else if (found.shape.join() !== tensor.shape.join()) {
      const message = `is [${found.shape.join(', ')}] instead of [${tensor.shape.join(', ')}]`;
      differences.push({ name, kind: 'shape', message });
    } else return [{ live: found, stored: tensor }];
    return [];
  });
  for (const name of ofName.keys())
    differences.push({ name, kind: 'surplus', message: 'is not in the checkpoint' });
  return { pairs, differences };
}

function* inBatches(pairs: readonly Pair[]): Generator<Pair[]> {
  let batch: Pair[] = [];
  let bytes = 0;
  for (const pair of pairs) {
    const length = tensorBytes(pair.stored);
    if (batch.length > 0 && bytes + length > BATCH_BYTES) {
      yield batch;
      [batch, bytes] = [[], 0];
    }
    batch.push(pair);
    bytes += length;
  }
  if (batch.length > 0) yield batch;
}

function countDifferent(a: Uint8Array, b: Uint8Array, width: number): number {
  let changed = 0;
  for (let at = 0; at < b.length; at++) {
    if (a[at] === b[at]) continue;
    changed++;
    at += width - 1 - (at % width);
  }
  return changed;
}

/** The values at the top of a state that belong to the groups. */
function ofGroups(state: StateValue, isWanted: (group: Group) => boolean): StateValue {
  if (typeof state !== 'object' || state === null || Array.isArray(state)) return state;
  return Object.fromEntries(Object.entries(state).filter(([key]) => isWanted(groupOfPath([key]))));
}

function describePlain({ path, change, before, after }: PlainDifference): StateDifference {
  if (change === 'removed') return { name: path, kind: 'missing', message: 'is missing' };
  if (change === 'added') return { name: path, kind: 'surplus', message: 'is not in the checkpoint' };
  return { name: path, kind: 'value', message: `is ${show(after)} instead of ${show(before)}` };
}

function show(value: PlainDifference['before']): string {
  if (Object.is(value, -0)) return '-0';
  return typeof value === 'string' ? JSON.stringify(value.slice(0, 40)) : String(value);
}
