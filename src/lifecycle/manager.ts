/** Saves a run periodically and keeps what policies say: the checkpoints of a training loop without glue. */
import {
  type ForgetDecision,
  type KeepPolicy,
  LabelTemplate,
  planState,
  progressOf,
  type SaveResult,
  type StoreContext,
} from '../checkpoints/index.js';
import { ThetalogError } from '../errors.js';
import type { StateValue } from '../tensor/index.js';
import { BackgroundWork } from './failures.js';
import { gcIntervalOf, type ManagerOptions, policiesOf } from './manager-options.js';
import { RetentionLoop } from './retention-loop.js';
import type { RunOrigin } from './run-origin.js';
import { type ManagedSave, type SaveStateOptions, StagedManagedSave } from './save-handle.js';
import type { OnBusy, SaveQueue } from './save-queue.js';
import { SaveSchedule, type TrainingProgress } from './save-schedule.js';
import { type SignalOptions, SignalWatch } from './signal-watch.js';

/** A save of a manager, and its end, for the library's own use. */
interface BegunSave {
  save: ManagedSave;
  done: Promise<SaveResult>;
}

/** What a manager needs of its run. */
export interface ManagedRun {
  context: StoreContext;
  run: string;
  queue: SaveQueue;
  origin: RunOrigin;
}

/** A signal that waits for the next `maybeSave`. */
interface Request {
  resolve(saving: Promise<SaveResult> | undefined): void;
  reject(error: unknown): void;
}

export class Manager {
  /** What stays: all policies that the options came to, OR-ed; none: everything. */
  readonly policies: readonly KeepPolicy[];
  private readonly managed: ManagedRun;
  private readonly label: string | undefined;
  private readonly onBusy: OnBusy;
  private readonly schedule: SaveSchedule;
  private readonly retention: RetentionLoop;
  private readonly signalWatches: SignalWatch[] = [];
  /** Settles when all passes that follow the saves so far have. */
  private passes: Promise<unknown> = Promise.resolve();
  private hasLabelled = false;
  private requests: Request[] = [];
  private isClosed = false;

  /** Use `Run.manager`. Throws `invalid` for policies, intervals and labels that cannot be followed. */
  constructor(managed: ManagedRun, options: ManagerOptions) {
    const { context, run, origin } = managed;
    this.managed = managed;
    this.policies = policiesOf(options);
    this.label = options.label;
    if (this.label !== undefined) new LabelTemplate(this.label);
    this.onBusy = options.onBusy ?? 'wait';
    this.schedule = new SaveSchedule(options.every ?? {}, origin, () => context.environment.now());
    this.retention = new RetentionLoop(context, run, origin, this.policies, gcIntervalOf(options));
  }

  /** Returns whether `maybeSave` would save at this point; asking changes nothing. */
  shouldSave(progress: TrainingProgress): boolean {
    return this.requests.length > 0 || this.schedule.isDue(progress);
  }

  /**
   * Saves if that is due by `state.progress` (or the step and epoch of the options), or if a signal has asked for it; to be
   * called after every step. Returns undefined if nothing was saved: it was not due, or `onBusy` passed it over, and the next one is
   * due an interval later. The state must not change until this has resolved. Throws the error of an earlier save or
   * retention that nobody has waited for, as soon as there is one.
   */
  async maybeSave(state: StateValue, options: SaveStateOptions = {}): Promise<ManagedSave | undefined> {
    this.assertOpen();
    this.managed.queue.failures.throwUnseen();
    const requests = this.requests.splice(0);
    if (requests.length === 0) {
      const isDue = this.schedule.isDue(progressWith(state, options));
      return isDue ? (await this.begin(state, options, this.onBusy))?.save : undefined;
    }
    try {
      const { save, done } = await this.beginAtOnce(state, options);
      for (const { resolve } of requests) resolve(done);
      return save;
    } catch (error) {
      for (const { reject } of requests) reject(error);
      throw error;
    }
  }

  /** Saves now, due or not, and waits for a save under way; otherwise like `maybeSave`. */
  async save(state: StateValue, options: SaveStateOptions = {}): Promise<ManagedSave> {
    this.assertOpen();
    this.managed.queue.failures.throwUnseen();
    return (await this.beginAtOnce(state, options)).save;
  }

  /** Says of each checkpoint of the run why it stays, or that the next pass would drop it. */
  decisions(): Promise<ForgetDecision[]> {
    return this.retention.decide();
  }

  /**
   * Saves when the process gets one of these signals: the next `maybeSave` is due, so that it is the state between two steps that
   * is saved. See `SignalOptions` for the deadline and what happens to the process.
   */
  saveOnSignal(signals: readonly NodeJS.Signals[], options: SignalOptions = {}): SignalWatch {
    this.assertOpen();
    const watch = new SignalWatch(signals, options, () => {
      return new Promise((resolve, reject) => {
        this.requests.push({ resolve, reject });
      });
    });
    this.signalWatches.push(watch);
    return watch;
  }

  /** Resolves once neither a save of the run nor a retention pass is under way, whether they succeeded or not. */
  async settled(): Promise<void> {
    await this.managed.queue.settled();
    await this.passes;
  }

  /** Waits for all that is under way and stops listening to signals; throws the errors that nobody has waited for. */
  async close(): Promise<void> {
    this.release();
    await this.settled();
    this.managed.queue.failures.throwUnseen();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** What closing does at once. */
  release(): void {
    this.isClosed = true;
    for (const watch of this.signalWatches.splice(0)) watch.dispose();
    for (const { resolve } of this.requests.splice(0)) resolve(undefined);
  }

  private async beginAtOnce(state: StateValue, options: SaveStateOptions): Promise<BegunSave> {
    const begun = await this.begin(state, options, 'wait');
    if (begun === undefined) throw new Error('a save that waits was passed over');
    return begun;
  }

  private async begin(
    state: StateValue,
    options: SaveStateOptions,
    onBusy: OnBusy,
  ): Promise<BegunSave | undefined> {
    const { queue } = this.managed;
    const plan = planState(state);
    const labelMayLack = this.hasLabelled && options.label === undefined;
    this.schedule.restart(progressWith(state, options));
    const staged = await queue.add(() => plan, { label: this.label, labelMayLack, ...options, onBusy });
    if (staged === undefined) return undefined;
    this.hasLabelled = true;
    const { committed, done } = staged;
    const pass = done.then(({ id }) => this.retention.pass(id));
    const retained = new BackgroundWork(pass);
    this.passes = Promise.allSettled([this.passes, pass]);
    // A save that failed says so itself.
    void done.then(
      () => pass.catch((error: unknown) => queue.failures.keep(error, retained)),
      () => {},
    );
    return { save: new StagedManagedSave(committed, retained), done };
  }

  private assertOpen(): void {
    if (!this.isClosed) return;
    throw new ThetalogError('invalid', 'manager-closed', 'The manager is closed.', {
      hint: 'Make another one: run.manager(...)',
    });
  }
}

function progressWith(state: StateValue, options: SaveStateOptions): TrainingProgress {
  const { step, epoch } = progressOf(state);
  return { step: options.step ?? step, epoch: options.epoch ?? epoch };
}
