/** Gives checkpoints that have lost chunks the encodings of these that a later save has stored again. */
import {
  CondemnedError,
  loadCheckpoint,
  loadManifest,
  readIndexSource,
  rewriteManifest,
  type StoreContext,
  sectionHolders,
  WriterLease,
} from '../checkpoints/index.js';
import { type CatalogueEntry, type ChunkEntry, entriesOf, objectKey, sourceKey } from '../format/index.js';
import { ChunkIndex, ObjectWriter } from '../packs/index.js';
import { publishManifests } from './compact-commit.js';
import { maxHeight } from './live-encodings.js';
import { lostChunks } from './lost-parts.js';
import { reachable, readSegment } from './segment-entries.js';

/**
 * Looks at all checkpoints of which an index names less than they need. One that gets whole with what resolves `saved`, too,
 * names its own segments and then those: heights only become lower, so what it resolved still decodes. Where gc or another
 * writer is in the way it leaves things as they are: `repair` does the same and more.
 */
export async function readoptChunks(context: StoreContext, saved: CatalogueEntry): Promise<void> {
  const objects = new ObjectWriter(context.storage, context.environment.randomHex(8));
  const lease = new WriterLease(context, objects);
  try {
    await lease.keep();
    await readopt(context, saved, objects);
  } catch (error) {
    if (!(error instanceof CondemnedError)) throw error;
  } finally {
    await lease.release();
  }
}

async function readopt(context: StoreContext, saved: CatalogueEntry, objects: ObjectWriter): Promise<void> {
  const begun = await context.roots.read();
  const { segments } = (await loadManifest(context, saved.manifest)).manifest;
  const moved = new Map<string, { from: string; next: CatalogueEntry }>();
  const required = new Set(segments.map(sourceKey));
  for (const record of begun.runs.values()) {
    for (const entry of await context.catalogue.entries(record)) {
      const next = await adopt(context, entry, segments, objects, required);
      if (next !== undefined) moved.set(entry.id, { from: entry.manifest, next });
    }
  }
  if (moved.size === 0) return;
  for (const key of objects.keys) required.add(key);
  await publishManifests(context, objects, begun, required, ({ id, manifest }) => {
    const move = moved.get(id);
    return move?.from === manifest ? { manifest: move.next.manifest, height: move.next.height } : undefined;
  });
}

/** Returns the entry of a checkpoint that further segments make whole; undefined if it is whole, or does not become so. */
async function adopt(
  context: StoreContext,
  entry: CatalogueEntry,
  segments: readonly string[],
  objects: ObjectWriter,
  required: Set<string>,
): Promise<CatalogueEntry | undefined> {
  const loaded = await loadCheckpoint(context, entry).catch(() => undefined);
  if (loaded === undefined) return undefined;
  const ids = loaded.content.streams.flatMap((stream) => stream.ids);
  const index = new ChunkIndex();
  const isWhole = (): boolean => {
    const get = index.get.bind(index);
    return !ids.some(lostChunks(get, () => true));
  };
  for (const source of loaded.manifest.segments) {
    const entries: ChunkEntry[] | undefined = await readSegment(context, source);
    if (entries === undefined) return undefined;
    index.add(source, entries);
  }
  if (isWhole()) return undefined;
  for (const source of segments) index.add(source, entriesOf(await readIndexSource(context, source)));
  if (!isWhole()) return undefined;
  const closure = reachable(ids, (id) => index.get(id));
  const order = [...new Set([...loaded.manifest.segments, ...segments])];
  const used = index.segmentsOf(closure.keys(), order);
  const manifest = await rewriteManifest(context, objects, loaded, used);
  for (const name of [loaded.name, ...sectionHolders(loaded.manifest)])
    required.add(objectKey('manifests', name));
  for (const { pack } of closure.values()) required.add(objectKey('packs', pack));
  for (const source of used) required.add(sourceKey(source));
  return { ...entry, manifest, height: maxHeight(closure.values()) };
}
