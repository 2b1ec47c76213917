/** Tags, pins and forks: changes of the root that store no tensor. */
import { ThetalogError } from '../errors.js';
import { assertRunName, type CatalogueEntry, type Root } from '../format/index.js';
import { ObjectWriter } from '../packs/index.js';
import type { StoreContext } from './context.js';
import { describe } from './inspect.js';
import { type Located, resolveRef } from './refs.js';
import type { CheckpointInfo } from './types.js';

/** Gives a checkpoint a name; moving a tag of another checkpoint is a `conflict`. */
export async function tagCheckpoint(
  context: StoreContext,
  ref: string,
  name: string,
): Promise<CheckpointInfo> {
  assertRunName(name, 'tag');
  return mark(context, ref, (root, { run, entry }) => {
    const present = root.tags.get(name);
    if (present?.id === entry.id) return false;
    if (present !== undefined || root.runs.has(name)) {
      const what = present === undefined ? 'a run' : `checkpoint ${present.id.slice(0, 12)}`;
      throw new ThetalogError('conflict', 'tag-exists', `"${name}" names ${what} already.`, {
        object: name,
        hint: present === undefined ? 'Choose another name.' : `Remove it first: thetalog untag ${name}`,
      });
    }
    root.tags.set(name, { id: entry.id, run });
    return true;
  });
}

/** Removes a tag. */
export async function untagCheckpoint(context: StoreContext, name: string): Promise<void> {
  let removed = false;
  await context.roots.update((root) => {
    const present = root.tags.delete(name);
    if (!present && !removed)
      throw new ThetalogError('not-found', 'no-such-tag', `There is no tag "${name}".`, { object: name });
    removed = true;
    return present;
  });
}

/** Protects a checkpoint from every forget. */
export async function pinCheckpoint(context: StoreContext, ref: string): Promise<CheckpointInfo> {
  return mark(context, ref, (root, { run, entry }) => {
    if (root.pins.some((pin) => pin.id === entry.id)) return false;
    root.pins.push({ id: entry.id, run });
    return true;
  });
}

/** Takes a pin away; a checkpoint without one is left as it is. */
export async function unpinCheckpoint(context: StoreContext, ref: string): Promise<CheckpointInfo> {
  return mark(context, ref, (root, { entry }) => {
    const before = root.pins.length;
    root.pins = root.pins.filter((pin) => pin.id !== entry.id);
    return root.pins.length < before;
  });
}

async function mark(
  context: StoreContext,
  ref: string,
  change: (root: Root, located: Located) => boolean,
): Promise<CheckpointInfo> {
  let info: CheckpointInfo | undefined;
  await context.roots.update(async (root) => {
    const located = await resolveRef(context.catalogue, root, ref);
    const changed = change(root, located);
    info = describe(root, located.run, located.entry);
    return changed;
  });
  if (info === undefined) throw new Error('the mutation did not run');
  return info;
}

/** Starts a new run with a checkpoint of its own that shares all it holds with the one it forks from. */
export async function forkRun(context: StoreContext, ref: string, run: string): Promise<CheckpointInfo> {
  assertRunName(run, 'run');
  const objects = new ObjectWriter(context.storage, context.environment.randomHex(8));
  const id = context.environment.randomHex(16);
  let info: CheckpointInfo | undefined;
  await context.roots.update(async (root) => {
    const present = root.runs.get(run);
    if (
      info !== undefined &&
      present !== undefined &&
      (await context.catalogue.find(present, id)) !== undefined
    ) {
      return false;
    }
    if (present !== undefined || root.tags.has(run)) {
      throw new ThetalogError(
        'conflict',
        'run-exists',
        `"${run}" names a ${present ? 'run' : 'tag'} already.`,
        {
          object: run,
          hint: 'Choose another name for the fork.',
        },
      );
    }
    const { entry } = await resolveRef(context.catalogue, root, ref);
    const forked: CatalogueEntry = {
      ...entry,
      id,
      parent: entry.id,
      createdAt: context.environment.now(),
      storedBytes: 0,
    };
    await context.catalogue.append(root, run, forked, objects);
    info = describe(root, run, forked);
    return true;
  });
  if (info === undefined) throw new Error('the mutation did not run');
  return info;
}
