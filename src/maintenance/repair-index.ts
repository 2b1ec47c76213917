/** All encodings that a store still has of the chunks that its checkpoints need, wherever they are, and which of them are sound. */
import type { LoadedManifest, OperationOptions, StoreContext } from '../checkpoints/index.js';
import { throwIfAborted } from '../errors.js';
import {
  attemptOf,
  type ChunkEntry,
  checkPackHeader,
  objectKey,
  PACK_HEADER_BYTES,
} from '../format/index.js';
import type { ChunkId } from '../hash/index.js';
import { inDecodeOrder, type PackWriter, readRecord } from '../packs/index.js';
import { asDamage } from './damage-log.js';
import type { Inventory } from './inventory.js';
import { readPackTable } from './pack-check.js';
import { readSegment } from './segment-entries.js';
import { claimOf, SoundRecords } from './sound-records.js';

export class RepairIndex {
  /** Packs whose frame is damaged, or whose writer may yet fail and remove them: what is sound in them is moved. */
  readonly brokenPacks = new Set<string>();
  private readonly context: StoreContext;
  private readonly inventory: Inventory;
  private readonly options: OperationOptions;
  private readonly segments = new Map<string, ChunkEntry[] | undefined>();
  private readonly candidates = new Map<ChunkId, ChunkEntry[]>();
  private readonly chosen = new Map<ChunkId, ChunkEntry>();
  private sound: SoundRecords | undefined;

  constructor(context: StoreContext, inventory: Inventory, options: OperationOptions) {
    this.context = context;
    this.inventory = inventory;
    this.options = options;
  }

  /**
   * Reads the footers of all packs but those that gc is about to delete, the segments of the checkpoints, and every record that
   * any of these might need. `unfinished` are the attempts that hold a lease.
   */
  async read(
    checkpoints: readonly LoadedManifest[],
    condemned: ReadonlySet<string>,
    unfinished: ReadonlySet<string>,
  ): Promise<void> {
    const places = new Set<string>();
    const add = (entry: ChunkEntry): void => {
      if (places.has(claimOf(entry)) || condemned.has(objectKey('packs', entry.pack))) return;
      places.add(claimOf(entry));
      const known = this.candidates.get(entry.id);
      if (known === undefined) this.candidates.set(entry.id, [entry]);
      else known.push(entry);
    };
    for (const pack of this.inventory.names('packs'))
      if (!condemned.has(objectKey('packs', pack))) for (const entry of await this.readPack(pack)) add(entry);
    const committed = new Set<string>();
    for (const { manifest } of checkpoints) {
      for (const name of manifest.segments) {
        for (const entry of (await this.segment(name)) ?? []) {
          committed.add(entry.pack);
          add(entry);
        }
      }
    }
    for (const pack of this.inventory.names('packs'))
      if (!committed.has(pack) && unfinished.has(attemptOf(pack) ?? '')) this.brokenPacks.add(pack);
    const ids = checkpoints.flatMap(({ content }) => content.streams.flatMap((stream) => stream.ids));
    const needed = this.allFor(ids);
    this.sound = await SoundRecords.read(this.context, needed, 'repair', this.options);
    this.choose(needed.filter((entry) => this.isSound(entry)));
  }

  /** Records that were read, and those that are damaged. */
  get counts(): { records: number; damagedRecords: number } {
    return this.sound?.counts ?? { records: 0, damagedRecords: 0 };
  }

  /** Returns the entries of a segment, or undefined if it is damaged. */
  async segment(name: string): Promise<ChunkEntry[] | undefined> {
    if (!this.segments.has(name)) this.segments.set(name, await readSegment(this.context, name));
    return this.segments.get(name);
  }

  isSound(entry: ChunkEntry): boolean {
    return this.sound?.has(entry) === true;
  }

  /** Returns the encoding to use of a chunk; what it reads may be lost. */
  get(id: ChunkId): ChunkEntry | undefined {
    return this.chosen.get(id);
  }

  /** Copies what checkpoints are to use out of broken packs. Returns how many records that is; `packs` undefined: only that. */
  async moveRecords(used: Iterable<ChunkEntry>, packs: PackWriter | undefined): Promise<number> {
    const moving = new Set([...used].filter(({ pack }) => this.brokenPacks.has(pack)));
    for (const entry of packs === undefined ? [] : moving) {
      throwIfAborted(this.options.signal);
      const record = await readRecord(this.context.storage, this.context.hasher, entry);
      const moved = await packs?.append({ ...entry, record });
      if (moved !== undefined) this.chosen.set(entry.id, moved);
    }
    return moving.size;
  }

  /** Returns the entries of a pack's footer, or of its copy; none if both are damaged. */
  private async readPack(pack: string): Promise<ChunkEntry[]> {
    const { context, inventory, brokenPacks } = this;
    const object = objectKey('packs', pack);
    try {
      checkPackHeader(await inventory.read(object, { offset: 0, length: PACK_HEADER_BYTES }), object);
    } catch (error) {
      asDamage(error);
      brokenPacks.add(pack);
    }
    const { entries, faults } = await readPackTable(context, inventory, pack, object);
    if (faults.length > 0) brokenPacks.add(pack);
    return entries;
  }

  /** Returns every encoding of the chunks and of all that any of these reads. */
  private allFor(ids: Iterable<ChunkId>): ChunkEntry[] {
    const seen = new Set<ChunkId>();
    const all: ChunkEntry[] = [];
    const open = [...ids];
    for (let id = open.pop(); id !== undefined; id = open.pop()) {
      if (seen.has(id)) continue;
      seen.add(id);
      for (const entry of this.candidates.get(id) ?? []) {
        all.push(entry);
        for (const read of entry.references) open.push(read);
      }
    }
    return all;
  }

  /**
   * Chooses an encoding for each chunk: the lowest that can be decoded, since all it reads is chosen and lower; else the lowest
   * that could be if what it reads came back.
   */
  private choose(sound: ChunkEntry[]): void {
    const broken = ({ pack }: ChunkEntry): number => (this.brokenPacks.has(pack) ? 1 : 0);
    const ordered = sound.sort((a, b) => a.height - b.height || broken(a) - broken(b) || inDecodeOrder(a, b));
    for (const complete of [true, false]) {
      for (const entry of ordered) {
        if (this.chosen.has(entry.id)) continue;
        const heights = entry.references.map(
          (read) => this.chosen.get(read)?.height ?? (complete ? Number.POSITIVE_INFINITY : -1),
        );
        if (heights.every((height) => height < entry.height)) this.chosen.set(entry.id, entry);
      }
    }
  }
}
