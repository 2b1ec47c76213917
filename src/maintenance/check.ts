/**
 * Checks a store: first that everything the root reaches is there and fits together, then, if asked, that stored records
 * decode to the chunks they are named after. Nothing is written.
 */
import type { CheckReport, DamagedCheckpoint, OperationOptions, StoreContext } from '../checkpoints/index.js';
import { corrupt, ThetalogError, throwIfAborted } from '../errors.js';
import {
  type CatalogueEntry,
  type ChunkEntry,
  CONFIG_KEY,
  decodePage,
  decodeStoreConfig,
  objectKey,
  type PageReference,
  ROOT_KEY,
  type Root,
} from '../format/index.js';
import { ClosureCheck, dependentOf, keyOf } from './checkpoint-closure.js';
import { asDamage, DamageLog, type Dependent } from './damage-log.js';
import { Inventory } from './inventory.js';
import type { LiveCheckpoint } from './live-store.js';
import { damagedCheckpoint, lostChunks } from './lost-parts.js';
import { NeededRecords } from './needed-records.js';
import { checkPack, type PackFaults } from './pack-check.js';
import { RecordCheck } from './record-check.js';

export interface CheckOptions extends OperationOptions {
  /** Share of the needed records to read and decode, above 0 and up to 100 percent; default: none. */
  readData?: number;
}

/** Times a check starts over because gc took what it was looking at. */
const RESTARTS_MAX = 3;

/**
 * Checks a store and reports all damage, each fault once, with the live checkpoints that depend on the damaged object:
 * those that name it, and those that need a record in it, also as a base of another one. Damage never ends the check;
 * failures of the storage (`unavailable`) and aborts do.
 *
 * Without `readData` only metadata is read, pack footers included. With it, the records of the sampled chunks and of
 * their bases are verified against their checksums and chunk ids; the sample depends on chunk ids only, so the same store
 * gives the same sample. Digests of whole files are not computed: they follow from the chunks, and restoring checks them.
 *
 * With a damaged root no checkpoint is known, with a damaged page not those in it, tagged and pinned ones apart.
 * `unreferenced` is 0 where damage hides what is referred to.
 */
export async function checkStore(context: StoreContext, options: CheckOptions): Promise<CheckReport> {
  const { readData } = options;
  if (readData !== undefined && !(readData > 0 && readData <= 100)) {
    throw new ThetalogError(
      'invalid',
      'bad-percentage',
      'A check reads more than 0 and at most 100 percent.',
      {
        object: 'readData',
      },
    );
  }
  for (let restart = 0; ; restart++) {
    const check = new StoreCheck(context, options);
    const report = await check.run();
    if (restart >= RESTARTS_MAX || !(await check.wasOvertaken())) return report;
  }
}

class StoreCheck {
  private readonly context: StoreContext;
  private readonly options: CheckOptions;
  private readonly log = new DamageLog();
  private readonly needed = new NeededRecords();
  private readonly faults = new Map<string, PackFaults>();
  private gcEpoch: number | undefined;
  private bytesRead = 0;
  private decodedBytes = 0;
  private bytesToDecode = 0;

  constructor(context: StoreContext, options: CheckOptions) {
    this.context = context;
    this.options = options;
  }

  async run(): Promise<CheckReport> {
    const root = await this.log.guard([], () => this.context.roots.read());
    this.gcEpoch = root?.gcEpoch;
    const inventory = await Inventory.take(this.context.storage);
    const checkpoints = root === undefined ? [] : await this.readCatalogue(root, inventory);
    await this.checkConfig(inventory, checkpoints.map(dependentOf));
    const closures = new ClosureCheck(this.context, inventory, this.log);
    for (const checkpoint of checkpoints) {
      this.report();
      for (const entry of (await closures.resolve(checkpoint)).needed) this.needed.add(entry);
    }
    const metadataWhole = this.log.report().length === 0;
    await this.checkPacks(inventory, closures);
    if (this.options.readData !== undefined) await this.checkRecords(this.options.readData);
    if (this.faults.size > 0) await this.attributeFaults(closures, checkpoints);
    const damagedCheckpoints = await this.damagedOnes(inventory, closures, checkpoints);
    const unreferenced = metadataWhole ? [...inventory.unreferenced(inventory.seen)].length : 0;
    return {
      checkpoints: checkpoints.length,
      objects: inventory.seen.size + (root === undefined ? 0 : 1),
      chunks: this.needed.size,
      bytesRead: this.bytesRead,
      damaged: this.log.report(),
      damagedCheckpoints,
      unreferenced,
    };
  }

  /** Returns whether something seemed missing only because gc ran meanwhile. */
  async wasOvertaken(): Promise<boolean> {
    if (this.gcEpoch === undefined || !this.log.has('missing-object')) return false;
    return (await this.context.roots.read()).gcEpoch !== this.gcEpoch;
  }

  private async checkConfig(inventory: Inventory, everyone: readonly Dependent[]): Promise<void> {
    await this.log.guard(everyone, async () => {
      const { id, chunkElements } = decodeStoreConfig(
        this.context.hasher,
        await inventory.read(CONFIG_KEY),
        CONFIG_KEY,
      );
      const { config } = this.context;
      if (id !== config.id || chunkElements !== config.chunkElements)
        throw corrupt('config-changed', 'is not what it was when the store was opened', CONFIG_KEY);
    });
  }

  private async readCatalogue(root: Root, inventory: Inventory): Promise<LiveCheckpoint[]> {
    const checkpoints: LiveCheckpoint[] = [];
    const lost: { run: string; error: ThetalogError }[] = [];
    for (const [run, { pages }] of root.runs) {
      for (const page of pages) {
        try {
          for (const entry of await this.readPage(page, inventory)) checkpoints.push({ run, entry });
        } catch (error) {
          lost.push({ run, error: asDamage(error) });
        }
      }
    }
    const present = new Set(checkpoints.map(({ entry }) => entry.id));
    const marks = [...root.tags.values(), ...root.pins];
    const unknown = marks.filter((mark) => !present.has(mark.id)).map((mark) => ({ ...mark, step: null }));
    for (const { run, error } of lost) {
      this.log.record(
        error,
        unknown.filter((mark) => mark.run === run),
      );
    }
    const dangling = unknown.filter((mark) => !lost.some(({ run }) => run === mark.run));
    if (dangling.length > 0)
      this.log.record(corrupt('dangling-mark', 'marks checkpoints that no page has', ROOT_KEY), dangling);
    return checkpoints;
  }

  private async readPage(page: PageReference, inventory: Inventory): Promise<readonly CatalogueEntry[]> {
    const key = keyOf('pages', page.name, ROOT_KEY);
    const { entries } = decodePage(this.context.hasher, await inventory.read(key), key);
    if (entries.length !== page.count)
      throw corrupt('bad-count', `has ${entries.length} entries, the root says ${page.count}`, key);
    return entries;
  }

  private async checkPacks(inventory: Inventory, closures: ClosureCheck): Promise<void> {
    const claimed = new Map<string, ChunkEntry[]>(this.needed.packNames().map((pack) => [pack, []]));
    for (const entry of closures.entries()) claimed.get(entry.pack)?.push(entry);
    for (const [pack, entries] of claimed) {
      this.report();
      const faults = await checkPack(this.context, inventory, pack, entries);
      if (faults.whole.length + faults.records.length > 0) this.faults.set(pack, faults);
      for (const error of faults.whole) this.log.record(error, []);
      for (const { error } of faults.records) this.log.record(error, []);
    }
  }

  private async checkRecords(percent: number): Promise<void> {
    const check = new RecordCheck(this.context, this.needed, {
      percent,
      signal: this.options.signal,
      onRecord: (encoded, decoded) => {
        this.bytesRead += encoded;
        this.decodedBytes += decoded;
        this.report();
      },
      onFault: (entry, error) => {
        const faults = this.faults.get(entry.pack) ?? { whole: [], records: [] };
        this.faults.set(entry.pack, faults);
        faults.records.push({ offset: entry.offset, error });
        this.log.record(error, []);
      },
    });
    this.bytesToDecode = check.decodedBytes;
    await check.run();
  }

  /** Finds out whom faults of packs and records concern, which needs every closure again: none is kept. */
  private async attributeFaults(
    closures: ClosureCheck,
    checkpoints: readonly LiveCheckpoint[],
  ): Promise<void> {
    for (const checkpoint of checkpoints) {
      this.report();
      const dependents = [dependentOf(checkpoint)];
      const offsets = new Map<string, Set<number>>();
      for (const { pack, offset } of (await closures.resolve(checkpoint)).needed) {
        if (!this.faults.has(pack)) continue;
        const used = offsets.get(pack) ?? new Set<number>();
        offsets.set(pack, used.add(offset));
      }
      for (const [pack, used] of offsets) {
        const faults = this.faults.get(pack);
        for (const error of faults?.whole ?? []) this.log.record(error, dependents);
        for (const { offset, error } of faults?.records ?? [])
          if (used.has(offset)) this.log.record(error, dependents);
      }
    }
  }

  /** Says of each checkpoint that damage concerns what is left of it. */
  private async damagedOnes(
    inventory: Inventory,
    closures: ClosureCheck,
    checkpoints: readonly LiveCheckpoint[],
  ): Promise<DamagedCheckpoint[]> {
    const concerned = new Set(this.log.report().flatMap((damage) => damage.checkpoints.map(({ id }) => id)));
    const isSound = ({ pack, offset, length }: ChunkEntry): boolean =>
      inventory.holds(objectKey('packs', pack), offset + length) &&
      this.faults.get(pack)?.records.some((fault) => fault.offset === offset) !== true;
    const damaged: DamagedCheckpoint[] = [];
    for (const checkpoint of checkpoints) {
      if (!concerned.has(checkpoint.entry.id)) continue;
      this.report();
      const { index, description } = await closures.resolve(checkpoint);
      const isLost = lostChunks((id) => index.get(id), isSound);
      damaged.push(damagedCheckpoint(this.context, checkpoint, description, isLost));
    }
    return damaged;
  }

  private report(): void {
    throwIfAborted(this.options.signal);
    this.options.onProgress?.({
      phase: 'check',
      bytesRead: this.decodedBytes,
      bytesStored: 0,
      bytesTotal: this.bytesToDecode,
    });
  }
}
