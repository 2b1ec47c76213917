/** What each checkpoint and each run takes of a store, and what would be free without it. */
import type {
  CheckpointSizes,
  OperationOptions,
  Sizes,
  StoreContext,
  StoreSizes,
} from '../checkpoints/index.js';
import { throwIfAborted } from '../errors.js';
import type { ChunkEntry } from '../format/index.js';
import { Inventory } from './inventory.js';
import { LiveStore, objectsOf } from './live-store.js';
import { NeededRecords } from './needed-records.js';

/** Who needs a thing: one owner by number, or several. */
const SHARED = -1;

class Owners<Thing> {
  private readonly owners = new Map<Thing, number>();

  add(thing: Thing, owner: number): void {
    const known = this.owners.get(thing);
    this.owners.set(thing, known === undefined || known === owner ? owner : SHARED);
  }

  /** Sums what each owner has for itself. */
  sums(count: number, bytesOf: (thing: Thing) => number): number[] {
    const sums = new Array<number>(count).fill(0);
    for (const [thing, owner] of this.owners) if (owner !== SHARED) sums[owner] += bytesOf(thing);
    return sums;
  }
}

/** What is needed by checkpoints, or by runs. */
class Needs {
  private readonly records = new Owners<ChunkEntry>();
  private readonly objects = new Owners<string>();

  add(owner: number, records: Iterable<ChunkEntry>, objects: Iterable<string>): void {
    for (const record of records) this.records.add(record, owner);
    for (const object of objects) this.objects.add(object, owner);
  }

  sums(count: number, sizeOf: (object: string) => number): { exclusive: number[]; reclaimable: number[] } {
    return {
      exclusive: this.records.sums(count, ({ length }) => length),
      reclaimable: this.objects.sums(count, sizeOf),
    };
  }
}

/**
 * Returns the sizes of all checkpoints and runs; `Sizes` says what each figure is. It holds every record that is needed in memory.
 * Throws `corrupt` where damage hides what is live.
 */
export async function storeSizes(
  context: StoreContext,
  { signal }: Pick<OperationOptions, 'signal'> = {},
): Promise<StoreSizes> {
  const root = await context.roots.read();
  const live = new LiveStore(context);
  const listed = await live.checkpoints(root);
  const runs = [...root.runs.keys()];
  const needed = new NeededRecords();
  const [ofCheckpoints, ofRuns] = [new Needs(), new Needs()];
  for (const [index, checkpoint] of listed.entries()) {
    throwIfAborted(signal);
    const resolved = await live.resolve(checkpoint);
    const records = [...resolved.closure.values()].map((entry) => {
      needed.add(entry);
      return needed.get(entry) ?? entry;
    });
    const objects = [...objectsOf(resolved)];
    ofCheckpoints.add(index, records, objects);
    ofRuns.add(runs.indexOf(checkpoint.run), records, objects);
  }
  const inventory = await Inventory.take(context.storage);
  const sizeOf = (object: string): number => inventory.size(object);
  const alone = ofCheckpoints.sums(listed.length, sizeOf);
  const checkpoints = listed.map(({ run, entry }, index): CheckpointSizes => {
    const { id, step, label, logicalBytes, storedBytes } = entry;
    return { id, run, step, label, ...sizesAt(alone, index, logicalBytes, storedBytes) };
  });
  const together = ofRuns.sums(runs.length, sizeOf);
  return {
    checkpoints,
    runs: runs.map((run, index) => {
      const own = checkpoints.filter((checkpoint) => checkpoint.run === run);
      const logical = own.reduce((sum, { logicalBytes }) => sum + logicalBytes, 0);
      const added = own.reduce((sum, { newBytes }) => sum + newBytes, 0);
      return { run, checkpoints: own.length, ...sizesAt(together, index, logical, added) };
    }),
  };
}

function sizesAt(
  { exclusive, reclaimable }: { exclusive: number[]; reclaimable: number[] },
  index: number,
  logicalBytes: number,
  newBytes: number,
): Sizes {
  return { logicalBytes, newBytes, exclusiveBytes: exclusive[index], reclaimableBytes: reclaimable[index] };
}
