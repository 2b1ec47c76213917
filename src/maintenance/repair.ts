/**
 * Repair: finds for each checkpoint that damage concerns the encodings that are sound, wherever they are in the store, and
 * writes an index and a manifest that name them. What is damaged is in no index any more, so the next save of the same content
 * stores it again. Catalogue pages and the root are put together anew where they are damaged. Nothing is deleted; until the
 * root is replaced, by compare-and-set, nothing has changed.
 */
import {
  assertStillThere,
  CondemnedError,
  type DamagedCheckpoint,
  keptPart,
  type LoadedManifest,
  loadCheckpoint,
  type RepairedCheckpoint,
  type RepairOptions,
  type RepairResult,
  rewriteManifest,
  type StoreContext,
  sectionHolders,
  WriterLease,
} from '../checkpoints/index.js';
import { isThetalogError, ThetalogError, throwIfAborted } from '../errors.js';
import { attemptOf, type CatalogueEntry, type ChunkEntry, objectKey, type Root } from '../format/index.js';
import type { ChunkId } from '../hash/index.js';
import { ChunkIndex, ObjectWriter, PackWriter } from '../packs/index.js';
import { writeSegments } from './compact-commit.js';
import { asDamage } from './damage-log.js';
import { Inventory } from './inventory.js';
import { readLeases } from './leases.js';
import { isSame, maxHeight } from './live-encodings.js';
import type { LiveCheckpoint } from './live-store.js';
import { damagedCheckpoint, isAnythingLost, lostChunks } from './lost-parts.js';
import { CatalogueRepair } from './repair-catalogue.js';
import { RepairIndex } from './repair-index.js';
import { reachable } from './segment-entries.js';

const RESTARTS_MAX = 3;

/** Repairs a store; with `dryRun` finds the same and writes nothing. */
export async function repairStore(context: StoreContext, options: RepairOptions = {}): Promise<RepairResult> {
  for (let restart = 0; ; restart++) {
    const objects = new ObjectWriter(context.storage, context.environment.randomHex(8));
    const lease = new WriterLease(context, objects);
    try {
      if (options.dryRun !== true) await lease.keep();
      return await new Repair(context, options, objects, lease).perform();
    } catch (error) {
      await objects.discard();
      const collected = collectedBy(error);
      if (collected === undefined) throw error;
      if (restart >= RESTARTS_MAX) throw collected.asConflict();
    } finally {
      await lease.release();
    }
  }
}

/** What was collected or removed by its writer since it was found, so that the repair must start over. */
function collectedBy(error: unknown): CondemnedError | undefined {
  if (error instanceof CondemnedError) return error;
  if (!isThetalogError(error, 'corrupt') || error.code !== 'missing-object') return undefined;
  return new CondemnedError(error.object ?? '');
}

/** A checkpoint, and what could be read of it. */
interface Patient extends LiveCheckpoint {
  loaded: LoadedManifest | undefined;
}

/** What the catalogue is to say of a checkpoint. */
type Change = { from: string } & ({ drop: true } | ({ drop: false } & Kept));
type Kept = Pick<CatalogueEntry, 'manifest' | 'height' | 'droppedGroups'>;

class Repair {
  private readonly context: StoreContext;
  private readonly options: RepairOptions;
  private readonly objects: ObjectWriter;
  private readonly lease: WriterLease;
  private readonly outcomes: RepairedCheckpoint[] = [];
  private readonly changes = new Map<string, Change>();
  /** Checkpoints that need another index. */
  private readonly reindexed: (Patient & { loaded: LoadedManifest })[] = [];
  private readonly required = new Set<string>();
  /** Of the root that was found, unless it was damaged: objects go missing by gc only after another. */
  private gcEpoch: number | undefined;

  constructor(context: StoreContext, options: RepairOptions, objects: ObjectWriter, lease: WriterLease) {
    this.context = context;
    this.options = options;
    this.objects = objects;
    this.lease = lease;
  }

  async perform(): Promise<RepairResult> {
    const { context, options } = this;
    // The root first: all that it names is in a later list of objects, unless gc ran.
    const found = await this.readRoot();
    this.gcEpoch = found?.gcEpoch;
    const inventory = await Inventory.take(context.storage);
    const { alive, expired } = await readLeases(context);
    const unfinished = new Set([...alive, ...[...expired].map((key) => attemptOf(key) ?? '')]);
    const catalogue = new CatalogueRepair(context, inventory);
    const root = found ?? (await catalogue.rebuiltRoot());
    const rebuilt = found === undefined;
    const patients = await this.examine(catalogue, root);
    const index = new RepairIndex(context, inventory, {
      signal: options.signal,
      onProgress: options.onProgress,
    });
    const readable = patients.flatMap(({ loaded }) => (loaded === undefined ? [] : [loaded]));
    await index.read(readable, new Set(root.condemned), unfinished);
    for (const patient of patients) await this.assess(patient, index, catalogue.mayBeOld(patient.entry.id));
    const unhealed = this.outcomes.find(({ outcome }) => outcome !== 'healed');
    if (unhealed !== undefined && (await this.isOvertaken())) throw new CondemnedError(unhealed.id);
    const used = this.reindexed.flatMap(({ loaded }) => [...closure(loaded, index).values()]);
    const dryRun = options.dryRun === true;
    const packs = new PackWriter(context.hasher, this.objects);
    const movedRecords = await index.moveRecords(used, dryRun ? undefined : packs);
    const result = {
      dryRun,
      rootRebuilt: rebuilt,
      pagesRebuilt: catalogue.lostPages.size,
      ...index.counts,
      movedRecords,
      reindexed: this.reindexed.length,
      checkpoints: this.outcomes,
    };
    if (dryRun) return result;
    await packs.finish();
    await this.writeIndexes(index);
    await this.publish(catalogue, root, rebuilt);
    return result;
  }

  /** Whether something may be missing only because gc ran meanwhile. */
  private async isOvertaken(): Promise<boolean> {
    if (this.gcEpoch === undefined) return false;
    return (await this.context.roots.read()).gcEpoch !== this.gcEpoch;
  }

  /** Undefined if the root is damaged. */
  private async readRoot(): Promise<Root | undefined> {
    try {
      return await this.context.roots.read();
    } catch (error) {
      asDamage(error);
      return undefined;
    }
  }

  /** Reads the manifests of all checkpoints; where one is damaged, another one that was written for it. */
  private async examine(catalogue: CatalogueRepair, root: Root): Promise<Patient[]> {
    const patients: Patient[] = [];
    for (const [run, entries] of await catalogue.runs(root)) {
      for (const entry of entries) {
        throwIfAborted(this.options.signal);
        let loaded = await this.load(entry);
        for (const manifest of loaded === undefined ? await catalogue.manifestsOf(entry.id) : [])
          loaded ??= await this.load({ ...entry, manifest });
        patients.push({ run, entry, loaded });
      }
    }
    return patients;
  }

  private async load(entry: CatalogueEntry): Promise<LoadedManifest | undefined> {
    try {
      return await loadCheckpoint(this.context, entry);
    } catch (error) {
      asDamage(error);
      return undefined;
    }
  }

  /** Decides what becomes of a checkpoint. */
  private async assess(patient: Patient, index: RepairIndex, mayBeOld: boolean): Promise<void> {
    throwIfAborted(this.options.signal);
    if (this.options.dryRun !== true) await this.lease.keep();
    const { loaded, entry } = patient;
    if (loaded !== undefined && (await isIntact(loaded, index)) && loaded.name === entry.manifest) return;
    const isLost = lostChunks(
      (id) => index.get(id),
      (found) => index.isSound(found),
    );
    const found = damagedCheckpoint(this.context, patient, loaded, isLost);
    const healed = found.readable && !isAnythingLost(found.lost);
    const left = healed || loaded === undefined || !mayBeOld ? undefined : leftOf(loaded, index, isLost);
    if (left !== undefined) return this.reduce({ ...patient, loaded: left }, found, index);
    const dropped = !healed && this.options.dropDamaged === true;
    this.outcomes.push({ ...found, outcome: healed ? 'healed' : dropped ? 'dropped' : 'kept' });
    if (dropped) this.changes.set(entry.id, { from: entry.manifest, drop: true });
    else if (loaded !== undefined && (await this.needsIndex(loaded, entry, index)))
      this.reindexed.push({ ...patient, loaded });
  }

  /** Keeps what is left of a checkpoint as one whose other groups retention has dropped. */
  private async reduce(
    { run, entry, loaded }: Patient & { loaded: LoadedManifest },
    found: DamagedCheckpoint,
    index: RepairIndex,
  ): Promise<void> {
    this.outcomes.push({ ...found, outcome: 'reduced' });
    const { manifest, height } = entry;
    const droppedGroups = [...entry.droppedGroups, ...(loaded.dropped?.groups ?? [])];
    if (await this.needsIndex(loaded, entry, index))
      this.reindexed.push({ run, entry: { ...entry, droppedGroups }, loaded });
    else this.changes.set(entry.id, { from: manifest, drop: false, manifest, height, droppedGroups });
  }

  /** Whether another index would say anything else: what repair did before, it does not do again. */
  private async needsIndex(
    loaded: LoadedManifest,
    entry: CatalogueEntry,
    index: RepairIndex,
  ): Promise<boolean> {
    if (loaded.name !== entry.manifest) return true;
    const present = await currentIndex(loaded, index);
    if (present === undefined) return true;
    const ids = loaded.content.streams.flatMap((stream) => stream.ids);
    const wanted = closure(loaded, index);
    if ([...wanted.values()].some(({ pack }) => index.brokenPacks.has(pack))) return true;
    return !isSame(
      reachable(ids, (id) => present.get(id)),
      new Map([...wanted].map(([id, one]) => [id, sameRecord(present.get(id), one)])),
    );
  }

  private async writeIndexes(index: RepairIndex): Promise<void> {
    const { context, objects } = this;
    const closures = this.reindexed.map(({ loaded }) => closure(loaded, index));
    const segments = await writeSegments(context, objects, closures);
    for (const [at, { loaded, entry }] of this.reindexed.entries()) {
      const used = new Set([...closures[at].keys()].map((id) => segments.get(id) ?? ''));
      const manifest = await rewriteManifest(context, objects, loaded, [...used]);
      const height = maxHeight(closures[at].values());
      const { manifest: from, droppedGroups } = entry;
      this.changes.set(entry.id, { from, drop: false, manifest, height, droppedGroups });
      for (const name of [loaded.name, ...sectionHolders(loaded.manifest)])
        this.required.add(objectKey('manifests', name));
      for (const { pack } of closures[at].values()) this.required.add(objectKey('packs', pack));
    }
    for (const key of objects.keys) this.required.add(key);
  }

  private async publish(catalogue: CatalogueRepair, begun: Root, rebuilt: boolean): Promise<void> {
    const { context, objects } = this;
    if (!rebuilt && this.changes.size === 0 && catalogue.lostPages.size === 0) return;
    if (rebuilt) {
      await this.change(catalogue, begun, true);
      objects.mayBeLive = true;
      if (await context.roots.replaceDamaged(begun)) return;
      const hint = 'Run repair again to look at the root that is there now.';
      throw new ThetalogError('conflict', 'root-changed', 'The root was replaced meanwhile.', { hint });
    }
    await context.roots.update(async (root) => {
      if (root.gcEpoch !== begun.gcEpoch) await assertStillThere(context, root, [...this.required]);
      const changed = await this.change(catalogue, root, false);
      objects.mayBeLive ||= changed;
      return changed;
    });
  }

  /** Changes a root; returns whether there was anything to change. */
  private async change(catalogue: CatalogueRepair, root: Root, all: boolean): Promise<boolean> {
    const { context, objects } = this;
    let changed = false;
    for (const [run, entries] of await catalogue.runs(root)) {
      const pages = root.runs.get(run)?.pages ?? [];
      const next = entries.flatMap((entry) => this.entryAfter(entry));
      const isDamaged = pages.some(({ name }) => catalogue.lostPages.has(name));
      const isEqual = next.length === entries.length && next.every((entry, at) => entry === entries[at]);
      if (!all && !isDamaged && isEqual && root.runs.has(run)) continue;
      changed = true;
      if (next.length === 0) root.runs.delete(run);
      else root.runs.set(run, await context.catalogue.rewrite(run, next, objects));
    }
    const isDropped = (id: string): boolean => this.changes.get(id)?.drop === true;
    for (const [name, { id }] of root.tags) if (isDropped(id)) root.tags.delete(name);
    root.pins = root.pins.filter(({ id }) => !isDropped(id));
    return changed;
  }

  private entryAfter(entry: CatalogueEntry): CatalogueEntry[] {
    const change = this.changes.get(entry.id);
    if (change === undefined || change.from !== entry.manifest) return [entry];
    if (change.drop) return [];
    const { manifest, height, droppedGroups } = change;
    return [{ ...entry, manifest, height, droppedGroups }];
  }
}

/** Returns what a checkpoint's chunks and their bases are to be decoded from. */
function closure({ content }: LoadedManifest, index: RepairIndex): Map<ChunkId, ChunkEntry> {
  return reachable(
    content.streams.flatMap(({ ids }) => ids),
    (id) => index.get(id),
  );
}

/**
 * Returns a checkpoint without the groups of which nothing is there any more, if that leaves something and all of it is sound.
 * What kept chunks are decoded from does not count: it stays when a group is dropped. Where some chunk of a group is there,
 * damage cannot be told from a group that was dropped, and the chunk may be worth something.
 */
function leftOf(
  loaded: LoadedManifest,
  index: RepairIndex,
  isLost: (id: ChunkId) => boolean,
): LoadedManifest | undefined {
  const groups = [...new Set(loaded.layout.tensors.map(({ group }) => group))];
  const gone = groups.filter((group) => {
    const kept = keptPart(loaded, [group]);
    const needed = closure(kept, index);
    const own = loaded.content.streams.flatMap(({ ids }, at) => {
      return kept.content.streams[at].ids.length === 0 ? ids.filter((id) => !needed.has(id)) : [];
    });
    return own.length > 0 && own.every(isLost);
  });
  if (gone.length === 0 || gone.length === groups.length) return undefined;
  const left = keptPart(loaded, gone);
  return left.content.streams.some(({ ids }) => ids.some(isLost)) ? undefined : left;
}

/** Returns the index that a checkpoint has; undefined if a segment of it is damaged. */
async function currentIndex(
  { manifest }: LoadedManifest,
  index: RepairIndex,
): Promise<ChunkIndex | undefined> {
  const present = new ChunkIndex();
  for (const name of manifest.segments) {
    const entries = await index.segment(name);
    if (entries === undefined) return undefined;
    present.add(name, entries);
  }
  return present;
}

/** Whether a checkpoint can be restored as it is, from packs that are sound. */
async function isIntact(loaded: LoadedManifest, index: RepairIndex): Promise<boolean> {
  const present = await currentIndex(loaded, index);
  if (present === undefined) return false;
  const isLost = lostChunks(
    (id) => present.get(id),
    (entry) => index.isSound(entry) && !index.brokenPacks.has(entry.pack),
  );
  return !loaded.content.streams.some(({ ids }) => ids.some(isLost));
}

/** Returns the entry that is present if it is of the same record as the one that is wanted, else that one. */
function sameRecord(present: ChunkEntry | undefined, wanted: ChunkEntry): ChunkEntry {
  return present?.pack === wanted.pack && present.offset === wanted.offset ? present : wanted;
}
