/**
 * What a watch has taken in, known from the store alone: the notes of each checkpoint name the entry that it was made of and the version
 * of its files. Nothing beside the store could disagree with it, whenever the process is killed.
 */
import { type StoreContext, withFreshRoot } from '../checkpoints/index.js';
import type { CatalogueEntry, Root } from '../format/index.js';
import type { FolderCheckpoint } from './checkpoint-folder.js';

/** Notes of checkpoints. */
const SOURCE = 'watch.source';
const VERSION = 'watch.version';

export class WatchLedger {
  /** Ids by version, by entry, oldest first. */
  private readonly ids = new Map<string, Map<string, string>>();
  private readonly unverified = new Set<string>();
  /** Id of the newest checkpoint that was seen: those before are known. */
  private newest: string | undefined;

  /** Reads what a run has. */
  static async read(context: StoreContext, run: string): Promise<WatchLedger> {
    const ledger = new WatchLedger();
    await ledger.update(context, run);
    return ledger;
  }

  /** Takes in what the run has got since, from whomever. */
  async update(context: StoreContext, run: string): Promise<void> {
    await withFreshRoot(context, (root) => this.updateFrom(context, root, run));
  }

  /** The same for a root that was read. */
  async updateFrom({ catalogue }: StoreContext, root: Root, run: string): Promise<void> {
    const found: CatalogueEntry[] = [];
    const record = root.runs.get(run);
    for await (const entry of record === undefined ? [] : catalogue.newestFirst(record)) {
      if (entry.id === this.newest) break;
      found.push(entry);
    }
    for (const { id, meta } of found.reverse()) {
      this.newest = id;
      if (meta[SOURCE] === undefined || meta[VERSION] === undefined) continue;
      this.add({ name: meta[SOURCE], version: meta[VERSION] }, id);
      // Whoever stored it may have been killed before it was read back; those before were.
      this.unverified.clear();
      this.unverified.add(id);
    }
  }

  /** Returns the notes of a checkpoint that is about to be stored. */
  static notesOf({ name, version }: FolderCheckpoint): Record<string, string> {
    return { [SOURCE]: name, [VERSION]: version };
  }

  /** Takes in a checkpoint that was added to a root from which this was updated. */
  stored(checkpoint: FolderCheckpoint, id: string): void {
    this.newest = id;
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
