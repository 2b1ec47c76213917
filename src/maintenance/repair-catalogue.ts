/** Reads root and catalogue as far as they are readable, and finds elsewhere in the store what they have lost. */
import { loadManifest, PLAIN_KEY, type StoreContext } from '../checkpoints/index.js';
import {
  type CatalogueEntry,
  decodeManifest,
  decodePage,
  emptyRoot,
  objectKey,
  type Root,
  streamBytes,
} from '../format/index.js';
import { asDamage } from './damage-log.js';
import type { Inventory } from './inventory.js';

/** The run of recovered checkpoints that may have been in any of several runs. */
const UNKNOWN_RUN = 'recovered';
const LABEL_DIGITS = 12;

interface FoundPage {
  name: string;
  run: string;
  entries: readonly CatalogueEntry[];
}

export class CatalogueRepair {
  /** Damaged pages that the root names. */
  readonly lostPages = new Set<string>();
  private readonly context: StoreContext;
  private readonly inventory: Inventory;
  private recovered: Map<string, CatalogueEntry[]> | undefined;
  private manifests: Map<string, string[]> | undefined;
  private pages: FoundPage[] | undefined;
  /** Whether the root was lost, so that no page is known to be the newest. */
  private rebuilt = false;
  /** Checkpoints of damaged pages: what is known of them may be old. */
  private readonly recoveredIds = new Set<string>();

  constructor(context: StoreContext, inventory: Inventory) {
    this.context = context;
    this.inventory = inventory;
  }

  /** Returns a root in the place of one that is damaged; it names every page there is, forgotten checkpoints included. */
  async rebuiltRoot(): Promise<Root> {
    const { environment } = this.context;
    this.rebuilt = true;
    const root = emptyRoot(environment.randomHex(8));
    // The lost root had smaller numbers: a writer that knew it must see that things have changed.
    root.generation = environment.now();
    root.gcEpoch = environment.now();
    for (const { name, run, entries } of await this.allPages()) {
      const record = root.runs.get(run) ?? { pages: [] };
      root.runs.set(run, record);
      record.pages.push({ name, count: entries.length });
    }
    return root;
  }

  /** Returns the entries of all runs of a root, oldest first; what damaged pages held is put together from elsewhere. */
  async runs(root: Root): Promise<Map<string, CatalogueEntry[]>> {
    const runs = new Map<string, CatalogueEntry[]>();
    const lost = new Set<string>();
    for (const [run, { pages }] of root.runs) {
      const byId = new Map<string, CatalogueEntry>();
      for (const { name } of pages) {
        const page = await this.readPage(name);
        if (page === undefined) {
          lost.add(run);
          this.lostPages.add(name);
        }
        for (const entry of page?.entries ?? []) this.addEntry(byId, entry);
      }
      runs.set(run, [...byId.values()]);
    }
    if (lost.size > 0) {
      this.recovered ??= await this.recover(runs, lost);
      for (const [run, entries] of this.recovered)
        runs.set(run, inOrder([...entries, ...(runs.get(run) ?? [])]));
    }
    return runs;
  }

  /** Returns the names of the manifests that were written for a checkpoint. */
  async manifestsOf(checkpoint: string): Promise<readonly string[]> {
    this.manifests ??= await this.readManifests();
    return this.manifests.get(checkpoint) ?? [];
  }

  /** Whether the newest page that told of a checkpoint may be lost: groups may have been dropped, and nothing says so. */
  mayBeOld(checkpoint: string): boolean {
    return this.rebuilt || this.recoveredIds.has(checkpoint);
  }

  /**
   * An older page may have an entry of the same checkpoint, with a manifest that is gone since compaction, or with groups that
   * were dropped since: what any page says was dropped stays so.
   */
  private addEntry(byId: Map<string, CatalogueEntry>, entry: CatalogueEntry): void {
    const other = byId.get(entry.id);
    const isThere = this.inventory.holds(objectKey('manifests', entry.manifest), 1);
    const chosen = isThere ? entry : (other ?? entry);
    const droppedGroups = [...new Set([...(other?.droppedGroups ?? []), ...entry.droppedGroups])];
    const isAll = droppedGroups.length === chosen.droppedGroups.length;
    byId.set(entry.id, isAll ? chosen : { ...chosen, droppedGroups });
  }

  private async readPage(name: string): Promise<FoundPage | undefined> {
    const key = objectKey('pages', name);
    try {
      return { ...decodePage(this.context.hasher, await this.inventory.read(key), key), name };
    } catch (error) {
      asDamage(error);
      return undefined;
    }
  }

  private async allPages(): Promise<FoundPage[]> {
    if (this.pages !== undefined) return this.pages;
    const pages: FoundPage[] = [];
    for (const name of this.inventory.names('pages')) {
      const page = await this.readPage(name);
      if (page !== undefined) pages.push(page);
    }
    this.pages = pages;
    return pages;
  }

  /** Looks for checkpoints that no readable page of the root has: in pages it no longer names, then among the manifests. */
  private async recover(
    runs: ReadonlyMap<string, readonly CatalogueEntry[]>,
    lost: ReadonlySet<string>,
  ): Promise<Map<string, CatalogueEntry[]>> {
    const known = new Set([...runs.values()].flatMap((entries) => entries.map(({ id }) => id)));
    const found = new Map<string, Map<string, CatalogueEntry>>();
    const add = (run: string, entry: CatalogueEntry): void => {
      if (known.has(entry.id)) return;
      const entries = found.get(run) ?? new Map<string, CatalogueEntry>();
      found.set(run, entries);
      this.recoveredIds.add(entry.id);
      this.addEntry(entries, entry);
    };
    for (const { run, entries } of await this.allPages())
      if (lost.has(run)) for (const entry of entries) add(run, entry);
    for (const entries of found.values()) for (const id of entries.keys()) known.add(id);
    const [first, ...others] = lost;
    this.manifests ??= await this.readManifests();
    for (const [id, names] of this.manifests) {
      if (known.has(id)) continue;
      for (const name of names) {
        const entry = await this.entryOf(id, name);
        if (entry !== undefined) add(others.length === 0 ? first : UNKNOWN_RUN, entry);
      }
    }
    return new Map([...found].map(([run, entries]) => [run, [...entries.values()]]));
  }

  private async readManifests(): Promise<Map<string, string[]>> {
    const manifests = new Map<string, string[]>();
    for (const name of this.inventory.names('manifests')) {
      const key = objectKey('manifests', name);
      try {
        const { manifest } = decodeManifest(this.context.hasher, await this.inventory.read(key), key);
        manifests.set(manifest.checkpoint, [...(manifests.get(manifest.checkpoint) ?? []), name]);
      } catch (error) {
        asDamage(error);
      }
    }
    return manifests;
  }

  /** Makes a catalogue entry of what a manifest says; step, metrics and time stood only in the page that is lost. */
  private async entryOf(id: string, manifest: string): Promise<CatalogueEntry | undefined> {
    try {
      const { layout } = await loadManifest(this.context, manifest);
      const isState = layout.streams.some(({ key }) => key === PLAIN_KEY);
      return {
        id,
        manifest,
        kind: isState ? 'state' : 'files',
        step: null,
        epoch: null,
        label: id.slice(0, LABEL_DIGITS),
        metrics: {},
        meta: {},
        parent: null,
        groups: [...new Set(layout.tensors.map(({ group }) => group))],
        createdAt: 0,
        logicalBytes: isState
          ? layout.streams.reduce((sum, stream) => sum + streamBytes(stream), 0)
          : layout.files.reduce((sum, { size }) => sum + size, 0),
        storedBytes: 0,
        height: 0,
        droppedGroups: [],
      };
    } catch (error) {
      asDamage(error);
      return undefined;
    }
  }
}

function inOrder(entries: CatalogueEntry[]): CatalogueEntry[] {
  return entries.sort((a, b) => a.createdAt - b.createdAt);
}
