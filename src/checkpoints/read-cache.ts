/**
 * Manifests and indexes that were read of late. Objects never change and names are never used again, so nothing goes stale;
 * what gc took meanwhile shows when its packs are read.
 */
import type { CatalogueEntry } from '../format/index.js';
import type { ChunkIndex } from '../packs/index.js';
import { keptPart } from './kept-groups.js';
import { type LoadedManifest, loadIndex, loadManifest, type MetadataSource } from './manifest-store.js';

/** Chunk ids and encodings kept in all, about 300 bytes each: 20 MB, or the last checkpoint, whatever its size. */
const ENTRIES_MAX = 2 ** 16;

interface Kept<Value> {
  value: Promise<Value>;
  entries: number;
}

export class ReadCache {
  private readonly source: MetadataSource;
  private readonly manifests = new RecentlyUsed<LoadedManifest>(ENTRIES_MAX / 2);
  private readonly indexes = new RecentlyUsed<ChunkIndex>(ENTRIES_MAX / 2);

  constructor(source: MetadataSource) {
    this.source = source;
  }

  /** Returns what is left of a checkpoint; the caller must not change it. */
  async checkpoint({ manifest, droppedGroups }: CatalogueEntry): Promise<LoadedManifest> {
    return keptPart(await this.manifest(manifest), droppedGroups);
  }

  /** Returns a checkpoint as it was saved, though some of it may be gone; the caller must not change it. */
  manifest(name: string): Promise<LoadedManifest> {
    const idsOf = ({ content }: LoadedManifest): number =>
      content.streams.reduce((sum, { ids }) => sum + ids.length, 1);
    return this.manifests.get(name, () => loadManifest(this.source, name), idsOf);
  }

  /** Returns the index of a checkpoint; the caller must not change it. */
  index({ manifest, index }: Pick<LoadedManifest, 'manifest' | 'index'>): Promise<ChunkIndex> {
    if (index !== undefined) return Promise.resolve(index);
    const load = (): Promise<ChunkIndex> => loadIndex(this.source, manifest.segments);
    return this.indexes.get(manifest.segments.join(' '), load, (index) => index.size);
  }
}

/** Values by name, those used last first to stay; the one just asked for stays however large it is. */
class RecentlyUsed<Value> {
  private readonly entriesMax: number;
  private readonly kept = new Map<string, Kept<Value>>();
  private entries = 0;

  constructor(entriesMax: number) {
    this.entriesMax = entriesMax;
  }

  async get(name: string, load: () => Promise<Value>, entriesOf: (value: Value) => number): Promise<Value> {
    const present = this.kept.get(name);
    if (present !== undefined) {
      this.kept.delete(name);
      this.kept.set(name, present);
      return present.value;
    }
    const loading: Kept<Value> = { value: load(), entries: 0 };
    this.kept.set(name, loading);
    try {
      const value = await loading.value;
      loading.entries = entriesOf(value);
      this.entries += loading.entries;
      this.dropOldest(loading);
      return value;
    } catch (error) {
      this.kept.delete(name);
      throw error;
    }
  }

  private dropOldest(newest: Kept<Value>): void {
    for (const [name, kept] of this.kept) {
      if (this.entries <= this.entriesMax) break;
      if (kept === newest) continue;
      this.kept.delete(name);
      this.entries -= kept.entries;
    }
  }
}
