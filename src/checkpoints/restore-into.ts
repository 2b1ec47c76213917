/** Tensors of a checkpoint in memory that the caller has already: what differs is found before anything is written. */
import { ThetalogError } from '../errors.js';
import type { TensorLayout } from '../format/index.js';
import {
  type FoundTensor,
  flattenState,
  GROUPS,
  type Group,
  groupOfPath,
  type StateValue,
} from '../tensor/index.js';

/** Differences named in a message; the others are counted. */
const NAMED_MAX = 20;

/** What is wanted of a checkpoint, and what of it the caller's state must have. */
export interface WantedTensors {
  tensors: readonly TensorLayout[];
  /** Tensors of other groups are not looked at. Default: all. */
  groups: readonly Group[] | undefined;
  /** Groups that the checkpoint has, be it plain data; given where the state must have the same ones. */
  storedGroups?: readonly Group[];
}

/**
 * Returns for each of the tensors the one of the same name in `into`, whose memory is to be filled. Throws `conflict`,
 * naming the differences, unless both have the same tensors of the same dtypes and shapes.
 */
export function matchTensors(into: StateValue, wanted: WantedTensors): FoundTensor[] {
  const { tensors, groups, storedGroups } = wanted;
  const isWanted = (group: Group): boolean => groups === undefined || groups.includes(group);
  const found = flattenState(into).tensors.filter(({ path }) => isWanted(groupOfPath(path)));
  const { differences, isOneSided } =
    storedGroups === undefined
      ? { differences: [], isOneSided: () => false }
      : compareGroups(
          groupsOf(
            into,
            found.map(({ path }) => groupOfPath(path)),
          ).filter(isWanted),
          storedGroups.filter(isWanted),
        );
  const present = new Map(found.map((tensor) => [tensor.name, tensor]));
  const matched = tensors.flatMap((tensor) => {
    const match = present.get(tensor.name);
    present.delete(tensor.name);
    if (match === undefined) {
      if (!isOneSided(tensor.group)) differences.push(`${tensor.name}: is missing`);
    } else if (describe(match) !== describe(tensor))
      differences.push(`${tensor.name}: is ${describe(match)} instead of ${describe(tensor)}`);
    return match ?? [];
  });
  for (const [name, { path }] of present)
    if (!isOneSided(groupOfPath(path))) differences.push(`${name}: is not in the checkpoint`);
  if (differences.length === 0) differences.push(...sharedMemory(matched, tensors));
  if (differences.length > 0) throw differs(differences);
  return matched;
}

/** The groups of a state, by its keys and its tensors; not `extra`: what is in none of the others may come and go. */
export function groupsOf(state: StateValue, ofTensors: readonly Group[]): Group[] {
  const isMap = typeof state === 'object' && state !== null && !Array.isArray(state);
  const keys = isMap ? Object.keys(state) : [];
  return GROUPS.filter((group) => group !== 'extra' && (keys.includes(group) || ofTensors.includes(group)));
}

/** One difference for a group that only one side has, instead of one for each of its tensors. */
function compareGroups(
  given: readonly Group[],
  stored: readonly Group[],
): { differences: string[]; isOneSided: (group: Group) => boolean } {
  const missing = stored.filter((group) => !given.includes(group));
  const surplus = given.filter((group) => !stored.includes(group));
  return {
    differences: [
      ...missing.map((group) => `${group}: is missing`),
      ...surplus.map((group) => `${group}: is not in the checkpoint`),
    ],
    isOneSided: (group) => missing.includes(group) || surplus.includes(group),
  };
}

function describe({ dtype, shape }: Pick<TensorLayout, 'dtype' | 'shape'>): string {
  return `${dtype} [${shape.join(', ')}]`;
}

/** Two tensors may lie in the same memory only if they are the same part of the checkpoint, too. */
function sharedMemory(found: readonly FoundTensor[], tensors: readonly TensorLayout[]): string[] {
  const ofBuffer = new Map<ArrayBufferLike, { name: string; data: Uint8Array; source: string }[]>();
  for (const [at, { name, data }] of found.entries()) {
    const [box] = tensors[at].boxes;
    const place = { name, data, source: `${box?.stream}:${box?.elementOffset}` };
    const known = ofBuffer.get(data.buffer);
    if (data.length === 0) continue;
    if (known === undefined) ofBuffer.set(data.buffer, [place]);
    else known.push(place);
  }
  const differences: string[] = [];
  for (const places of ofBuffer.values()) {
    places.sort((a, b) => a.data.byteOffset - b.data.byteOffset);
    let [last] = places;
    for (const next of places.slice(1)) {
      const lastEnd = last.data.byteOffset + last.data.length;
      const { byteOffset, length } = next.data;
      const isSame = byteOffset === last.data.byteOffset && length === last.data.length;
      if (byteOffset < lastEnd && !(isSame && next.source === last.source))
        differences.push(`${next.name}: shares memory with ${last.name}, which is another tensor`);
      if (byteOffset + length > lastEnd) last = next;
    }
  }
  return differences;
}

function differs(differences: readonly string[]): ThetalogError {
  const named = differences.slice(0, NAMED_MAX);
  if (differences.length > named.length) named.push(`and ${differences.length - named.length} more`);
  const message = `The state to restore into differs from the checkpoint:\n${named.join('\n')}`;
  return new ThetalogError('conflict', 'state-differs', message, {
    object: differences[0].slice(0, differences[0].indexOf(': ')),
    hint: 'Restore without `into`, or give arrays like those that were saved.',
  });
}
