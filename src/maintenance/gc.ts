/**
 * Garbage collection without trusting clocks (FORMAT.md, "Collection"): unreferenced objects are condemned in the root
 * first, deleted after, and dropped from its list last. A writer that built on one of them finds another gcEpoch, looks,
 * and starts over; so no commit can refer to what is gone.
 */
import type { GcResult, OperationOptions, StoreContext } from '../checkpoints/index.js';
import { throwIfAborted } from '../errors.js';
import { attemptOf, OBJECT_KINDS, type Root } from '../format/index.js';
import type { StoredObject } from '../storage/index.js';
import { onFullDisk } from './full-disk.js';
import { readLeases } from './leases.js';
import { LiveStore, pagesOf } from './live-store.js';

interface Plan {
  condemned: StoredObject[];
  skipped: number;
  storedBytes: number;
}

/** Deletes what no live checkpoint needs; with `dryRun` only says what it would delete. */
export async function collectGarbage(
  context: StoreContext,
  options: OperationOptions & { dryRun?: boolean } = {},
): Promise<GcResult> {
  if (options.dryRun === true)
    return report(await planCollection(context, await context.roots.read(), options), true, 0);
  return onFullDisk(context, () => collect(context, options));
}

async function collect(context: StoreContext, options: OperationOptions): Promise<GcResult> {
  let plan: Plan = { condemned: [], skipped: 0, storedBytes: 0 };
  const { root } = await context.roots.update(async (current) => {
    plan = await planCollection(context, current, options);
    if (plan.condemned.length === 0) return false;
    current.condemned = [...new Set([...current.condemned, ...plan.condemned.map((object) => object.key)])];
    current.gcEpoch += 1;
    return true;
  });
  if (root.condemned.length === 0) return report(plan, false, 0);
  let freed = 0;
  for (const object of plan.condemned) {
    throwIfAborted(options.signal);
    await context.storage.delete(object.key);
    freed += object.size;
    options.onProgress?.({
      phase: 'gc',
      bytesRead: freed,
      bytesStored: 0,
      bytesTotal: bytesOf(plan.condemned),
    });
  }
  const deleted = new Set(root.condemned);
  await context.roots.update((current) => {
    const left = current.condemned.filter((key) => !deleted.has(key));
    const changed = left.length < current.condemned.length;
    current.condemned = left;
    return changed;
  });
  return report(plan, false, freed);
}

/**
 * Finds the objects that the root does not reach. Objects are listed before leases are read: whoever wrote a listed
 * object took its lease earlier, and if it has given it back since, it committed and this root is no longer current.
 * What is condemned already is deleted in any case: another collector may be about to, whatever this one thinks of the
 * lease, so it must not leave the list before it is gone.
 */
async function planCollection(context: StoreContext, root: Root, options: OperationOptions): Promise<Plan> {
  const objects: StoredObject[] = [];
  for await (const object of context.storage.list('')) objects.push(object);
  const { alive, expired } = await readLeases(context);
  const live = new LiveStore(context);
  const needed = new Set<string>(pagesOf(root));
  const checkpoints = await live.checkpoints(root);
  for (const key of await live.objects(checkpoints, options.signal)) needed.add(key);
  const doomed = new Set(root.condemned);
  const condemned: StoredObject[] = [];
  let skipped = 0;
  for (const object of objects) {
    if (needed.has(object.key) || !isCollectable(object.key, expired)) continue;
    const spared = alive.has(attemptOf(object.key) ?? '') && !doomed.has(object.key);
    if (spared) skipped += 1;
    else condemned.push(object);
  }
  return { condemned, skipped, storedBytes: bytesOf(objects) };
}

/** Only objects of known kinds with names of ours are ever deleted; leases only once they have run out. */
function isCollectable(key: string, expired: ReadonlySet<string>): boolean {
  if (attemptOf(key) === undefined) return false;
  if (key.startsWith('leases/')) return expired.has(key);
  return key.startsWith('tmp/') || OBJECT_KINDS.some((kind) => key.startsWith(`${kind}/`));
}

function bytesOf(objects: readonly StoredObject[]): number {
  return objects.reduce((sum, object) => sum + object.size, 0);
}

function report(plan: Plan, dryRun: boolean, freed: number): GcResult {
  const bytes = bytesOf(plan.condemned);
  const kinds = new Map<string, { kind: string; objects: number; bytes: number }>();
  for (const { key, size } of plan.condemned) {
    const kind = key.slice(0, key.indexOf('/'));
    const sum = kinds.get(kind) ?? { kind, objects: 0, bytes: 0 };
    kinds.set(kind, { kind, objects: sum.objects + 1, bytes: sum.bytes + size });
  }
  return {
    dryRun,
    objects: plan.condemned.length,
    bytes,
    skippedObjects: plan.skipped,
    storedBytesBefore: plan.storedBytes,
    storedBytesAfter: plan.storedBytes - (dryRun ? bytes : freed),
    kinds: [...kinds.values()].sort((a, b) => b.bytes - a.bytes),
  };
}
