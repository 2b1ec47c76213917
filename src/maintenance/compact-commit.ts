/** Publishes a compaction: merged index segments, manifests that name them, and a root that points at those. */
import { assertStillThere, rewriteManifest, type StoreContext } from '../checkpoints/index.js';
import {
  type CatalogueEntry,
  type ChunkEntry,
  encodeSegment,
  objectKey,
  type Root,
} from '../format/index.js';
import type { ChunkId } from '../hash/index.js';
import type { ObjectWriter } from '../packs/index.js';
import { closureOf, isSame, maxHeight } from './live-encodings.js';
import { objectsOf, type ResolvedCheckpoint } from './live-store.js';

/** Entries in a merged index segment: about 3 MiB. */
const SEGMENT_ENTRIES = 65_536;

/** Writes merged segments and new manifests, then points the catalogue at them. */
export async function publishCompaction(
  context: StoreContext,
  objects: ObjectWriter,
  begun: Root,
  checkpoints: readonly ResolvedCheckpoint[],
  needed: ReadonlyMap<ChunkId, ChunkEntry>,
): Promise<void> {
  const moved = new Map<string, { from: string; to: string; height: number }>();
  for (const run of new Set(checkpoints.map((checkpoint) => checkpoint.run))) {
    const ofRun = checkpoints.filter((checkpoint) => checkpoint.run === run);
    const closures = ofRun.map(({ loaded }) =>
      closureOf(
        loaded.content.streams.flatMap(({ ids }) => ids),
        needed,
      ),
    );
    if (ofRun.every(({ closure }, at) => isSame(closure, closures[at]))) continue;
    const segments = await writeSegments(context, objects, closures);
    for (const [at, checkpoint] of ofRun.entries()) {
      const used = new Set([...closures[at].keys()].map((id) => segments.get(id) ?? ''));
      const { name, manifest, bodyOffset } = checkpoint.loaded;
      const to = await rewriteManifest(context, objects, { name, manifest, bodyOffset }, [...used]);
      moved.set(checkpoint.entry.id, { from: name, to, height: maxHeight(closures[at].values()) });
    }
  }
  const required = new Set(objects.keys);
  for (const checkpoint of checkpoints) {
    for (const key of objectsOf(checkpoint)) if (key.startsWith('manifests/')) required.add(key);
  }
  for (const entry of needed.values()) required.add(objectKey('packs', entry.pack));
  await publishManifests(context, objects, begun, required, (entry) => {
    const move = moved.get(entry.id);
    return move?.from === entry.manifest ? { manifest: move.to, height: move.height } : undefined;
  });
}

/**
 * Gives live checkpoints other manifests: `moveOf` says which, undefined for none. `required` are the keys that must be there
 * still if gc ran since the root `begun` was read; `CondemnedError` if one is not.
 */
export async function publishManifests(
  context: StoreContext,
  objects: ObjectWriter,
  begun: Root,
  required: ReadonlySet<string>,
  moveOf: (entry: CatalogueEntry) => Pick<CatalogueEntry, 'manifest' | 'height'> | undefined,
): Promise<void> {
  await context.roots.update(async (root) => {
    if (root.gcEpoch !== begun.gcEpoch) await assertStillThere(context, root, [...required]);
    let changed = false;
    for (const [run, record] of root.runs) {
      const entries = await context.catalogue.entries(record);
      const next = entries.map((entry): CatalogueEntry => {
        const move = moveOf(entry);
        return move === undefined ? entry : { ...entry, ...move };
      });
      if (next.every((entry, at) => entry === entries[at])) continue;
      root.runs.set(run, await context.catalogue.rewrite(run, next, objects));
      changed = true;
    }
    objects.mayBeLive ||= changed;
    return changed;
  });
}

/** Writes the entries of a run's checkpoints, each once, in order; returns the segment of each chunk. */
export async function writeSegments(
  context: StoreContext,
  objects: ObjectWriter,
  closures: readonly ReadonlyMap<ChunkId, ChunkEntry>[],
): Promise<Map<ChunkId, string>> {
  const segmentOf = new Map<ChunkId, string>();
  let open: ChunkEntry[] = [];
  let name = objects.newName();
  const close = async (): Promise<void> => {
    if (open.length === 0) return;
    await objects.put(objectKey('segments', name), [encodeSegment(context.hasher, open)]);
    open = [];
    name = objects.newName();
  };
  for (const closure of closures) {
    for (const [id, entry] of closure) {
      if (segmentOf.has(id)) continue;
      segmentOf.set(id, name);
      open.push(entry);
    }
    if (open.length >= SEGMENT_ENTRIES) await close();
  }
  await close();
  return segmentOf;
}
