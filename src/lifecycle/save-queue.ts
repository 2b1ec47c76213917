/** The saves of one run, one after another: a state is staged when the one before is durable, and committed in the background. */
import {
  assertRequest,
  type SaveOptions,
  type SavePlan,
  type SaveResult,
  SaveTimeline,
  StagingMemory,
  type StoreContext,
} from '../checkpoints/index.js';
import { throwIfAborted } from '../errors.js';
import { BackgroundWork, Failures } from './failures.js';
import type { RunOrigin } from './run-origin.js';
import { savePlan } from './save-plan.js';

/** What a save does that finds another one of its run under way. */
export type OnBusy = 'wait' | 'skip' | 'coalesce';

export interface QueuedSaveOptions extends SaveOptions {
  synchronous?: boolean;
  onBusy?: OnBusy;
  /** See `SaveRequest`. */
  labelMayLack?: boolean;
}

/** A save whose state is staged. */
export interface StagedSave {
  /** For whoever asked for it. */
  readonly committed: BackgroundWork<SaveResult>;
  /** The same for the library's own use. */
  readonly done: Promise<SaveResult>;
}

/** A save that has asked for its turn. */
interface Turn {
  /** Resolves when all saves before it are through. */
  readonly begins: Promise<void>;
  /** Lets the next one begin, once those before are through, too. May be called again. */
  end(): void;
}

export class SaveQueue {
  /** Errors of saves, and of what managers do in the background. */
  readonly failures = new Failures();
  private readonly context: StoreContext;
  private readonly run: string;
  private readonly origin: RunOrigin;
  private readonly memory: StagingMemory;
  private last: Promise<void> = Promise.resolve();
  /** Saves that wait or are under way. */
  private length = 0;
  /** Sends away the save with `coalesce` that waits. */
  private supersede: (() => void) | undefined;

  constructor(context: StoreContext, run: string, origin: RunOrigin) {
    this.context = context;
    this.run = run;
    this.origin = origin;
    this.memory = new StagingMemory(context.baseMemory);
  }

  /**
   * Saves what `makePlan` plans, which is called and staged in one go when it is this save's turn. Returns undefined, and has not
   * looked at the state, if the run was busy (`skip`) or a newer save took its turn (`coalesce`).
   */
  async add(makePlan: () => SavePlan, options: QueuedSaveOptions): Promise<StagedSave | undefined> {
    const { onBusy = 'wait', synchronous = false, ...request } = options;
    throwIfAborted(request.signal);
    if (this.length > 0 && onBusy === 'skip') return undefined;
    const timeline = new SaveTimeline(() => this.context.environment.now());
    const started = this.context.environment.now();
    const turn = this.takeTurn();
    try {
      if (this.length > 1 && !(await this.awaitTurn(turn, onBusy, request.signal))) {
        turn.end();
        return undefined;
      }
      const plan = makePlan();
      assertRequest(plan, { ...request, run: this.run });
      const staged = this.stage(plan, synchronous, timeline);
      // What was copied may wait: whoever asked goes on first.
      const begins = synchronous ? undefined : new Promise(setImmediate);
      const done = this.commit(plan, request, started, timeline, begins).finally(() => {
        staged.release();
        turn.end();
      });
      const committed = new BackgroundWork(done);
      if (synchronous) await committed.take();
      else done.catch((error: unknown) => this.failures.keep(error, committed));
      return { committed, done };
    } catch (error) {
      turn.end();
      throw error;
    }
  }

  /** Resolves once no save is under way, whether they succeeded or not. */
  async settled(): Promise<void> {
    await this.last;
  }

  private takeTurn(): Turn {
    const begins = this.last;
    let resolve = (): void => {};
    const ended = new Promise<void>((resolveEnded) => {
      resolve = resolveEnded;
    });
    let isOpen = true;
    const end = (): void => {
      if (isOpen) this.length -= 1;
      isOpen = false;
      resolve();
    };
    this.length += 1;
    this.last = begins.then(() => ended);
    return { begins, end };
  }

  /** Returns false for a save that a newer one has sent away; throws once the signal fires. */
  private async awaitTurn(turn: Turn, onBusy: OnBusy, signal: AbortSignal | undefined): Promise<boolean> {
    let leave: (begins: boolean) => void = () => {};
    const left = new Promise<boolean>((resolve) => {
      leave = resolve;
    });
    const supersede = (): void => leave(false);
    const abort = (): void => leave(true);
    if (onBusy === 'coalesce') {
      this.supersede?.();
      this.supersede = supersede;
    }
    signal?.addEventListener('abort', abort);
    try {
      const begins = await Promise.race([turn.begins.then(() => true), left]);
      throwIfAborted(signal);
      return begins;
    } finally {
      signal?.removeEventListener('abort', abort);
      if (this.supersede === supersede) this.supersede = undefined;
    }
  }

  private stage(plan: SavePlan, synchronous: boolean, timeline: SaveTimeline): { release(): void } {
    const { chunkElements } = this.context.config;
    timeline.begin('stage');
    const staged = synchronous
      ? this.memory.stageLazily(plan, chunkElements)
      : this.memory.stage(plan, chunkElements);
    timeline.end();
    plan.staged = staged;
    return staged;
  }

  private async commit(
    plan: SavePlan,
    options: SaveOptions,
    started: number,
    timeline: SaveTimeline,
    begins: Promise<unknown> | undefined,
  ): Promise<SaveResult> {
    await begins;
    const request = { ...options, run: this.run, resumedFrom: this.origin.parentOfNext };
    const {
      entry,
      storedBytes,
      explain,
      timeline: phases,
    } = await savePlan(this.context, plan, request, timeline);
    this.origin.saved(entry.parent);
    return {
      id: entry.id,
      run: this.run,
      step: entry.step,
      logicalBytes: entry.logicalBytes,
      storedBytes,
      seconds: (this.context.environment.now() - started) / 1000,
      warnings: plan.warnings,
      timeline: phases,
      ...(explain && { explain }),
    };
  }
}
