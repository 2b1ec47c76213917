/** One run of a store: saving and restoring the state of a training program. */
import {
  assertKept,
  type CheckpointInfo,
  listCheckpoints,
  planState,
  type RestoreStateOptions,
  readState,
  resolveRef,
  type StoreContext,
  withFreshRoot,
} from '../checkpoints/index.js';
import { ThetalogError } from '../errors.js';
import type { CatalogueEntry } from '../format/index.js';
import { compareWithState, rescueCheckpoint, type StateDifference } from '../maintenance/index.js';
import type { Group, StateValue } from '../tensor/index.js';
import { Manager } from './manager.js';
import type { ManagerOptions } from './manager-options.js';
import { type Resumed, type ResumeOptions, resumeRun } from './resume.js';
import { RunOrigin } from './run-origin.js';
import { type SaveHandle, type SaveStateOptions, StagedHandle } from './save-handle.js';
import { type OnBusy, SaveQueue } from './save-queue.js';
import { type SignalOptions, SignalWatch } from './signal-watch.js';

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

export interface SaveOnSignalOptions extends SignalOptions {
  /**
   * Returns the state to be saved, which is copied before anything else runs. It is called between two turns of the event loop: a
   * program whose steps await something half-way uses `Manager.saveOnSignal`.
   */
  state: () => StateValue;
}

export class Run {
  readonly name: string;
  private readonly context: StoreContext;
  private readonly origin = new RunOrigin();
  private readonly queue: SaveQueue;
  private readonly managers: Manager[] = [];
  private readonly signalWatches: SignalWatch[] = [];

  constructor(context: StoreContext, name: string) {
    this.context = context;
    this.name = name;
    this.queue = new SaveQueue(context, name, this.origin);
  }

  /**
   * Saves a state: nested plain objects and arrays of tensors and plain data. Resolves once every byte is copied, which
   * waits for the save before; `handle.committed` resolves once the checkpoint is durable. The state must not change until this has
   * resolved. Top-level keys `model`, `optimizer`, `scheduler`, `rng` and `loader` name groups, `progress.step`, `progress.epoch` and
   * `metrics` go on record. Throws `invalid`, naming the path, for a value that cannot be stored; and, instead of saving, the
   * error of an earlier save that nobody has seen.
   */
  async save(state: StateValue, options?: SaveStateOptions): Promise<SaveHandle>;
  /**
   * The same, if another save of the run is still under way: `skip` returns undefined at once; `coalesce` waits, unless a newer save
   * does, too: then it returns undefined, and the newer one's state is the one that is saved.
   */
  async save(
    state: StateValue,
    options: SaveStateOptions & { onBusy: OnBusy },
  ): Promise<SaveHandle | undefined>;
  async save(
    state: StateValue,
    options: SaveStateOptions & { onBusy?: OnBusy } = {},
  ): Promise<SaveHandle | undefined> {
    this.queue.failures.throwUnseen();
    const plan = planState(state);
    const staged = await this.queue.add(() => plan, options);
    return staged && new StagedHandle(staged.committed);
  }

  /** Returns a manager, which saves periodically and keeps what policies say. Close it, or the store, at the end. */
  manager(options: ManagerOptions): Manager {
    const { context, name, queue, origin } = this;
    const manager = new Manager({ context, run: name, queue, origin }, options);
    this.managers.push(manager);
    return manager;
  }

  /**
   * Saves when the process gets one of these signals, after the save under way if there is one. Past the deadline it is given up, and
   * leaves nothing. See `SignalOptions` for what happens to the process.
   */
  saveOnSignal(signals: readonly NodeJS.Signals[], { state, ...options }: SaveOnSignalOptions): SignalWatch {
    const watch = new SignalWatch(signals, options, async (deadline) => {
      return (await this.queue.add(() => planState(state()), { signal: deadline }))?.committed.take();
    });
    this.signalWatches.push(watch);
    return watch;
  }

  /**
   * Returns a stored state. `ref` is `latest` (default), `step:N`, `best:METRIC[:min|max]`, optionally with `~N`, or any ref
   * of the store. Throws `not-found` (also for groups that retention dropped), `corrupt`, `invalid` for a checkpoint that was saved from files, or `conflict` for arrays
   * to restore into that differ from those saved.
   */
  async restore(ref = 'latest', options: RestoreStateOptions = {}): Promise<StateValue> {
    const { state, entry } = await withFreshRoot(this.context, async (root) => {
      const { entry } = await resolveRef(this.context.catalogue, root, this.own(ref));
      return { state: await this.read(entry, options), entry };
    });
    this.origin.restored(entry);
    return state;
  }

  /**
   * Goes on where the run stopped: restores its newest checkpoint whose every byte is right, going back over damaged ones and
   * saying so. Undefined if there is none yet. With `into`, throws `conflict` naming each tensor and group that differs,
   * before anything is written; throws `corrupt` if every checkpoint is damaged.
   */
  async resume(options: ResumeOptions = {}): Promise<Resumed | undefined> {
    const resumed = await resumeRun(this.context, this.name, options);
    if (resumed !== undefined) this.origin.resumed(resumed.checkpoint);
    return resumed;
  }

  /**
   * Compares a state with a stored one, every byte of its tensors (read and checked for this) and all plain data, and says what
   * differs. `ref` as for `restore`.
   */
  verify(state: StateValue, ref = 'latest', options: VerifyOptions = {}): Promise<VerifyResult> {
    return withFreshRoot(this.context, async (root) => {
      const { run, entry } = await resolveRef(this.context.catalogue, root, this.own(ref));
      const loaded = await this.context.cache.checkpoint(entry);
      assertKept(loaded, options.groups);
      const { differences, bytes } = await compareWithState(this.context, loaded, state, options);
      const { id, step } = entry;
      return { id, run, step, equal: differences.length === 0, differences, bytes };
    });
  }

  /** Resolves once neither a save of this run nor a manager's work after one is under way, whether they succeeded or not. */
  async settled(): Promise<void> {
    await this.queue.settled();
    await Promise.all(this.managers.map((manager) => manager.settled()));
  }

  /** Waits for all that is under way and stops listening to signals; returns the errors that nobody has waited for. */
  async release(): Promise<unknown[]> {
    for (const watch of this.signalWatches.splice(0)) watch.dispose();
    for (const manager of this.managers) manager.release();
    await this.settled();
    this.managers.splice(0);
    return this.queue.failures.takeUnseen();
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

  private async read(entry: CatalogueEntry, options: RestoreStateOptions): Promise<StateValue> {
    if (options.allowDamaged === undefined)
      return readState(this.context, await this.context.cache.checkpoint(entry), options);
    const { all, lost } = await rescueCheckpoint(this.context, entry, {});
    const state = await readState(this.context, all, options, lost.tensors);
    if (lost.tensors.length > 0) options.allowDamaged(lost.tensors);
    return state;
  }

  private own(ref: string): string {
    return /^(latest|step:|best:)/.test(ref) ? `${this.name}@${ref}` : ref;
  }
}
