/**
 * What is left of a checkpoint from which retention has dropped groups (FORMAT.md, "Dropped groups"). Whoever needs to know
 * what a checkpoint holds asks here: its manifest still names everything that was saved.
 */
import { ThetalogError } from '../errors.js';
import type { CatalogueEntry, FileLayout, Layout, StreamContent, TensorLayout } from '../format/index.js';
import type { Group } from '../tensor/index.js';
import {
  type DroppedParts,
  type LoadedManifest,
  loadManifest,
  type MetadataSource,
} from './manifest-store.js';

/** Reads what is left of a checkpoint. */
export async function loadCheckpoint(
  context: MetadataSource,
  { manifest, droppedGroups }: Pick<CatalogueEntry, 'manifest' | 'droppedGroups'>,
): Promise<LoadedManifest> {
  return keptPart(await loadManifest(context, manifest), droppedGroups);
}

/**
 * Returns a checkpoint without the tensors of dropped groups, the files that they are in, and the chunks of streams that only they
 * are in. Streams keep their numbers.
 */
export function keptPart<Described extends Pick<LoadedManifest, 'layout' | 'content'>>(
  loaded: Described,
  droppedGroups: readonly Group[],
): Described & Pick<LoadedManifest, 'dropped'> {
  if (droppedGroups.length === 0) return loaded;
  const { layout, content } = loaded;
  const isDropped = ({ group }: TensorLayout): boolean => droppedGroups.includes(group);
  const droppedStreams = streamsOnlyIn(layout, isDropped);
  const isWhole = ({ pieces }: FileLayout): boolean =>
    !pieces.some((piece) => piece.kind === 'stream' && piece.length > 0 && droppedStreams.has(piece.stream));
  const whole = layout.files.map(isWhole);
  const streams = content.streams.map((stream, at): StreamContent => {
    return droppedStreams.has(at) ? { ids: [], lengths: stream.lengths && [] } : stream;
  });
  const dropped: DroppedParts = {
    groups: droppedGroups,
    saved: layout,
    tensors: layout.tensors.filter(isDropped),
    files: layout.files.flatMap((file, at) =>
      whole[at] ? [] : [{ path: content.files[at].path, layout: file }],
    ),
  };
  return {
    ...loaded,
    layout: {
      ...layout,
      tensors: layout.tensors.filter((tensor) => !isDropped(tensor)),
      files: layout.files.filter((_, at) => whole[at]),
    },
    content: { ...content, streams, files: content.files.filter((_, at) => whole[at]) },
    dropped,
  };
}

/** Returns the streams that hold elements of tensors, all of which are among those given. */
function streamsOnlyIn(layout: Layout, isAmong: (tensor: TensorLayout) => boolean): Set<number> {
  const among = new Set<number>();
  const others = new Set<number>();
  for (const tensor of layout.tensors) {
    for (const { stream, extent } of tensor.boxes)
      if (!extent.includes(0)) (isAmong(tensor) ? among : others).add(stream);
  }
  return new Set([...among].filter((stream) => !others.has(stream)));
}

/** Throws `not-found` unless all of a checkpoint that is wanted is left: `groups`, or everything. */
export function assertKept(loaded: LoadedManifest, groups?: readonly Group[]): void {
  const missing = (loaded.dropped?.groups ?? []).filter((group) => groups?.includes(group) !== false);
  if (missing.length === 0) return;
  const left = [...new Set(loaded.layout.tensors.map(({ group }) => group))];
  const hint =
    left.length === 0
      ? 'Nothing but its plain data is left.'
      : `Restore what is left: groups: [${left.map((group) => `'${group}'`).join(', ')}].`;
  throw droppedError(loaded, missing, hint);
}

/** Throws `not-found`, naming what is missing, unless all files of a checkpoint are left, or all tensors of a state. */
export function assertWhole(loaded: LoadedManifest): void {
  const { dropped, layout } = loaded;
  if (dropped === undefined || (dropped.files.length === 0 && layout.files.length > 0)) return;
  const files = named(dropped.files.map(({ path }) => path));
  const consequence = dropped.files.length === 0 ? undefined : `${files} cannot be put together`;
  const hint = `Restore what is left: --tensors '${globOf(layout.tensors)}'.`;
  throw droppedError(loaded, dropped.groups, hint, consequence);
}

/** Returns the error for tensors of dropped groups. */
export function droppedTensorError({ name, group }: TensorLayout, ref: string): ThetalogError {
  const message = `"${name}" is not in ${ref} any more: retention dropped its group, ${group}.`;
  const hint = `See what is left with: thetalog show ${ref}`;
  return new ThetalogError('not-found', 'group-dropped', message, { object: name, hint });
}

function droppedError(
  { dropped, manifest }: LoadedManifest,
  groups: readonly Group[],
  hint: string,
  consequence?: string,
): ThetalogError {
  const tensors = (dropped?.tensors ?? []).filter(({ group }) => groups.includes(group));
  const lost = groups.map((group) => {
    const names = tensors.filter((tensor) => tensor.group === group).map(({ name }) => name);
    return `${group} (${names.length === 1 ? '1 tensor' : `${names.length} tensors`}: ${named(names)})`;
  });
  const message = `Retention dropped ${lost.join(' and ')} of this checkpoint${consequence === undefined ? '' : `: ${consequence}`}.`;
  return new ThetalogError('not-found', 'group-dropped', message, { object: manifest.checkpoint, hint });
}

/** Names in a message; `show` has them all. */
const NAMED_MAX = 3;

function named(names: readonly string[]): string {
  const more = names.length - NAMED_MAX;
  return `${names.slice(0, NAMED_MAX).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

/** Returns a glob for tensors: by the first part of their names, if they have it in common. */
function globOf(tensors: readonly TensorLayout[]): string {
  const [first, ...others] = new Set(tensors.map(({ name }) => name.split('.', 1)[0]));
  const isPrefix = tensors.every(({ name }) => name.length > (first?.length ?? 0));
  return first !== undefined && others.length === 0 && isPrefix ? `${first}.*` : '*';
}
