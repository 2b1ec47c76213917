/**
 * Compaction: chunks that were encoded on checkpoints since forgotten are encoded on live ones, packs with dead bytes are
 * rewritten, and index segments are merged. Decoded bytes never change, no encoding gets higher than the one it replaces,
 * and the live bytes never grow. What is left behind is gc's.
 */
import {
  assertStillThere,
  type CompactResult,
  CondemnedError,
  type OperationOptions,
  rewriteManifest,
  type StoreContext,
  WriterLease,
} from '../checkpoints/index.js';
import { ThetalogError, throwIfAborted } from '../errors.js';
import {
  type CatalogueEntry,
  type ChunkEntry,
  encodeSegment,
  objectKey,
  type Root,
} from '../format/index.js';
import type { ChunkId } from '../hash/index.js';
import { ChunkReader, ObjectWriter, PackWriter, readRecord } from '../packs/index.js';
import { findLineages, ghostsBelow, groupByGhosts } from './compact-plan.js';
import {
  closureOf,
  contentIds,
  distinctEncodings,
  isSame,
  liveBytes,
  lowestEncodings,
  maxHeight,
  neededEncodings,
  trueHeights,
} from './live-encodings.js';
import { LiveStore, objectsOf, type ResolvedCheckpoint } from './live-store.js';
import { reencodeGroup } from './reencode.js';
import { packsToRewrite } from './repack.js';

/** Entries in a merged index segment: about 3 MiB. */
const SEGMENT_ENTRIES = 65_536;
const RESTARTS_MAX = 3;

export interface CompactOptions extends OperationOptions {
  /** Only chunks of this run are encoded anew or moved. Default: all runs. */
  run?: string;
  dryRun?: boolean;
}

/** Compacts the store; with `dryRun` decides the same and writes nothing. */
export async function compactStore(
  context: StoreContext,
  options: CompactOptions = {},
): Promise<CompactResult> {
  for (let restart = 0; ; restart++) {
    const objects = new ObjectWriter(context.storage, context.environment.randomHex(8));
    const lease = new WriterLease(context, objects);
    try {
      return await new Compaction(context, options, objects, lease).perform();
    } catch (error) {
      if (!(error instanceof CondemnedError)) throw error;
      if (restart >= RESTARTS_MAX) throw error.asConflict();
    } finally {
      await lease.release();
    }
  }
}

class Compaction {
  private readonly context: StoreContext;
  private readonly options: CompactOptions;
  private readonly objects: ObjectWriter;
  private readonly lease: WriterLease;
  private readonly packs: PackWriter;
  private bytesDone = 0;

  constructor(context: StoreContext, options: CompactOptions, objects: ObjectWriter, lease: WriterLease) {
    this.context = context;
    this.options = options;
    this.objects = objects;
    this.lease = lease;
    this.packs = new PackWriter(context.hasher, objects);
  }

  async perform(): Promise<CompactResult> {
    const { context, options } = this;
    if (options.dryRun !== true) await this.lease.keep();
    const root = await context.roots.read();
    if (options.run !== undefined && !root.runs.has(options.run)) {
      throw new ThetalogError('not-found', 'no-such-run', `There is no run "${options.run}".`, {
        object: options.run,
      });
    }
    const live = new LiveStore(context);
    const checkpoints: ResolvedCheckpoint[] = [];
    for (const checkpoint of await live.checkpoints(root)) checkpoints.push(await live.resolve(checkpoint));
    const before = lowestEncodings(checkpoints);
    const scope = checkpoints.filter(({ run }) => options.run === undefined || run === options.run);
    const encodings = new Map(before);
    const chunksEncoded = await this.encodeAnew(scope, checkpoints, encodings);
    const needed = neededEncodings(checkpoints, encodings);
    const chunksCopied = await this.repack(scope, needed);
    const result = {
      dryRun: options.dryRun === true,
      checkpoints: checkpoints.length,
      chunksEncoded,
      chunksCopied,
      maxHeightBefore: maxHeight(before.values()),
      maxHeightAfter: maxHeight(needed.values()),
      liveBytesBefore: liveBytes(distinctEncodings(checkpoints)),
      liveBytesAfter: liveBytes(needed.values()),
    };
    if (
      result.dryRun ||
      (chunksEncoded + chunksCopied === 0 && result.liveBytesAfter === result.liveBytesBefore)
    ) {
      return result;
    }
    await this.packs.finish();
    await this.publish(root, checkpoints, needed);
    return result;
  }

  /** Encodes chunks on live ones where that makes the store smaller; replaces them in `encodings`. */
  private async encodeAnew(
    scope: readonly ResolvedCheckpoint[],
    checkpoints: readonly ResolvedCheckpoint[],
    encodings: Map<ChunkId, ChunkEntry>,
  ): Promise<number> {
    const { context } = this;
    const content = contentIds(checkpoints);
    const lineages = findLineages(scope);
    const ghostsOf = lineages.map((lineage) => {
      const ghosts = new Set<ChunkId>();
      for (const { id } of lineage.versions)
        for (const ghost of ghostsBelow(id, encodings, content)) ghosts.add(ghost);
      return ghosts;
    });
    const elsewhere = new Set<ChunkId>();
    for (const checkpoint of checkpoints) {
      if (scope.includes(checkpoint)) continue;
      for (const id of checkpoint.closure.keys()) elsewhere.add(id);
    }
    const index = { get: (id: ChunkId) => encodings.get(id) };
    const old = new Map(encodings);
    const reader = new ChunkReader(context, {
      get: (id) => old.get(id),
    });
    let count = 0;
    for (const group of groupByGhosts(ghostsOf, (ghost) => elsewhere.has(ghost))) {
      throwIfAborted(this.options.signal);
      const members = group.lineages.map((at) => lineages[at]);
      const records = await reencodeGroup(context.codec, reader, index, members, content, group.ghosts);
      for (const record of records) {
        const entry = this.options.dryRun === true ? planned(record) : await this.packs.append(record);
        encodings.set(record.id, entry);
        await this.report(record.rawLength);
      }
      count += records.length;
    }
    return count;
  }

  /** Copies what is live out of packs that are mostly dead, small, or of chains that got shorter; replaces it in `needed`. */
  private async repack(
    scope: readonly ResolvedCheckpoint[],
    needed: Map<ChunkId, ChunkEntry>,
  ): Promise<number> {
    const { context } = this;
    const own = new Set(this.packs.entries.map((entry) => entry.pack));
    const touched = new Set<string>();
    for (const { closure } of scope) for (const entry of closure.values()) touched.add(entry.pack);
    const doomed = await packsToRewrite(context.storage, needed.values(), touched);
    const lowest = trueHeights(needed, needed);
    for (const [id, { pack, height }] of needed)
      if (touched.has(pack) && lowest.get(id) !== height) doomed.add(pack);
    const moving = new Map([...needed].filter(([, { pack }]) => doomed.has(pack) && !own.has(pack)));
    const heights = trueHeights(moving, needed);
    for (const [id, entry] of moving) {
      throwIfAborted(this.options.signal);
      const height = heights.get(id) ?? entry.height;
      if (this.options.dryRun === true) {
        needed.set(id, { ...entry, height });
        continue;
      }
      const record = await readRecord(context.storage, context.hasher, entry);
      needed.set(id, await this.packs.append({ ...entry, record, height }));
      await this.report(entry.rawLength);
    }
    return moving.size;
  }

  /** Writes merged segments and new manifests, then points the catalogue at them. */
  private async publish(
    begun: Root,
    checkpoints: readonly ResolvedCheckpoint[],
    needed: ReadonlyMap<ChunkId, ChunkEntry>,
  ): Promise<void> {
    const { context, objects } = this;
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
      const segments = await this.writeSegments(closures);
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
    await context.roots.update(async (root) => {
      if (root.gcEpoch !== begun.gcEpoch) await assertStillThere(context, root, [...required]);
      let changed = false;
      for (const [run, record] of root.runs) {
        const entries = await context.catalogue.entries(record);
        const next = entries.map((entry): CatalogueEntry => {
          const move = moved.get(entry.id);
          return move?.from === entry.manifest ? { ...entry, manifest: move.to, height: move.height } : entry;
        });
        if (next.every((entry, at) => entry === entries[at])) continue;
        root.runs.set(run, await context.catalogue.rewrite(run, next, objects));
        changed = true;
      }
      return changed;
    });
  }

  /** Writes the entries of a run's checkpoints, each once, in order; returns the segment of each chunk. */
  private async writeSegments(
    closures: readonly ReadonlyMap<ChunkId, ChunkEntry>[],
  ): Promise<Map<ChunkId, string>> {
    const { context, objects } = this;
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

  private async report(bytes: number): Promise<void> {
    this.bytesDone += bytes;
    if (this.options.dryRun !== true) await this.lease.keep();
    const { bytes: bytesStored } = this.objects;
    this.options.onProgress?.({ phase: 'compact', bytesRead: this.bytesDone, bytesStored, bytesTotal: 0 });
  }
}

function planned(
  record: { id: ChunkId; record: Uint8Array } & Omit<ChunkEntry, 'pack' | 'offset' | 'length' | 'checksum'>,
): ChunkEntry {
  const { id, rawLength, height, references } = record;
  return {
    id,
    pack: 'planned',
    offset: 0,
    length: record.record.length,
    rawLength,
    height,
    references,
    checksum: 0,
  };
}
