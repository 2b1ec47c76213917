/** Says what storing the checkpoints of a folder would take, by saving them into a store that keeps next to nothing. */
import {
  createContext,
  type LoadedManifest,
  planFiles,
  readSource,
  resolveRef,
  type SaveExplanation,
  type SavePlan,
  type StoreContext,
  timeRestore,
  type Warning,
  withFreshRoot,
} from '../checkpoints/index.js';
import { isThetalogError, ThetalogError, throwIfAborted } from '../errors.js';
import { chunkLengths, objectKey } from '../format/index.js';
import type { ChunkId } from '../hash/index.js';
import { type FolderCheckpoint, findCheckpoints } from './checkpoint-folder.js';
import { ProgressFinder, progressOf } from './checkpoint-order.js';
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

/** Where the bytes of a chunk are in the files it was made of. */
interface ChunkPlace {
  plan: SavePlan;
  stream: number;
  offset: number;
  length: number;
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
  /** The chunks that the next save may be predicted from. */
  private places = new Map<ChunkId, ChunkPlace>();
  /** What chunks were read from since files were closed. */
  private plans = new Set<SavePlan>();
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
      const plan = await planFiles(checkpoint.paths, { signal });
      plan.warnings.push(...gone);
      const { step, epoch } = progressOf(checkpoint, plan.progress);
      const progress = { ...plan.progress, step, epoch };
      const planned: SavePlan = { ...plan, progress, baseBytes: (id) => this.read(id) };
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
      await this.closeFiles();
    }
  }

  /** Of files that were deleted or changed since they were looked at, no chunk can be read any more. */
  private async forgetChanged(): Promise<Warning[]> {
    const warnings: Warning[] = [];
    for (const plan of this.plans) {
      try {
        await plan.assertUnchanged();
      } catch (error) {
        if (!isThetalogError(error)) throw error;
        for (const [id, place] of this.places) if (place.plan === plan) this.places.delete(id);
        const { object = '', message } = error;
        const what = `${message} What this checkpoint has in common with it may count in full.`;
        warnings.push({ code: 'base-gone', message: what, object, offset: null });
      }
    }
    return warnings;
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

  private async read(id: ChunkId): Promise<Uint8Array | undefined> {
    const place = this.places.get(id);
    return place && readSource(place.plan.sources[place.stream], place.offset, place.length);
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
    const { layout, content } = loaded;
    const ids = content.streams.flatMap((stream) => stream.ids);
    const needed = index.closure(ids, 'the estimate');
    const places = new Map([...this.places].filter(([id]) => needed.has(id)));
    for (const [stream, { ids: chunks }] of content.streams.entries()) {
      const lengths = chunkLengths(
        layout.streams[stream],
        content.streams[stream],
        context.config.chunkElements,
      );
      let offset = 0;
      for (const [at, id] of chunks.entries()) {
        places.set(id, { plan, stream, offset, length: lengths[at] });
        offset += lengths[at];
      }
    }
    this.places = places;
    this.latest = loaded;
    this.storage.keepFronts(new Set([...needed.values()].map(({ pack }) => objectKey('packs', pack))));
  }

  /** Files of earlier checkpoints are opened again when chunks of them are read. */
  private async closeFiles(): Promise<void> {
    for (const plan of this.plans) await plan.close();
    this.plans = new Set([...this.places.values()].map((place) => place.plan));
  }
}

function incomplete({ name, lacks }: FolderCheckpoint): ThetalogError {
  return new ThetalogError('conflict', 'incomplete', `${name} is not complete: ${lacks}.`, { object: name });
}
