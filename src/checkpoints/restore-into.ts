/** Tensors of a checkpoint in memory that the caller has already: what differs is found before anything is written. */
import { ThetalogError } from '../errors.js';
import type { TensorLayout } from '../format/index.js';
import { type FoundTensor, flattenState, type Group, groupOfPath, type StateValue } from '../tensor/index.js';

/** Differences named in a message; the others are counted. */
const NAMED_MAX = 20;

/**
 * Returns for each of the tensors the one of the same name in `into`, whose memory is to be filled. Throws `conflict`,
 * naming the differences, unless both have the same tensors of the same dtypes and shapes. Tensors of `into` that are in none
 * of the groups are not looked at.
 */
export function matchTensors(
  into: StateValue,
  tensors: readonly TensorLayout[],
  groups: readonly Group[] | undefined,
): FoundTensor[] {
  const present = new Map<string, FoundTensor>();
  for (const tensor of flattenState(into).tensors) {
    if (groups === undefined || groups.includes(groupOfPath(tensor.path))) present.set(tensor.name, tensor);
  }
  const differences: string[] = [];
  const matched = tensors.flatMap((tensor) => {
    const found = present.get(tensor.name);
    present.delete(tensor.name);
    if (found === undefined) differences.push(`${tensor.name}: is missing`);
    else if (describe(found) !== describe(tensor))
      differences.push(`${tensor.name}: is ${describe(found)} instead of ${describe(tensor)}`);
    return found ?? [];
  });
  for (const name of present.keys()) differences.push(`${name}: is not in the checkpoint`);
  if (differences.length === 0) differences.push(...sharedMemory(matched, tensors));
  if (differences.length > 0) throw differs(differences);
  return matched;
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
