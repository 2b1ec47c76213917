/**
 * Saves when the process gets a signal: before a machine is taken away, a job runs out of time, somebody stops it. The only place
 * in the library that listens to signals. It prints nothing, and ends the process only by the signal itself (`reraise`).
 */
import { isMainThread } from 'node:worker_threads';
import type { SaveResult } from '../checkpoints/index.js';
import { ThetalogError } from '../errors.js';

export interface SignalOptions {
  /**
   * Milliseconds from the signal until saving is given up. Default: 25,000, as Kubernetes and Slurm kill 30 seconds after SIGTERM. A
   * program that does not let the event loop turn cannot be held to it.
   */
  deadlineMs?: number;
  /**
   * Raise the signal again when all is done, without our listener: the process then ends by it, as if nobody had listened, with the
   * exit status that whoever sent it looks for. Not done where the program itself listens to it, too: then ending is its affair.
   * Default: true for SIGTERM, SIGINT and SIGHUP, whose sender wants the process to end; false for others, such as SIGUSR1, a warning.
   */
  reraise?: boolean;
  /** Told of what came of it, and waited for until the deadline, before the signal is raised again. */
  onDone?: (outcome: SignalOutcome) => void | Promise<void>;
}

/** What came of a signal. Whatever it is, the store is sound, and the run's latest checkpoint is this one or the one before. */
export type SignalOutcome =
  | { signal: NodeJS.Signals; outcome: 'saved'; result: SaveResult }
  /** The deadline passed, or the manager was closed, before there was a state to save. */
  | { signal: NodeJS.Signals; outcome: 'abandoned' }
  | { signal: NodeJS.Signals; outcome: 'failed'; error: unknown };

const DEADLINE_MS_DEFAULT = 25_000;
const ENDING: readonly NodeJS.Signals[] = ['SIGTERM', 'SIGINT', 'SIGHUP'];

/** Saves; gives up, or not, once the signal fires. Undefined: there was nothing to save. */
export type SaveForSignal = (deadline: AbortSignal) => Promise<SaveResult | undefined>;

/** Listens to signals until it is disposed of, or its run's manager or store is closed. */
export class SignalWatch {
  private readonly options: SignalOptions;
  private readonly save: SaveForSignal;
  private readonly listeners = new Map<NodeJS.Signals, () => void>();
  private readonly handled = new Set<NodeJS.Signals>();
  private saving: Promise<SaveResult | undefined> | undefined;

  /** Use `Run.saveOnSignal` or `Manager.saveOnSignal`. */
  constructor(signals: readonly NodeJS.Signals[], options: SignalOptions, save: SaveForSignal) {
    if (!isMainThread) {
      throw new ThetalogError('unsupported', 'no-signals', 'Worker threads get no signals.', {
        hint: 'Listen on the main thread and tell the worker, or save there.',
      });
    }
    this.options = options;
    this.save = save;
    for (const signal of new Set(signals)) {
      const listener = (): void => void this.handle(signal);
      this.listeners.set(signal, listener);
      process.on(signal, listener);
    }
  }

  /** Stops listening. What a signal has begun goes on. */
  dispose(): void {
    for (const signal of [...this.listeners.keys()]) this.unlisten(signal);
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  /** A signal that comes again while it is seen to changes nothing; another one joins in the save that is under way. */
  private async handle(signal: NodeJS.Signals): Promise<void> {
    if (this.handled.has(signal)) return;
    this.handled.add(signal);
    try {
      const deadline = AbortSignal.timeout(this.options.deadlineMs ?? DEADLINE_MS_DEFAULT);
      const passed = fired(deadline);
      const outcome = await this.outcomeOf(signal, deadline, passed);
      await Promise.race([this.options.onDone?.(outcome), passed]);
    } finally {
      this.handled.delete(signal);
      if (this.options.reraise ?? ENDING.includes(signal)) this.raise(signal);
    }
  }

  private async outcomeOf(
    signal: NodeJS.Signals,
    deadline: AbortSignal,
    passed: Promise<undefined>,
  ): Promise<SignalOutcome> {
    this.saving ??= this.save(deadline).finally(() => {
      this.saving = undefined;
    });
    try {
      const result = await Promise.race([this.saving, passed]);
      return result === undefined ? { signal, outcome: 'abandoned' } : { signal, outcome: 'saved', result };
    } catch (error) {
      return deadline.aborted ? { signal, outcome: 'abandoned' } : { signal, outcome: 'failed', error };
    }
  }

  private raise(signal: NodeJS.Signals): void {
    this.unlisten(signal);
    if (process.listenerCount(signal) === 0) process.kill(process.pid, signal);
  }

  private unlisten(signal: NodeJS.Signals): void {
    const listener = this.listeners.get(signal);
    this.listeners.delete(signal);
    if (listener !== undefined) process.off(signal, listener);
  }
}

/** Resolves when the signal fires. */
function fired(signal: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve(undefined), { once: true });
  });
}
