/**
 * Reads and decodes stored records, each once: from the full encodings up along the chains, so that a base is in memory
 * when what is built on it is decoded. At most one chunk per link of the longest chain is held.
 */
import type { StoreContext } from '../checkpoints/index.js';
import { corrupt, isThetalogError, ThetalogError, throwIfAborted } from '../errors.js';
import { type ChunkEntry, objectKey } from '../format/index.js';
import type { ChunkId } from '../hash/index.js';
import { ChunkReader, readRecord } from '../packs/index.js';
import { asDamage } from './damage-log.js';

export interface RecordCheckOptions {
  /** Share of the records to decode, 0 to 100. Which ones depends on their chunk ids only. */
  percent: number;
  signal?: AbortSignal;
  /** Called for every record with its encoded and its decoded bytes. */
  onRecord: (encoded: number, decoded: number) => void;
  /** Called for every record that cannot be decoded to what its id says. */
  onFault: (entry: ChunkEntry, error: ThetalogError) => void;
}

/** Encodings, each once. */
interface Records {
  records(): Iterable<ChunkEntry>;
}

export class RecordCheck {
  /** Bytes that decoding will yield. */
  decodedBytes = 0;
  private readonly context: StoreContext;
  private readonly options: RecordCheckOptions;
  /** Records to look at, those of equal ids together. */
  private readonly chosen = new Map<ChunkId, ChunkEntry[]>();
  private readonly builtOn = new Map<ChunkId, ChunkEntry[]>();
  /** Reads what a record needs beside its base; siblings are mostly still in its cache. */
  private readonly siblings: ChunkReader;
  private readonly done = new Set<ChunkEntry>();
  /** Ids whose bytes were at hand when what is built on them was queued. */
  private readonly expanded = new Set<ChunkId>();

  constructor(context: StoreContext, needed: Records, options: RecordCheckOptions) {
    this.context = context;
    this.options = options;
    this.siblings = new ChunkReader(context, {
      get: (id) => lowestOf(this.chosen.get(id)),
    });
    this.choose(needed);
  }

  /** Decodes what was chosen, and hands what is wrong to `onFault`. */
  async run(): Promise<void> {
    const all = [...this.chosen.values()].flat();
    for (const entry of all) if (entry.references.length === 0) await this.climb(entry);
    for (const entry of all) if (!this.done.has(entry)) await this.readOnly(entry);
  }

  /** Chooses the sample, and everything that decoding it reads. */
  private choose(needed: Records): void {
    const byId = new Map<ChunkId, ChunkEntry[]>();
    for (const entry of needed.records()) byId.set(entry.id, [...(byId.get(entry.id) ?? []), entry]);
    const open = [...byId.keys()].filter((id) => isSampled(id, this.options.percent));
    for (let id = open.pop(); id !== undefined; id = open.pop()) {
      const entries = byId.get(id);
      if (entries === undefined || this.chosen.has(id)) continue;
      this.chosen.set(id, entries);
      for (const entry of entries) {
        this.decodedBytes += entry.rawLength;
        open.push(...entry.references);
        const [base] = entry.references;
        if (base !== undefined) this.builtOn.set(base, [...(this.builtOn.get(base) ?? []), entry]);
      }
    }
  }

  /** Decodes a full encoding and all that is built on it. */
  private async climb(start: ChunkEntry): Promise<void> {
    const open: { entry: ChunkEntry; base: Uint8Array | undefined }[] = [{ entry: start, base: undefined }];
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      const { entry, base } = next;
      this.done.add(entry);
      const raw = await this.decode(entry, base);
      if (raw === undefined || this.expanded.has(entry.id)) continue;
      this.expanded.add(entry.id);
      for (const above of this.builtOn.get(entry.id) ?? []) open.push({ entry: above, base: raw });
    }
  }

  private async decode(entry: ChunkEntry, base: Uint8Array | undefined): Promise<Uint8Array | undefined> {
    const { codec, hasher } = this.context;
    const object = objectKey('packs', entry.pack);
    const siblings = await this.readSiblings(entry);
    if (siblings === undefined) {
      await this.readOnly(entry);
      return undefined;
    }
    try {
      const record = await this.read(entry);
      const inputs = base === undefined ? [] : [base, ...siblings];
      const raw = codec.decode(record, entry.rawLength, inputs, object);
      if (hasher.chunkId(raw) === entry.id) return raw;
      throw corrupt('chunk-id', `decodes to other bytes than chunk ${entry.id}`, object, entry.offset);
    } catch (error) {
      this.options.onFault(entry, atRecord(asDamage(error), entry));
      return undefined;
    }
  }

  /** Returns the inputs beside the base; undefined if one is damaged, which is reported where that one is checked. */
  private async readSiblings(entry: ChunkEntry): Promise<Uint8Array[] | undefined> {
    const siblings: Uint8Array[] = [];
    try {
      for (const id of entry.references.slice(1)) siblings.push(await this.siblings.read(id));
      return siblings;
    } catch (error) {
      if (isThetalogError(error, 'corrupt', 'unsupported')) return undefined;
      throw error;
    }
  }

  /** Checks a record whose inputs cannot be had, as far as that goes. */
  private async readOnly(entry: ChunkEntry): Promise<void> {
    try {
      await this.read(entry);
    } catch (error) {
      this.options.onFault(entry, atRecord(asDamage(error), entry));
    }
  }

  private async read(entry: ChunkEntry): Promise<Uint8Array> {
    throwIfAborted(this.options.signal);
    const record = await readRecord(this.context.storage, this.context.hasher, entry);
    this.options.onRecord(record.length, entry.rawLength);
    return record;
  }
}

function lowestOf(entries: readonly ChunkEntry[] | undefined): ChunkEntry | undefined {
  return entries?.reduce((lowest, entry) => (entry.height < lowest.height ? entry : lowest));
}

/** Returns whether a chunk is in the sample of `percent`; larger samples contain the smaller ones. */
function isSampled(id: ChunkId, percent: number): boolean {
  return (Number.parseInt(id.slice(0, 8), 16) / 2 ** 32) * 100 < percent;
}

/** Codecs name offsets inside the record; a report names the record's place in its pack. */
function atRecord(error: ThetalogError, entry: ChunkEntry): ThetalogError {
  if (error.code === 'missing-object') return error;
  const object = objectKey('packs', entry.pack);
  return new ThetalogError(error.kind, error.code, error.message, {
    object,
    offset: entry.offset,
    cause: error,
  });
}
