/**
 * What a watch has taken in, known from the store alone: the notes of each checkpoint name the entry that it was made of and the version
 * of its files. Nothing beside the store could disagree with it, whenever the process is killed.
 */
import {
  type CheckpointInfo,
  listCheckpoints,
  type StoreContext,
  withFreshRoot,
} from '../checkpoints/index.js';
import type { FolderCheckpoint } from './checkpoint-folder.js';

/** Notes of checkpoints. */
const SOURCE = 'watch.source';
const VERSION = 'watch.version';

export class WatchLedger {
  /** Ids by version, by entry, oldest first. */
  private readonly ids = new Map<string, Map<string, string>>();
  private readonly unverified = new Set<string>();

  /** Reads what a run has. */
  static async read(context: StoreContext, run: string): Promise<WatchLedger> {
    const ledger = new WatchLedger();
    const infos = await withFreshRoot(context, async (root): Promise<CheckpointInfo[]> => {
      return root.runs.has(run) ? listCheckpoints(context, root, { runs: [run] }) : [];
    });
    for (const { id, meta } of infos) {
      if (meta[SOURCE] === undefined || meta[VERSION] === undefined) continue;
      ledger.add({ name: meta[SOURCE], version: meta[VERSION] }, id);
      // Whoever stored it may have been killed before it was read back; those before were.
      ledger.unverified.clear();
      ledger.unverified.add(id);
    }
    return ledger;
  }

  /** Returns the notes of a checkpoint that is about to be stored. */
  static notesOf({ name, version }: FolderCheckpoint): Record<string, string> {
    return { [SOURCE]: name, [VERSION]: version };
  }

  stored(checkpoint: FolderCheckpoint, id: string): void {
    this.add(checkpoint, id);
    this.unverified.add(id);
  }

  /** Notes that a version has the content of a stored checkpoint. */
  add({ name, version }: Pick<FolderCheckpoint, 'name' | 'version'>, id: string): void {
    const versions = this.ids.get(name) ?? new Map<string, string>();
    versions.delete(version);
    this.ids.set(name, versions.set(version, id));
  }

  /** Returns the id of a checkpoint that is stored as it is. */
  idOf({ name, version }: FolderCheckpoint): string | undefined {
    return this.ids.get(name)?.get(version);
  }

  /** Returns the id of the checkpoint that was made of this entry last. */
  latestOf({ name }: FolderCheckpoint): string | undefined {
    return [...(this.ids.get(name)?.values() ?? [])].at(-1);
  }

  /** Returns whether a checkpoint may not have been read back. */
  isUnverified(id: string): boolean {
    return this.unverified.has(id);
  }

  verified(id: string): void {
    this.unverified.delete(id);
  }
}
