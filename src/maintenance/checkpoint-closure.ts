/**
 * Resolves a checkpoint for `check`: like restoring does, from the catalogue entry to every encoding it reads, but going on
 * after damage, so that whatever else can be reached is reached.
 */

import { toHex } from '../bytes/index.js';
import { keptPart, type StoreContext } from '../checkpoints/index.js';
import { corrupt, type ThetalogError } from '../errors.js';
import {
  type CatalogueEntry,
  type ChunkEntry,
  chunkLengths,
  decodeContent,
  decodeLayout,
  decodeManifest,
  decodeSource,
  entriesOf,
  isObjectName,
  limits,
  type Manifest,
  type ObjectKind,
  type OpenedManifest,
  objectKey,
  openSection,
  placeOfSource,
  type SectionReference,
} from '../format/index.js';
import type { ChunkId } from '../hash/index.js';
import { ChunkIndex } from '../packs/index.js';
import { asDamage, type DamageLog, type Dependent } from './damage-log.js';
import type { Inventory } from './inventory.js';
import type { LiveCheckpoint } from './live-store.js';
import type { Description } from './lost-parts.js';
import { withRemedy } from './pack-check.js';

/** What could be found of a checkpoint. */
export interface FoundCheckpoint {
  /** The encodings that it needs. */
  needed: Set<ChunkEntry>;
  index: ChunkIndex;
  /** Undefined if damage hides what the checkpoint consists of. */
  description: Description | undefined;
}

export class ClosureCheck {
  private readonly context: StoreContext;
  private readonly inventory: Inventory;
  private readonly log: DamageLog;
  private readonly segments = new Map<string, ChunkEntry[] | ThetalogError>();

  constructor(context: StoreContext, inventory: Inventory, log: DamageLog) {
    this.context = context;
    this.inventory = inventory;
    this.log = log;
  }

  /** Yields the entries of all segments read so far. */
  *entries(): Generator<ChunkEntry> {
    for (const entries of this.segments.values()) if (Array.isArray(entries)) yield* entries;
  }

  /**
   * Returns the encodings that a checkpoint needs, as far as they can be found, and puts all damage on the way on record.
   * Calling it again finds the same.
   */
  async resolve(checkpoint: LiveCheckpoint): Promise<FoundCheckpoint> {
    const dependents = [dependentOf(checkpoint)];
    const name = checkpoint.entry.manifest;
    const opened = await this.log.guard(dependents, () => this.readHead(name));
    const index = new ChunkIndex();
    if (opened === undefined) return { needed: new Set(), index, description: undefined };
    let indexWhole = true;
    for (const segment of opened.manifest.segments) {
      const entries = await this.segment(segment);
      if (Array.isArray(entries)) index.add(segment, entries);
      else {
        indexWhole = false;
        this.log.record(entries, dependents);
      }
    }
    const { ids, description } = await this.checkContent(checkpoint.entry, opened, index, dependents);
    const { needed, faults } = close(ids, index, objectKey('manifests', name));
    for (const fault of faults) {
      if (indexWhole || fault.code !== 'missing-chunk') this.log.record(fault, dependents);
    }
    return { needed, index, description };
  }

  private async readHead(name: string): Promise<OpenedManifest> {
    const key = keyOf('manifests', name, 'the catalogue');
    return decodeManifest(this.context.hasher, await this.inventory.read(key), key);
  }

  /** Reads all sections and checks that they fit each other and the index; returns the chunk ids that are readable. */
  private async checkContent(
    { manifest: name, droppedGroups }: CatalogueEntry,
    opened: OpenedManifest,
    index: ChunkIndex,
    dependents: readonly Dependent[],
  ): Promise<{ ids: ChunkId[]; description: Description | undefined }> {
    const { manifest } = opened;
    const read = (section: SectionReference): Promise<Uint8Array | undefined> =>
      this.log.guard(dependents, () => this.readSection(name, opened, section));
    const layoutBytes = await read(manifest.layout);
    const facts = await read(manifest.facts);
    const pages: Uint8Array[] = [];
    for (const section of manifest.idPages) {
      const page = await read(section);
      if (page !== undefined) pages.push(page);
    }
    const isWhole =
      layoutBytes !== undefined && facts !== undefined && pages.length === manifest.idPages.length;
    const described = isWhole
      ? await this.log.guard(dependents, () => this.describe(name, manifest, { layoutBytes, facts, pages }))
      : undefined;
    const description = described && keptPart(described, droppedGroups);
    if (description !== undefined)
      await this.log.guard(dependents, () => this.checkLengths(name, description, index));
    const isAllKept = droppedGroups.length === 0;
    const kept = description?.content.streams.flatMap((stream) => stream.ids) ?? [];
    return { ids: isAllKept ? pages.flatMap(idsOf) : kept, description };
  }

  private async readSection(
    name: string,
    { bodyOffset }: OpenedManifest,
    section: SectionReference,
  ): Promise<Uint8Array> {
    const own = section.object === '';
    const key = keyOf('manifests', own ? name : section.object, objectKey('manifests', name));
    const placed = own ? { ...section, offset: bodyOffset + section.offset } : section;
    const stored = await this.inventory.read(key, { offset: placed.offset, length: placed.length });
    return openSection(this.context.hasher, placed, stored, key);
  }

  private describe(
    name: string,
    { unpacked }: Manifest,
    { layoutBytes, facts, pages }: { layoutBytes: Uint8Array; facts: Uint8Array; pages: Uint8Array[] },
  ): Description {
    const key = objectKey('manifests', name);
    const layout = decodeLayout(layoutBytes, key, unpacked);
    const content = decodeContent(layout, this.context.config.chunkElements, facts, pages, key);
    return { layout, content };
  }

  private checkLengths(name: string, { layout, content }: Description, index: ChunkIndex): void {
    const key = objectKey('manifests', name);
    const { chunkElements } = this.context.config;
    layout.streams.forEach((stream, at) => {
      const { ids } = content.streams[at];
      chunkLengths(stream, content.streams[at], chunkElements).forEach((length, position) => {
        const entry = index.get(ids[position]);
        if (entry === undefined || entry.rawLength === length) return;
        const message = `chunk ${entry.id} should have ${length} bytes, its index entry says ${entry.rawLength}`;
        throw corrupt('chunk-length', message, key);
      });
    });
  }

  private async segment(name: string): Promise<ChunkEntry[] | ThetalogError> {
    const present = this.segments.get(name);
    if (present !== undefined) return present;
    const read = await this.readSegment(name).catch(asDamage);
    this.segments.set(name, read);
    return read;
  }

  private async readSegment(name: string): Promise<ChunkEntry[]> {
    const { key, range } = placeOfSource(name, 'a manifest');
    try {
      const bytes = await this.inventory.read(key, range);
      return [...entriesOf(decodeSource(this.context.hasher, name, bytes))];
    } catch (error) {
      if (range === undefined) throw error;
      throw await withRemedy(this.context, this.inventory, key.slice('packs/'.length), asDamage(error));
    }
  }
}

/** Returns how damage reports name a live checkpoint. */
export function dependentOf({ run, entry }: LiveCheckpoint): Dependent {
  return { id: entry.id, run, step: entry.step };
}

/** Returns the key of an object; a name that none of ours can have is damage of whoever refers to it. */
export function keyOf(kind: ObjectKind, name: string, referrer: string): string {
  if (!isObjectName(name)) throw corrupt('bad-name', `refers to an impossible name in ${kind}`, referrer);
  return objectKey(kind, name);
}

/** Follows chunks to all that they read; `object` is named as the one that refers to what is missing. */
function close(
  ids: readonly ChunkId[],
  index: ChunkIndex,
  object: string,
): { needed: Set<ChunkEntry>; faults: ThetalogError[] } {
  const needed = new Set<ChunkEntry>();
  const faults: ThetalogError[] = [];
  const open = [...ids];
  for (let id = open.pop(); id !== undefined; id = open.pop()) {
    const entry = index.get(id);
    if (entry === undefined) {
      faults.push(corrupt('missing-chunk', `needs chunk ${id}, which no index segment has`, object));
      continue;
    }
    if (needed.has(entry)) continue;
    needed.add(entry);
    for (const reference of entry.references) {
      const height = index.get(reference)?.height;
      if (height !== undefined && height >= entry.height) {
        const message = `chunk ${id} reads chunk ${reference}, which is not lower`;
        faults.push(corrupt('height-order', message, object));
      }
      open.push(reference);
    }
  }
  return { needed, faults };
}

function idsOf(page: Uint8Array): ChunkId[] {
  const count = Math.floor(page.length / limits.CHUNK_ID_BYTES);
  return Array.from({ length: count }, (_, index) => {
    const start = index * limits.CHUNK_ID_BYTES;
    return toHex(page, start, start + limits.CHUNK_ID_BYTES) as ChunkId;
  });
}
