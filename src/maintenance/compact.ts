/**
 * Compaction: heads are stored in full, chunks that were encoded on checkpoints since forgotten are encoded on live ones,
 * chains are shortened to the restore budget, early chunks in full become deltas on late ones, packs with dead bytes are
 * rewritten, and index segments are merged. Decoded bytes never change, no encoding that another reads gets higher than the one it
 * replaces, and the live bytes grow by nothing but what makes restoring faster. What is left behind is gc's.
 */
import {
  type ChainOptions,
  type CompactReason,
  type CompactResult,
  CondemnedError,
  type OperationOptions,
  type StoreContext,
  WriterLease,
} from '../checkpoints/index.js';
import { corrupt, ThetalogError, throwIfAborted } from '../errors.js';
import { type ChunkEntry, objectKey, type Root } from '../format/index.js';
import type { ChunkId } from '../hash/index.js';
import { ObjectWriter, type PackedChunk, PackWriter } from '../packs/index.js';
import { budgetTasks, headsOf, headTasks, heightTasks, ROUNDING } from './chain-shortening.js';
import { publishCompaction } from './compact-commit.js';
import { CompactLog, changeOf, isChange } from './compact-log.js';
import { ChunkPlaces, ghostTasks, orderByLineage } from './compact-plan.js';
import {
  contentIds,
  distinctEncodings,
  liveBytes,
  lowestEncodings,
  maxHeight,
  neededEncodings,
  trueHeights,
} from './live-encodings.js';
import { LiveStore, type ResolvedCheckpoint } from './live-store.js';
import { pivotTasks } from './pivot.js';
import { type ReencodedChunk, type ReencodeTask, reencode } from './reencode.js';
import { freedByRewriting, packsToRewrite, recordsOf } from './repack.js';

const RESTARTS_MAX = 3;

export interface CompactOptions extends OperationOptions, Pick<ChainOptions, 'maxRestoreFactor'> {
  /** Only chunks of this run are encoded anew or moved. Default: all runs. */
  run?: string;
  /**
   * Store the latest checkpoint of each run, and those tagged or pinned, in full, so that they are restored as fast as can be:
   * the only growth there is but for what is over the restore budget. Default: true; in a store of which checkpoints have lost
   * groups only as far as that gives back: dropping groups never makes it grow.
   */
  fullHeads?: boolean;
  /** Chunks with longer chains than this are based on full ones; 0: everything is stored in full. Default: what the budget allows. */
  maxHeight?: number;
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
      await objects.discard();
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
  private readonly log = new CompactLog();
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
    const checkpoints = await this.resolveAll(root);
    const scope = checkpoints.filter(({ run }) => options.run === undefined || run === options.run);
    const heads = headsOf(root, checkpoints);
    const before = lowestEncodings(checkpoints);
    const encodings = new Map(before);
    await this.encodeAnew(scope, checkpoints, heads, encodings);
    const needed = neededEncodings(checkpoints, encodings);
    await this.repack(scope, needed);
    const changes = checkpoints.map((one) => changeOf(one, before, needed));
    const worst = (factors: number[]): number => Math.max(1, ...factors);
    const result = {
      dryRun: options.dryRun === true,
      checkpoints: checkpoints.length,
      ...this.log.summary(),
      changed: changes.filter(isChange),
      maxHeightBefore: maxHeight(before.values()),
      maxHeightAfter: maxHeight(needed.values()),
      restoreFactorBefore: worst(changes.map((change) => change.restoreFactorBefore)),
      restoreFactorAfter: worst(changes.map((change) => change.restoreFactorAfter)),
      liveBytesBefore: liveBytes(distinctEncodings(checkpoints)),
      liveBytesAfter: liveBytes(needed.values()),
    };
    const changed =
      result.chunksEncoded + result.chunksCopied > 0 || result.liveBytesAfter !== result.liveBytesBefore;
    if (!result.dryRun && changed) {
      await this.packs.finish();
      await publishCompaction(context, this.objects, root, checkpoints, needed);
    }
    return result;
  }

  private async resolveAll(root: Root): Promise<ResolvedCheckpoint[]> {
    const { run } = this.options;
    if (run !== undefined && !root.runs.has(run)) {
      const message = `There is no run "${run}".`;
      throw new ThetalogError('not-found', 'no-such-run', message, { object: run });
    }
    const live = new LiveStore(this.context);
    const checkpoints: ResolvedCheckpoint[] = [];
    for (const checkpoint of await live.checkpoints(root)) checkpoints.push(await live.resolve(checkpoint));
    return checkpoints;
  }

  /** Encodes heads in full, chunks that read ghosts on live ones, what takes too long on full ones, and early ones on late ones. */
  private async encodeAnew(
    scope: readonly ResolvedCheckpoint[],
    checkpoints: readonly ResolvedCheckpoint[],
    heads: readonly ResolvedCheckpoint[],
    encodings: Map<ChunkId, ChunkEntry>,
  ): Promise<void> {
    const { context, options } = this;
    const places = new ChunkPlaces(scope);
    const content = contentIds(checkpoints);
    const elsewhere = new Set<ChunkId>();
    for (const checkpoint of checkpoints) {
      if (scope.includes(checkpoint)) continue;
      for (const id of checkpoint.closure.keys()) elsewhere.add(id);
    }
    const before = new Map(encodings);
    const apply = async (tasks: readonly ReencodeTask[], reason: CompactReason): Promise<void> => {
      for await (const chunks of reencode(context, tasks, before, options.signal)) {
        for (const chunk of chunks) {
          const bytesBefore = encodings.get(chunk.id)?.length ?? 0;
          const { length } = await this.replace(chunk, encodings);
          this.log.add(reason, bytesBefore, length);
        }
      }
    };
    const inFull = headTasks(
      heads.filter((head) => scope.includes(head)),
      encodings,
      places,
    );
    if (await this.affords(inFull, scope, neededEncodings(checkpoints, encodings)))
      await apply(inFull, 'head');
    await apply(
      ghostTasks(places, encodings, content, (ghost) => elsewhere.has(ghost)),
      'ghost',
    );
    const factor = options.maxRestoreFactor ?? context.chainLimits.maxRestoreFactor;
    const { maxHeight } = options;
    for (const { checkpoint } of orderByLineage(scope)) {
      await apply(budgetTasks(checkpoint, encodings, places, factor), 'restore-budget');
      if (maxHeight !== undefined)
        await apply(heightTasks(checkpoint, encodings, places, maxHeight), 'max-height');
    }
    if (maxHeight === 0) return;
    const pivot = { checkpoints, scope, heads, factorMax: factor * ROUNDING, before };
    await apply(pivotTasks(pivot, encodings, places), 'pivot');
  }

  /** Whether heads are to be stored in full: as told, else unless dropped groups do not make up for it. */
  private async affords(
    tasks: readonly ReencodeTask[],
    scope: readonly ResolvedCheckpoint[],
    needed: ReadonlyMap<ChunkId, ChunkEntry>,
  ): Promise<boolean> {
    const { fullHeads } = this.options;
    if (fullHeads !== undefined) return fullHeads;
    if (scope.every(({ entry }) => entry.droppedGroups.length === 0)) return true;
    const growth = tasks.flatMap(({ chunks }) => chunks).map(({ id }) => growthInFull(needed.get(id)));
    const freed = await freedByRewriting(this.context.storage, needed.values(), packsOf(scope));
    return growth.reduce((sum, bytes) => sum + bytes, 0) <= freed;
  }

  /** Replaces the encoding of a chunk by a new one, which is at most as high if others read it. */
  private async replace(
    { id, bytes, base }: ReencodedChunk,
    encodings: Map<ChunkId, ChunkEntry>,
  ): Promise<ChunkEntry> {
    const rawLength = encodings.get(id)?.rawLength ?? 0;
    const height = base === null ? 0 : 1 + (encodings.get(base)?.height ?? 0);
    const chunk = { id, record: bytes, rawLength, height, references: base === null ? [] : [base] };
    const entry = this.options.dryRun === true ? planned(chunk) : await this.packs.append(chunk);
    encodings.set(id, entry);
    await this.report(rawLength);
    return entry;
  }

  /** Copies what is live out of packs that are mostly dead, or small; replaces it in `needed`, with the height it has now. */
  private async repack(
    scope: readonly ResolvedCheckpoint[],
    needed: Map<ChunkId, ChunkEntry>,
  ): Promise<void> {
    const { context, options } = this;
    const own = new Set(this.packs.entries.map((entry) => entry.pack));
    const { encodedBytes } = this.log;
    const doomed = await packsToRewrite(context.storage, needed.values(), packsOf(scope), encodedBytes);
    const moving = new Map([...needed].filter(([, { pack }]) => doomed.has(pack) && !own.has(pack)));
    const heights = trueHeights(moving, needed);
    for (const { length } of moving.values()) this.log.add('pack', length, length);
    if (options.dryRun === true) {
      for (const [id, entry] of moving) needed.set(id, { ...entry, height: heights.get(id) ?? entry.height });
      return;
    }
    for await (const { entry, bytes } of recordsOf(context.storage, [...moving.values()])) {
      throwIfAborted(options.signal);
      const height = heights.get(entry.id) ?? entry.height;
      if (Number(context.hasher.checksum(bytes) & 0xffffffffn) !== entry.checksum) {
        const message = `the checksum of chunk ${entry.id} does not match`;
        throw corrupt('bad-checksum', message, objectKey('packs', entry.pack), entry.offset);
      }
      needed.set(entry.id, await this.packs.append({ ...entry, record: bytes, height }));
      await this.report(entry.rawLength);
    }
  }

  private async report(bytes: number): Promise<void> {
    this.bytesDone += bytes;
    if (this.options.dryRun !== true) await this.lease.keep();
    const { bytes: bytesStored } = this.objects;
    this.options.onProgress?.({ phase: 'compact', bytesRead: this.bytesDone, bytesStored, bytesTotal: 0 });
  }
}

/** Returns the packs that checkpoints need. */
function packsOf(scope: readonly ResolvedCheckpoint[]): Set<string> {
  const packs = new Set<string>();
  for (const { closure } of scope) for (const entry of closure.values()) packs.add(entry.pack);
  return packs;
}

function growthInFull(entry: ChunkEntry | undefined): number {
  return entry === undefined ? 0 : entry.rawLength - entry.length;
}

function planned({ id, record, rawLength, height, references }: PackedChunk): ChunkEntry {
  const length = record.length;
  return { id, pack: 'planned', offset: 0, length, rawLength, height, references, checksum: 0 };
}
