/** One run of a store: saving and restoring the state of a training program. */
import {
  type CheckpointInfo,
  listCheckpoints,
  planState,
  type RestoreStateOptions,
  readState,
  resolveRef,
  type SaveOptions,
  type SavePlan,
  type SaveResult,
  StagingMemory,
  type StoreContext,
  withFreshRoot,
} from '../checkpoints/index.js';
import { ThetalogError } from '../errors.js';
import { rescueCheckpoint } from '../maintenance/index.js';
import type { StateValue } from '../tensor/index.js';
import { savePlan } from './save-plan.js';

/** A save under way: its bytes are staged, so the caller may go on changing the state. */
export interface SaveHandle {
  /** Resolves once the checkpoint is durable; rejects if it could not be saved. Never leave it unobserved. */
  readonly committed: Promise<SaveResult>;
}

export interface SaveStateOptions extends SaveOptions {
  /**
   * Read the state while it is encoded instead of copying all of it first, which takes less memory: `save` then resolves, or
   * rejects, only once the checkpoint is durable, and the state must not change before. Default: false.
   */
  synchronous?: boolean;
}

export class Run {
  readonly name: string;
  private readonly context: StoreContext;
  private readonly memory: StagingMemory;
  /** The save before the next one: saves of one run commit in the order in which they were begun. */
  private pending: Promise<unknown> = Promise.resolve();

  constructor(context: StoreContext, name: string) {
    this.context = context;
    this.name = name;
    this.memory = new StagingMemory(context.baseMemory);
  }

  /**
   * Saves a state: nested plain objects and arrays of tensors and plain data. Resolves once every byte is copied, which
   * waits for the save before; `handle.committed` resolves once the checkpoint is durable. Top-level keys `model`,
   * `optimizer`, `scheduler`, `rng` and `loader` name groups, `progress.step`, `progress.epoch` and `metrics` go on record.
   * Throws `invalid`, naming the path, for a value that cannot be stored.
   */
  async save(state: StateValue, options: SaveStateOptions = {}): Promise<SaveHandle> {
    const started = this.context.environment.now();
    const { synchronous = false, ...request } = options;
    const plan = planState(state);
    const { chunkElements } = this.context.config;
    const staging = this.pending.then(() => {
      const staged = synchronous
        ? this.memory.stageLazily(plan, chunkElements)
        : this.memory.stage(plan, chunkElements);
      plan.staged = staged;
      return staged;
    });
    const committed = staging.then((staged) =>
      this.commit(plan, request, started).finally(() => staged.release()),
    );
    this.pending = committed.catch(() => {});
    await (synchronous ? committed : staging);
    return { committed };
  }

  private async commit(plan: SavePlan, options: SaveOptions, started: number): Promise<SaveResult> {
    const request = { ...options, run: this.name };
    const { entry, storedBytes, explain } = await savePlan(this.context, plan, request);
    const { id, step, logicalBytes } = entry;
    const seconds = (this.context.environment.now() - started) / 1000;
    const { warnings } = plan;
    return {
      id,
      run: this.name,
      step,
      logicalBytes,
      storedBytes,
      seconds,
      warnings,
      ...(explain && { explain }),
    };
  }

  /**
   * Returns a stored state. `ref` is `latest` (default), `step:N`, `best:METRIC[:min|max]`, optionally with `~N`, or any ref
   * of the store. Throws `not-found`, `corrupt`, `invalid` for a checkpoint that was saved from files, or `conflict` for arrays
   * to restore into that differ from those saved.
   */
  async restore(ref = 'latest', options: RestoreStateOptions = {}): Promise<StateValue> {
    const own = /^(latest|step:|best:)/.test(ref) ? `${this.name}@${ref}` : ref;
    return withFreshRoot(this.context, async (root) => {
      const { entry } = await resolveRef(this.context.catalogue, root, own);
      if (options.allowDamaged === undefined)
        return readState(this.context, await this.context.cache.manifest(entry.manifest), options);
      const { all, lost } = await rescueCheckpoint(this.context, entry.manifest, {});
      const state = await readState(this.context, all, options, lost.tensors);
      if (lost.tensors.length > 0) options.allowDamaged(lost.tensors);
      return state;
    });
  }

  /** Resolves once no save of this run is under way, whether they succeeded or not. */
  async settled(): Promise<void> {
    await this.pending;
  }

  /** Lists the run's checkpoints, oldest first; an unknown run is `not-found`. */
  async list(options: { last?: number } = {}): Promise<CheckpointInfo[]> {
    return withFreshRoot(this.context, async (root) => {
      if (!root.runs.has(this.name)) {
        throw new ThetalogError('not-found', 'no-such-run', `There is no run "${this.name}".`, {
          object: this.name,
        });
      }
      return listCheckpoints(this.context, root, { runs: [this.name], last: options.last });
    });
  }
}
