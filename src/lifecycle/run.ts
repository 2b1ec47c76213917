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
import { compareWithState, rescueCheckpoint, type StateDifference } from '../maintenance/index.js';
import type { Group, StateValue } from '../tensor/index.js';
import { type Resumed, type ResumeOptions, resumeRun } from './resume.js';
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

export interface VerifyOptions {
  /** Compare only tensors and plain data of these groups. Default: all. */
  groups?: Group[];
  signal?: AbortSignal;
}

/** What comparing a state with a checkpoint found. */
export interface VerifyResult {
  id: string;
  run: string;
  step: number | null;
  /** There is no difference. */
  equal: boolean;
  differences: StateDifference[];
  /** Bytes of tensors that were read and compared. */
  bytes: number;
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
    return withFreshRoot(this.context, async (root) => {
      const { entry } = await resolveRef(this.context.catalogue, root, this.own(ref));
      if (options.allowDamaged === undefined)
        return readState(this.context, await this.context.cache.manifest(entry.manifest), options);
      const { all, lost } = await rescueCheckpoint(this.context, entry.manifest, {});
      const state = await readState(this.context, all, options, lost.tensors);
      if (lost.tensors.length > 0) options.allowDamaged(lost.tensors);
      return state;
    });
  }

  /**
   * Goes on where the run stopped: restores its newest checkpoint whose every byte is right, going back over damaged ones and
   * saying so. Undefined if there is none yet. With `into`, throws `conflict` naming each tensor and group that differs,
   * before anything is written; throws `corrupt` if every checkpoint is damaged.
   */
  resume(options: ResumeOptions = {}): Promise<Resumed | undefined> {
    return resumeRun(this.context, this.name, options);
  }

  /**
   * Compares a state with a stored one, every byte of its tensors (read and checked for this) and all plain data, and says what
   * differs. `ref` as for `restore`.
   */
  verify(state: StateValue, ref = 'latest', options: VerifyOptions = {}): Promise<VerifyResult> {
    return withFreshRoot(this.context, async (root) => {
      const { run, entry } = await resolveRef(this.context.catalogue, root, this.own(ref));
      const loaded = await this.context.cache.manifest(entry.manifest);
      const { differences, bytes } = await compareWithState(this.context, loaded, state, options);
      const { id, step } = entry;
      return { id, run, step, equal: differences.length === 0, differences, bytes };
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

  private own(ref: string): string {
    return /^(latest|step:|best:)/.test(ref) ? `${this.name}@${ref}` : ref;
  }
}
