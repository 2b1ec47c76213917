/** Says what storing the checkpoints of a folder would take, by saving them into a store that keeps next to nothing. */
import {
  createContext,
  type LoadedManifest,
  planFiles,
  resolveRef,
  type SaveExplanation,
  type SavePlan,
  type StoreContext,
  timeRestore,
  type Warning,
  withFreshRoot,
} from '../checkpoints/index.js';
import { isThetalogError, ThetalogError, throwIfAborted } from '../errors.js';
import { objectKey } from '../format/index.js';
import { type FolderCheckpoint, findCheckpoints } from './checkpoint-folder.js';
import { ProgressFinder, progressOf } from './checkpoint-order.js';
import { ChunkFiles } from './chunk-files.js';
import { EstimateStorage } from './estimate-storage.js';
import type { Estimate, EstimatedPart, EstimateOptions } from './estimate-types.js';
import { saveFilePlan } from './save-plan.js';

const RUN = 'estimate';

/**
 * Reads all checkpoints of a folder in the order of their steps and says what storing them would take, to the byte but for what ids and
 * times add. Writes nothing; needs memory for a few chunks, not for checkpoints.
 */
export async function estimateFiles(folder: string, options: EstimateOptions = {}): Promise<Estimate> {
  const storage = new EstimateStorage();
  const context = await createContext(storage);
  try {
    const found = await findCheckpoints(folder, options, context.hasher);
    if (found.length === 0) {
      const message = `Nothing in ${folder} is named like a checkpoint.`;
      const hint = 'Say what is: --include GLOB';
      throw new ThetalogError('not-found', 'no-checkpoints', message, { object: folder, hint });
    }
    const estimator = new Estimator(context, storage, options);
    for (const checkpoint of await new ProgressFinder().inOrder(found, options.signal))
      await estimator.add(checkpoint);
    return await estimator.finish();
  } finally {
    await context.compute.close();
  }
}

class Estimator {
  private readonly context: StoreContext;
  private readonly storage: EstimateStorage;
  private readonly options: EstimateOptions;
  private readonly estimate: Estimate = {
    checkpoints: [],
    logicalBytes: 0,
    storedBytes: 0,
    metadataBytes: 0,
    parts: [],
    saveBytesPerSecond: 0,
    restoreBytesPerSecond: null,
    problems: [],
  };
  /** Of the chunks that the next save may be predicted from. */
  private readonly chunkFiles = new ChunkFiles();
  private readonly parts = new Map<string, EstimatedPart>();
  private latest: LoadedManifest | undefined;

  constructor(context: StoreContext, storage: EstimateStorage, options: EstimateOptions) {
    this.context = context;
    this.storage = storage;
    this.options = options;
  }

  /** Saves one checkpoint; what is wrong with it is noted. */
  async add(checkpoint: FolderCheckpoint): Promise<void> {
    const { signal, onProgress, onCheckpoint } = this.options;
    throwIfAborted(signal);
    try {
      if (checkpoint.lacks !== undefined) throw incomplete(checkpoint);
      this.storage.beginCheckpoint();
      const gone = await this.forgetChanged();
      const plan = await planFiles(checkpoint.paths, { signal, compute: this.context.compute });
      plan.warnings.push(...gone);
      const { step, epoch } = progressOf(checkpoint, plan.progress);
      const progress = { ...plan.progress, step, epoch };
      const planned: SavePlan = { ...plan, progress, baseParts: (id) => this.chunkFiles.parts(id) };
      const request = { run: RUN, explain: true, signal, onProgress };
      const { explain, ...saved } = await saveFilePlan(this.context, Promise.resolve(planned), request);
      if (explain !== undefined) this.count(explain);
      await this.remember(plan);
      const { logicalBytes, storedBytes, seconds, warnings } = saved;
      const estimated = { source: checkpoint.name, step, logicalBytes, storedBytes, seconds, warnings };
      this.estimate.checkpoints.push(estimated);
      this.estimate.logicalBytes += logicalBytes;
      this.estimate.storedBytes += storedBytes;
      onCheckpoint?.(estimated);
    } catch (error) {
      if (!isThetalogError(error) || error.kind === 'aborted') throw error;
      this.estimate.problems.push({ source: checkpoint.name, error });
    } finally {
      await this.chunkFiles.close();
    }
  }

  /** Of files that were deleted or changed since they were looked at, no chunk can be read any more. */
  private async forgetChanged(): Promise<Warning[]> {
    return (await this.chunkFiles.forgetChanged()).map(({ object = '', message }) => {
      const what = `${message} What this checkpoint has in common with it may count in full.`;
      return { code: 'base-gone', message: what, object, offset: null };
    });
  }

  async finish(): Promise<Estimate> {
    const { context, latest, storage } = this;
    const { checkpoints, logicalBytes } = this.estimate;
    const seconds = checkpoints.reduce((sum, checkpoint) => sum + checkpoint.seconds, 0);
    const restored =
      latest &&
      (await timeRestore(context, latest, ({ pack, offset, length }) =>
        storage.holds(objectKey('packs', pack), offset, length),
      ));
    return {
      ...this.estimate,
      parts: [...this.parts.values()],
      saveBytesPerSecond: seconds > 0 ? logicalBytes / seconds : 0,
      restoreBytesPerSecond: restored ?? null,
    };
  }

  private count({ groups, metadata }: SaveExplanation): void {
    for (const { bytes } of metadata) this.estimate.metadataBytes += bytes;
    for (const { group, slot, dtype, predictor, rawBytes, storedBytes } of groups) {
      const key = JSON.stringify([group, slot, dtype]);
      const part = this.parts.get(key) ?? { group, slot, dtype, rawBytes: 0, fullBytes: 0, deltaBytes: 0 };
      part.rawBytes += rawBytes;
      part[predictor === 'none' ? 'fullBytes' : 'deltaBytes'] += storedBytes;
      this.parts.set(key, part);
    }
  }

  /** Notes where the chunks are that the next save may read; others are not needed any more. */
  private async remember(plan: SavePlan): Promise<void> {
    const { context } = this;
    const loaded = await withFreshRoot(context, async (root) => {
      const { entry } = await resolveRef(context.catalogue, root, RUN);
      return context.cache.checkpoint(entry);
    });
    const index = await context.cache.index(loaded);
    const needed = index.closure(
      loaded.content.streams.flatMap((stream) => stream.ids),
      'the estimate',
    );
    this.chunkFiles.keepOnly(needed);
    this.chunkFiles.add(plan, loaded, context.config);
    this.latest = loaded;
    this.storage.keepFronts(new Set([...needed.values()].map(({ pack }) => objectKey('packs', pack))));
  }
}

function incomplete({ name, lacks }: FolderCheckpoint): ThetalogError {
  return new ThetalogError('conflict', 'incomplete', `${name} is not complete: ${lacks}.`, { object: name });
}
