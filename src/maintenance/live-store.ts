/**
 * What is live: the checkpoints in the catalogue, the objects they need, and the encodings that their chunks resolve to.
 * Catalogue entries are the roots; tags and pins only ever point at entries.
 */
import {
  type LoadedManifest,
  loadCheckpoint,
  loadIdPages,
  readIndexSource,
  type StoreContext,
  sectionHolders,
} from '../checkpoints/index.js';
import { throwIfAborted } from '../errors.js';
import {
  type CatalogueEntry,
  type ChunkEntry,
  encodeIdPages,
  entriesOf,
  type Manifest,
  objectKey,
  type Root,
  sourceKey,
} from '../format/index.js';
import type { ChunkId } from '../hash/index.js';
import { ChunkIndex } from '../packs/index.js';
import { EncodingTable } from './encoding-table.js';

export interface LiveCheckpoint {
  run: string;
  entry: CatalogueEntry;
}

/** A checkpoint with its manifest and the encodings it resolves to, bases included. */
export interface ResolvedCheckpoint extends LiveCheckpoint {
  loaded: LoadedManifest;
  closure: Map<ChunkId, ChunkEntry>;
}

/** Reads what checkpoints need, each segment once. */
export class LiveStore {
  private readonly context: StoreContext;
  private readonly segments = new Map<string, Promise<ChunkEntry[]>>();

  constructor(context: StoreContext) {
    this.context = context;
  }

  /** Returns all live checkpoints, run by run, oldest first. */
  async checkpoints(root: Root): Promise<LiveCheckpoint[]> {
    const live: LiveCheckpoint[] = [];
    for (const [run, record] of root.runs) {
      for (const entry of await this.context.catalogue.entries(record)) live.push({ run, entry });
    }
    return live;
  }

  /** Reads a checkpoint's manifest and resolves all its chunks that are left. */
  async resolve(checkpoint: LiveCheckpoint): Promise<ResolvedCheckpoint> {
    const loaded = await loadCheckpoint(this.context, checkpoint.entry);
    const index = new ChunkIndex();
    for (const name of loaded.manifest.segments) index.add(name, await this.segment(name));
    const ids = loaded.content.streams.flatMap((stream) => stream.ids);
    return { ...checkpoint, loaded, closure: index.closure(ids, objectKey('manifests', loaded.name)) };
  }

  /** Returns the keys of all objects that the checkpoints need, reading one of them after the other. */
  async objects(checkpoints: readonly LiveCheckpoint[], signal?: AbortSignal): Promise<Set<string>> {
    const table = new EncodingTable();
    const known = new Set<string>();
    const packs = new Set<string>();
    const keys = new Set<string>();
    for (const { entry } of checkpoints) {
      throwIfAborted(signal);
      const name = entry.manifest;
      const { manifest, idPages } = await this.idPages(entry);
      for (const holder of [name, ...sectionHolders(manifest)]) keys.add(objectKey('manifests', holder));
      for (const segment of manifest.segments) {
        keys.add(sourceKey(segment));
        if (known.has(segment)) continue;
        known.add(segment);
        table.add(segment, await readIndexSource(this.context, segment));
      }
      const key = objectKey('manifests', name);
      table.addPacks(packs, idPages, manifest.segments, key);
    }
    for (const pack of packs) keys.add(objectKey('packs', pack));
    return keys;
  }

  /** Which chunks are left of a checkpoint only its layout tells; without that, reading all ids is quicker. */
  private async idPages(entry: CatalogueEntry): Promise<{ manifest: Manifest; idPages: Uint8Array[] }> {
    if (entry.droppedGroups.length === 0) return loadIdPages(this.context, entry.manifest);
    const { manifest, content } = await loadCheckpoint(this.context, entry);
    return { manifest, idPages: encodeIdPages(content) };
  }

  private segment(name: string): Promise<ChunkEntry[]> {
    const present = this.segments.get(name);
    if (present !== undefined) return present;
    const reading = readIndexSource(this.context, name).then((tables) => [...entriesOf(tables)]);
    this.segments.set(name, reading);
    return reading;
  }
}

/** Returns the keys of the objects that a resolved checkpoint needs. */
export function objectsOf({ loaded, closure }: ResolvedCheckpoint): Set<string> {
  const keys = new Set<string>([objectKey('manifests', loaded.name)]);
  for (const name of sectionHolders(loaded.manifest)) keys.add(objectKey('manifests', name));
  for (const source of loaded.manifest.segments) keys.add(sourceKey(source));
  for (const entry of closure.values()) keys.add(objectKey('packs', entry.pack));
  return keys;
}

/** Returns the keys of the catalogue pages that a root refers to. */
export function pagesOf(root: Root): string[] {
  return [...root.runs.values()].flatMap((run) => run.pages.map((page) => objectKey('pages', page.name)));
}
