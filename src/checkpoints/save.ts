/** Saves a planned checkpoint: chunks, index segment, manifest, then the root by compare-and-set (FORMAT.md, "Commit"). */
import { isThetalogError, ThetalogError, throwIfAborted } from '../errors.js';
import {
  assertRunName,
  type CatalogueEntry,
  type ChunkEntry,
  encodeSegment,
  limits,
  objectKey,
  type Root,
  sourceKey,
} from '../format/index.js';
import type { ChunkId } from '../hash/index.js';
import {
  ChainPolicy,
  ChunkIndex,
  ChunkWriter,
  chainLimits,
  ObjectWriter,
  PackWriter,
} from '../packs/index.js';
import { ChunkPredictions } from './chunk-predictions.js';
import { assertStillThere, CondemnedError } from './commit-guard.js';
import type { StoreContext } from './context.js';
import { digestDuring } from './file-digests.js';
import { withFreshRoot } from './fresh-root.js';
import { loadCheckpoint } from './kept-groups.js';
import { type LabelFacts, LabelTemplate } from './label.js';
import { WriterLease } from './lease.js';
import { type LoadedManifest, loadIndex, sectionHolders, writeManifest } from './manifest-store.js';
import { bytesToRead, type SavePlan } from './plan.js';
import { type Located, locate, resolveRef } from './refs.js';
import { ExplanationLog } from './save-explanation.js';
import { SaveTimeline } from './save-timeline.js';
import type { SaveExplanation, SavePhase } from './save-types.js';
import { holderOfBases, storeStreams } from './store-streams.js';
import type { SaveRequest, Warning } from './types.js';

/** Times a save starts over because gc took what it had built on. */
const RESTARTS_MAX = 3;

/**
 * What every save writes, in blocks of 4 KiB: lease, manifest, page, root. How well the rest compresses is not known before,
 * so a save with less room is refused before it reads anything, and any other one when a pack of it does not fit.
 */
const SAVE_BYTES_MIN = 4 * 4096;

export interface SavedCheckpoint {
  entry: CatalogueEntry;
  /** All bytes added to the store. */
  storedBytes: number;
  /** Whether the base had lost chunks: some may have been stored again. */
  baseWasIncomplete: boolean;
  timeline: SavePhase[];
  /** Present if it was asked for. */
  explain?: SaveExplanation;
}

/** The checkpoint that a save follows; without a base if what it stored cannot be read. */
interface Parent {
  id: string;
  base?: Base;
}

/** What a save builds on. */
interface Base {
  loaded: LoadedManifest;
  index: ChunkIndex;
}

/** Saves a plan and returns its record once that is durable. Nothing is visible before. The timeline is gone on with. */
export async function saveCheckpoint(
  context: StoreContext,
  plan: SavePlan,
  request: SaveRequest,
  timeline = new SaveTimeline(() => context.environment.now()),
): Promise<SavedCheckpoint> {
  assertRequest(plan, request);
  const { space, location } = context.storage;
  await space?.assertRoom(SAVE_BYTES_MIN, `a save to ${location}`);
  await space?.keepReserve();
  const id = context.environment.randomHex(16);
  for (let restart = 0; ; restart++) {
    const objects = new ObjectWriter(context.storage, context.environment.randomHex(8));
    const lease = new WriterLease(context, objects);
    try {
      return await new Save(context, plan, request, id, objects, lease, timeline).perform();
    } catch (error) {
      await objects.discard();
      if (!(error instanceof CondemnedError)) throw error;
      if (restart >= RESTARTS_MAX) throw error.asConflict();
    } finally {
      await lease.release();
    }
  }
}

class Save {
  private readonly context: StoreContext;
  private readonly plan: SavePlan;
  private readonly request: SaveRequest;
  private readonly id: string;
  private readonly objects: ObjectWriter;
  private readonly lease: WriterLease;
  private readonly timeline: SaveTimeline;
  private readonly warnings: Warning[] = [];
  private bytesRead = 0;
  private baseWasIncomplete = false;

  constructor(
    context: StoreContext,
    plan: SavePlan,
    request: SaveRequest,
    id: string,
    objects: ObjectWriter,
    lease: WriterLease,
    timeline: SaveTimeline,
  ) {
    this.context = context;
    this.plan = plan;
    this.request = request;
    this.id = id;
    this.objects = objects;
    this.lease = lease;
    this.timeline = timeline;
  }

  async perform(): Promise<SavedCheckpoint> {
    const { context, plan, objects, timeline } = this;
    timeline.begin('compare');
    context.compute.expect(plan.logicalBytes);
    await this.lease.keep();
    const [root, parent] = await withFreshRoot(context, (read) => this.begin(read));
    const base = parent?.base;
    const index = base?.index ?? new ChunkIndex();
    const packs = new PackWriter(context.hasher, objects, context.packMemory);
    const log = this.request.explain === true ? new ExplanationLog() : undefined;
    const chains = chainLimits(this.request, context.chainLimits);
    const writer = this.makeWriter(index, packs, chains.maxHeight, log);
    const predictions = new ChunkPredictions(plan, base?.loaded, new ChainPolicy(index, chains));
    timeline.begin('encode');
    const { files, done: streams } = await digestDuring(
      plan,
      context.compute,
      this.request.signal,
      async () => {
        const stored = await storeStreams(context, plan, writer, predictions, (bytes) =>
          this.report(bytes, writer),
        );
        timeline.begin('write');
        context.spareMemory.rest();
        await packs.finish();
        return stored;
      },
    );
    await plan.assertUnchanged();
    const content = { streams, files, directories: plan.directories, settings: plan.settings };
    const ids = streams.flatMap((stream) => stream.ids);
    const { closure, segments } = await this.writeIndex(index, base, packs, ids);
    const parts = { checkpoint: this.id, layout: plan.layout, content, segments };
    const manifest = await writeManifest(context, objects, parts, base?.loaded);
    const height = Math.max(0, ...new Set([...closure.values()].map((entry) => entry.height)));
    const entry = this.makeEntry(manifest, height, parent?.id ?? null);
    const packKeys = new Set([...closure.values()].map((chunk) => objectKey('packs', chunk.pack)));
    const holderKeys = sharedHolders(base).map((name) => objectKey('manifests', name));
    const needed = [...packKeys, ...segments.map(sourceKey), ...holderKeys, ...objects.keys];
    timeline.begin('commit');
    const rootBytes = await this.commit(root, entry, needed);
    timeline.end();
    plan.warnings.push(...this.warnings);
    const explain = log?.explain(plan.layout, streams, context.config.chunkElements, objects, rootBytes);
    const storedBytes = objects.bytes + rootBytes;
    const { baseWasIncomplete } = this;
    return { entry, storedBytes, baseWasIncomplete, timeline: timeline.phases, ...(explain && { explain }) };
  }

  /** Returns the encodings of a checkpoint and what resolves its chunks to them. */
  private async writeIndex(
    index: ChunkIndex,
    base: Base | undefined,
    packs: PackWriter,
    ids: readonly ChunkId[],
  ): Promise<{ closure: Map<ChunkId, ChunkEntry>; segments: string[] }> {
    const { context, objects } = this;
    const object = `checkpoint ${this.id}`;
    const order = [...(base?.loaded.manifest.segments ?? [])];
    if (packs.entries.some(({ id }) => index.hasLeftOut(id))) {
      // Read in order, the base's segments would lead to what may be gone: this checkpoint gets one of its own for everything.
      index.add('', packs.entries);
      const closure = index.closure(ids, object);
      return { closure, segments: [await writeSegment(context, objects, [...closure.values()])] };
    }
    if (packs.entries.length > 0) {
      const isOne = packs.footers.length === 1;
      const source = isOne ? packs.footers[0] : await writeSegment(context, objects, packs.entries);
      order.push(source);
      index.add(source, packs.entries);
    }
    const closure = index.closure(ids, object);
    return { closure, segments: index.segmentsOf(closure.keys(), order) };
  }

  private async begin(root: Root): Promise<[Root, Parent | undefined]> {
    return [root, await this.findParent(root)];
  }

  private makeWriter(
    index: ChunkIndex,
    packs: PackWriter,
    maxHeight: number,
    log: ExplanationLog | undefined,
  ): ChunkWriter {
    const { storage, compute, spareMemory: spare } = this.context;
    const onDamage = (error: ThetalogError) => this.warn(error);
    const { signal } = this.request;
    const holdBase = holderOfBases(this.plan);
    return new ChunkWriter({
      index,
      storage,
      compute,
      packs,
      spare,
      maxHeight,
      onDamage,
      log,
      signal,
      holdBase,
    });
  }

  private async findParent(root: Root): Promise<Parent | undefined> {
    const { context, request } = this;
    const known = root.runs.get(request.run);
    if (request.parent === undefined && (known === undefined || known.pages.length === 0)) return undefined;
    const { entry } = await this.findParentEntry(root);
    try {
      const loaded = await loadCheckpoint(context, entry);
      const ids = loaded.content.streams.flatMap((stream) => stream.ids);
      const index = await loadIndex(context, loaded.manifest.segments);
      index.keepSound(ids);
      this.baseWasIncomplete = ids.some((id) => index.get(id) === undefined);
      return { id: entry.id, base: { loaded, index } };
    } catch (error) {
      if (!isThetalogError(error, 'corrupt')) throw error;
      const now = await context.roots.read();
      if (now.gcEpoch !== root.gcEpoch) throw new CondemnedError(entry.manifest);
      this.warn(error);
      return { id: entry.id };
    }
  }

  private async findParentEntry(root: Root): Promise<Located> {
    const { catalogue } = this.context;
    const { run, parent, resumedFrom } = this.request;
    if (parent !== undefined) return resolveRef(catalogue, root, parent);
    const resumed = resumedFrom === undefined ? undefined : await locate(catalogue, root, resumedFrom, run);
    return resumed ?? resolveRef(catalogue, root, `${run}@latest`);
  }

  /** Old damage does not keep a save from going on: what it touches is stored in full. */
  private warn(error: ThetalogError): void {
    const { code, object, offset } = error;
    const message = `${error.message}; stored without this base`;
    if (this.warnings.some((warning) => warning.message === message)) return;
    this.warnings.push({ code, message, object: object ?? '', offset: offset ?? null });
  }

  private async report(bytes: number, writer: ChunkWriter): Promise<void> {
    throwIfAborted(this.request.signal);
    this.bytesRead += bytes;
    await this.lease.keep();
    this.request.onProgress?.({
      phase: 'save',
      bytesRead: this.bytesRead,
      bytesStored: this.objects.bytes + writer.openBytes,
      bytesTotal: bytesToRead(this.plan),
    });
  }

  private makeEntry(manifest: string, height: number, parent: string | null): CatalogueEntry {
    const { plan, request } = this;
    const facts = factsOf(plan, request);
    const { step, epoch, metrics, meta } = facts;
    const given = request.label === undefined ? undefined : new LabelTemplate(request.label).render(facts);
    return {
      id: this.id,
      manifest,
      kind: plan.kind,
      step,
      epoch,
      label: given ?? (step === null ? this.id.slice(0, 12) : `step-${step}`),
      metrics,
      meta,
      parent,
      groups: plan.groups,
      createdAt: this.context.environment.now(),
      logicalBytes: plan.logicalBytes,
      storedBytes: this.objects.bytes,
      height,
      droppedGroups: [],
    };
  }

  /** Publishes the entry; returns the size of the root that does. */
  private async commit(begun: Root, entry: CatalogueEntry, needed: readonly string[]): Promise<number> {
    const { context, request, objects } = this;
    throwIfAborted(request.signal);
    let firstTry = true;
    const publish = async (root: Root): Promise<boolean> => {
      // Not one that a repair made of this save's manifest: that has no step, metrics or label.
      if (!firstTry && (await this.entryIn(root))?.createdAt === entry.createdAt) return false;
      firstTry = false;
      if (root.gcEpoch !== begun.gcEpoch) await assertStillThere(context, root, needed);
      await request.beforeCommit?.(root);
      await context.catalogue.append(root, request.run, entry, objects);
      objects.mayBeLive = true;
      return true;
    };
    try {
      return (await context.roots.update(publish)).bytes;
    } catch (error) {
      if (isThetalogError(error) && error.code === 'disk-full') objects.mayBeLive = await this.isPublished();
      throw error;
    }
  }

  /** Returns whether the root has this checkpoint, or cannot be read. */
  private async isPublished(): Promise<boolean> {
    try {
      return (await this.entryIn(await this.context.roots.read())) !== undefined;
    } catch {
      return true;
    }
  }

  private async entryIn(root: Root): Promise<CatalogueEntry | undefined> {
    const run = root.runs.get(this.request.run);
    return run && this.context.catalogue.find(run, this.id);
  }
}

/** Writes an index segment; a single pack takes none, its footer is one. */
async function writeSegment(
  context: StoreContext,
  objects: ObjectWriter,
  entries: readonly ChunkEntry[],
): Promise<string> {
  const name = objects.newName();
  await objects.put(objectKey('segments', name), [encodeSegment(context.hasher, entries)]);
  return name;
}

function sharedHolders(base: Base | undefined): string[] {
  return base === undefined ? [] : [base.loaded.name, ...sectionHolders(base.loaded.manifest)];
}

/** What goes on record: what is given, else what was found in what is saved. */
function factsOf(plan: SavePlan, { run, step, epoch, metrics, meta }: SaveRequest): LabelFacts {
  const found = plan.progress;
  return {
    run,
    step: step ?? found.step,
    epoch: epoch ?? found.epoch,
    metrics: { ...found.metrics, ...metrics },
    meta: { ...meta },
  };
}

/** Throws `invalid` if the plan cannot be saved as it is asked for. */
export function assertRequest(plan: SavePlan, request: SaveRequest): void {
  assertRunName(request.run, 'run');
  for (const [name, value] of [
    ['step', request.step],
    ['epoch', request.epoch],
  ] as const) {
    if (value !== undefined && !(Number.isFinite(value) && value >= 0)) {
      throw new ThetalogError('invalid', `bad-${name}`, `The ${name} must be a number from 0 on.`, {
        object: name,
      });
    }
  }
  if (request.step !== undefined && !Number.isSafeInteger(request.step)) {
    throw new ThetalogError('invalid', 'bad-step', 'The step must be a whole number.', { object: 'step' });
  }
  const names = [...Object.keys(request.metrics ?? {}), ...Object.keys(request.meta ?? {})];
  const bad = names.find(
    (name) => name === '' || name === '__proto__' || name.length > limits.NAME_BYTES_MAX,
  );
  if (bad !== undefined) {
    throw new ThetalogError('invalid', 'bad-name', `"${bad}" cannot name a metric or meta value.`, {
      object: bad,
    });
  }
  if (request.label === undefined) return;
  const template = new LabelTemplate(request.label);
  if (request.labelMayLack !== true) template.assertKnown(factsOf(plan, request));
}
