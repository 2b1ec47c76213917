/** Counts and sizes of a store, or of one checkpoint in it. */
import { resolveRef, type StoreContext, type StoreStats } from '../checkpoints/index.js';
import {
  decodePackTrailer,
  objectKey,
  PACK_TRAILER_BYTES,
  placeOfSource,
  type Root,
} from '../format/index.js';
import { BLOCK_BYTES } from '../storage/index.js';
import { Inventory } from './inventory.js';
import { restoreFactor } from './live-encodings.js';
import { LiveStore, objectsOf, pagesOf, type ResolvedCheckpoint } from './live-store.js';
import { NeededRecords } from './needed-records.js';
import { readRecordsStart } from './pack-check.js';

/**
 * Returns the figures of the whole store, or with a ref of one checkpoint. Throws `not-found` for an unknown ref and
 * `corrupt` where damage hides what is live; `check` then says what is damaged.
 *
 * Of the store: `logicalBytes` sums over the live checkpoints, `storedBytes` over all physical objects.
 * `reclaimableBytes` are the objects that no live checkpoint refers to (those of a save under way count, too) and the
 * records in live packs that none needs; gc frees the former, compact and gc the latter. `chunks` counts the encodings
 * that live checkpoints resolve to, `packs` those that hold them, `maxHeight` is the longest delta chain,
 * `restoreFactor` that of the checkpoint that takes most to restore.
 *
 * Of a checkpoint: `storedBytes` are the records it needs, bases included, its manifest with the sections it shares, and
 * its index segments, though others may need them, too. `reclaimableBytes` are the records that it alone needs: what
 * forgetting it and compacting would free. The counts are those of the encodings it needs.
 */
export async function storeStats(context: StoreContext, ref: string | undefined): Promise<StoreStats> {
  const root = await context.roots.read();
  return ref === undefined ? wholeStore(context, root) : oneCheckpoint(context, root, ref);
}

async function wholeStore(context: StoreContext, root: Root): Promise<StoreStats> {
  const inventory = await Inventory.take(context.storage);
  const live = new LiveStore(context);
  const needed = new NeededRecords();
  let worst = 1;
  const objects = new Set(pagesOf(root));
  const checkpoints = await live.checkpoints(root);
  for (const checkpoint of checkpoints) {
    const resolved = await live.resolve(checkpoint);
    for (const key of objectsOf(resolved)) objects.add(key);
    for (const entry of resolved.closure.values()) needed.add(entry);
    worst = Math.max(worst, restoreFactor(resolved, resolved.closure));
  }
  let reclaimableBytes = 0;
  for (const { size } of inventory.unreferenced(objects)) reclaimableBytes += size;
  for (const pack of needed.packNames())
    reclaimableBytes += (await recordBytes(inventory, pack)) - needed.bytes(pack);
  return {
    checkpoints: checkpoints.length,
    logicalBytes: checkpoints.reduce((sum, { entry }) => sum + entry.logicalBytes, 0),
    storedBytes: inventory.totalBytes,
    reclaimableBytes,
    ...countsOf(needed),
    restoreFactor: worst,
  };
}

/** Returns the bytes of all records in a pack, needed or not. */
async function recordBytes(inventory: Inventory, pack: string): Promise<number> {
  const object = objectKey('packs', pack);
  const size = inventory.size(object);
  const trailer = await inventory.read(object, {
    offset: Math.max(0, size - PACK_TRAILER_BYTES),
    length: PACK_TRAILER_BYTES,
  });
  const { offset } = decodePackTrailer(trailer, size, object);
  const copyEnd = await readRecordsStart(inventory, object);
  if (copyEnd >= offset) return 0;
  const [first] = await inventory.read(object, { offset: copyEnd, length: 1 });
  // No record begins with a zero: those are in front of the first one.
  return first === 0 ? offset - Math.ceil(copyEnd / BLOCK_BYTES) * BLOCK_BYTES : offset - copyEnd;
}

async function oneCheckpoint(context: StoreContext, root: Root, ref: string): Promise<StoreStats> {
  const located = await resolveRef(context.catalogue, root, ref);
  const live = new LiveStore(context);
  const own = await live.resolve(located);
  const needed = new NeededRecords();
  for (const entry of own.closure.values()) needed.add(entry);
  const storedBytes = needed.bytes() + (await metadataBytes(context, own));
  const alone = new Set(needed.records());
  for (const other of await live.checkpoints(root)) {
    if (other.entry.id === located.entry.id) continue;
    for (const entry of (await live.resolve(other)).closure.values()) {
      const shared = needed.get(entry);
      if (shared !== undefined) alone.delete(shared);
    }
  }
  return {
    checkpoints: 1,
    logicalBytes: located.entry.logicalBytes,
    storedBytes,
    reclaimableBytes: [...alone].reduce((sum, entry) => sum + entry.length, 0),
    ...countsOf(needed),
    restoreFactor: restoreFactor(own, own.closure),
  };
}

/** Returns the bytes of a checkpoint's manifest, of its sections in other manifests and of its index. */
async function metadataBytes(context: StoreContext, { loaded }: ResolvedCheckpoint): Promise<number> {
  const { layout, facts, idPages, segments } = loaded.manifest;
  const inventory = await Inventory.take(context.storage);
  const shared = [layout, facts, ...idPages].filter((section) => section.object !== '');
  return (
    inventory.size(objectKey('manifests', loaded.name)) +
    shared.reduce((sum, section) => sum + section.length, 0) +
    segments.reduce((sum, source) => {
      const { key, range } = placeOfSource(source, 'a manifest');
      return sum + (range?.length ?? inventory.size(key));
    }, 0)
  );
}

function countsOf(needed: NeededRecords): Pick<StoreStats, 'chunks' | 'packs' | 'maxHeight'> {
  let maxHeight = 0;
  for (const entry of needed.records()) maxHeight = Math.max(maxHeight, entry.height);
  return { chunks: needed.size, packs: needed.packNames().length, maxHeight };
}
