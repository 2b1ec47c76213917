/**
 * The catalogue of a run: its live checkpoints in order of commit, in immutable pages. Appending merges pages as a
 * counter in base PAGE_FAN_OUT carries, so that a run of n checkpoints has O(log n) pages and a save writes O(log n)
 * entries on average.
 */
import { corrupt } from '../errors.js';
import {
  type CatalogueEntry,
  decodePage,
  encodePage,
  objectKey,
  type PageReference,
  type Root,
  type RunRecord,
} from '../format/index.js';
import type { Hasher } from '../hash/index.js';
import type { ObjectWriter } from '../packs/index.js';
import type { Storage } from '../storage/index.js';

const PAGE_FAN_OUT = 8;
/** Pages of this many entries are never merged again. */
const PAGE_ENTRIES_MAX = PAGE_FAN_OUT ** 4;
/** Decoded pages kept; pages never change. */
const CACHED_PAGES_MAX = 256;

export class Catalogue {
  private readonly storage: Storage;
  private readonly hasher: Hasher;
  private readonly cache = new Map<string, CatalogueEntry[]>();

  constructor(storage: Storage, hasher: Hasher) {
    this.storage = storage;
    this.hasher = hasher;
  }

  /** Yields a run's entries, newest first, reading pages as they are needed. */
  async *newestFirst(run: RunRecord): AsyncGenerator<CatalogueEntry> {
    for (const reference of [...run.pages].reverse()) {
      const entries = await this.page(reference.name);
      for (const entry of [...entries].reverse()) yield entry;
    }
  }

  /** Returns all entries of a run, oldest first. */
  async entries(run: RunRecord): Promise<CatalogueEntry[]> {
    const all: CatalogueEntry[] = [];
    for (const reference of run.pages) {
      for (const entry of await this.page(reference.name)) all.push(entry);
    }
    return all;
  }

  /** Returns the entry of a run with this id, or undefined. */
  async find(run: RunRecord, id: string): Promise<CatalogueEntry | undefined> {
    for await (const entry of this.newestFirst(run)) {
      if (entry.id === id) return entry;
    }
    return undefined;
  }

  /** Adds an entry to a run of the root, which is made if it is new; writes the page that holds it. */
  async append(root: Root, run: string, entry: CatalogueEntry, objects: ObjectWriter): Promise<void> {
    const pages: (PageReference & { merged?: CatalogueEntry[] })[] = [...(root.runs.get(run)?.pages ?? [])];
    pages.push({ name: '', count: 1, merged: [entry] });
    for (let tail = sameLevelTail(pages); tail >= PAGE_FAN_OUT; tail = sameLevelTail(pages)) {
      const merging = pages.splice(pages.length - tail);
      const parts = await Promise.all(merging.map((page) => page.merged ?? this.page(page.name)));
      pages.push({
        name: '',
        count: merging.reduce((sum, page) => sum + page.count, 0),
        merged: parts.flat(),
      });
    }
    const last = pages[pages.length - 1];
    pages[pages.length - 1] = await this.write(run, last.merged ?? [], objects);
    root.runs.set(run, { pages });
  }

  /** Writes a run's entries anew, as forget and compact do; an empty list leaves a run without pages. */
  async rewrite(run: string, entries: readonly CatalogueEntry[], objects: ObjectWriter): Promise<RunRecord> {
    const pages: PageReference[] = [];
    for (let start = 0; start < entries.length; start += PAGE_ENTRIES_MAX) {
      pages.push(await this.write(run, entries.slice(start, start + PAGE_ENTRIES_MAX), objects));
    }
    return { pages };
  }

  private async write(
    run: string,
    entries: readonly CatalogueEntry[],
    objects: ObjectWriter,
  ): Promise<PageReference> {
    const name = objects.newName();
    await objects.put(objectKey('pages', name), [encodePage(this.hasher, { name, run, entries })]);
    return { name, count: entries.length };
  }

  private async page(name: string): Promise<CatalogueEntry[]> {
    const cached = this.cache.get(name);
    if (cached !== undefined) return cached;
    const key = objectKey('pages', name);
    const bytes = await this.storage.get(key);
    if (bytes === undefined) throw corrupt('missing-object', 'is not in the store', key);
    const entries = [...decodePage(this.hasher, bytes, key).entries];
    if (this.cache.size >= CACHED_PAGES_MAX) this.cache.clear();
    this.cache.set(name, entries);
    return entries;
  }
}

/** Returns how many pages at the end have about as many entries as the last one. */
function sameLevelTail(pages: readonly PageReference[]): number {
  const level = levelOf(pages[pages.length - 1].count);
  if (level >= levelOf(PAGE_ENTRIES_MAX)) return 0;
  let tail = 0;
  while (tail < pages.length && levelOf(pages[pages.length - 1 - tail].count) === level) tail++;
  return tail;
}

function levelOf(count: number): number {
  let level = 0;
  for (let size = PAGE_FAN_OUT; size <= count; size *= PAGE_FAN_OUT) level++;
  return level;
}
