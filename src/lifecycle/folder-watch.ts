/** Takes the checkpoints in that a training program leaves in a folder: `thetalog watch`. */
import type { StoreContext } from '../checkpoints/index.js';
import { isThetalogError, ThetalogError, throwIfAborted } from '../errors.js';
import { assertRunName } from '../format/index.js';
import { type FolderCheckpoint, findCheckpoints } from './checkpoint-folder.js';
import { ProgressFinder } from './checkpoint-order.js';
import { FolderIntake } from './folder-intake.js';
import { Settling, type Waiting } from './settling.js';
import { finishRemovals } from './source-removal.js';
import { WatchProblems } from './watch-problems.js';
import type { WatchOptions, WatchResult } from './watch-types.js';

const SETTLE_MS_DEFAULT = 3_000;
const INTERVAL_MS_DEFAULT = 2_000;
/** The rest between two looks is so many times as long as a look: a server of many files has other work, too. */
const REST_FACTOR = 9;
const REST_MS_MIN = 20;
/** What is not whole for so long, and at least so many times the time to settle, will hardly ever be: that is worth a word. */
const STALLED_MS = 60_000;
const STALLED_FACTOR = 10;

/** One look at the folder, and what came of it. */
interface Look {
  /** When what is there was seen. */
  seenAt: number;
  /** How long finding out what is there took. */
  lookMs: number;
  waiting: Waiting[];
  /** Checkpoints that were tried. */
  tried: number;
}

export class FolderWatch {
  private readonly context: StoreContext;
  private readonly folder: string;
  private readonly options: WatchOptions;
  private readonly settleMs: number;
  private readonly intervalMs: number;
  private readonly settling: Settling;
  private readonly order = new ProgressFinder();
  private readonly problems: WatchProblems;
  /** Entries that are to be taken in, as far as the last look could tell. */
  private wanted = new Set<string>();
  private missed = 0;

  /** Throws `invalid` for options that cannot be followed. */
  constructor(context: StoreContext, folder: string, options: WatchOptions) {
    assertRunName(options.run, 'run');
    this.context = context;
    this.folder = folder;
    this.options = options;
    this.settleMs = duration('settleMs', options.settleMs ?? SETTLE_MS_DEFAULT);
    this.intervalMs = duration('intervalMs', options.intervalMs ?? INTERVAL_MS_DEFAULT);
    const isMarked = options.marker !== undefined;
    this.settling = new Settling({ settleMs: this.settleMs, isMarked });
    this.problems = new WatchProblems(options, () => this.now());
  }

  /**
   * Ends when the signal fires, or with `once` when all was tried. Throws `aborted` if the signal came while a checkpoint was taken in, or,
   * with `once`, before the end.
   */
  async perform(): Promise<WatchResult> {
    const { context, folder, options, problems } = this;
    const { signal } = options;
    await findCheckpoints(folder, options, context.hasher);
    if (options.removeSourceFiles === true) await finishRemovals(folder);
    const intake = await FolderIntake.open(context, folder, options);
    let firstSeenAt: number | undefined;
    while (signal?.aborted !== true) {
      const look = await this.look(intake);
      firstSeenAt ??= look.seenAt;
      if (options.once === true && this.isOver(look, look.seenAt - firstSeenAt)) break;
      await context.environment.sleep(this.restMs(look), signal);
    }
    if (options.once === true) throwIfAborted(signal);
    return { run: options.run, ...intake.counts, missed: this.missed, problems: problems.open };
  }

  private async look(intake: FolderIntake): Promise<Look> {
    const begun = this.now();
    try {
      const found = await findCheckpoints(this.folder, this.options, this.context.hasher);
      const seenAt = this.now();
      this.settling.observe(found, seenAt);
      this.noteMissing(found);
      this.problems.solved(this.folder);
      const needed = found.filter((checkpoint) => intake.needs(checkpoint));
      const { whole, waiting } = await this.settling.sort(needed);
      const lookMs = this.now() - begun;
      const stalledMs = Math.max(STALLED_MS, STALLED_FACTOR * this.settleMs);
      for (const { checkpoint, reason, quietMs } of waiting)
        if (quietMs >= stalledMs) this.problems.waits(checkpoint, reason);
      const ready = whole.filter((checkpoint) => this.problems.mayTry(checkpoint));
      const tried = await this.takeAll(intake, await this.order.inOrder(ready, this.options.signal));
      this.wanted = namesOf(found.filter((checkpoint) => intake.isNew(checkpoint) && !checkpoint.lacks));
      return { seenAt, lookMs, waiting, tried };
    } catch (error) {
      if (!isThetalogError(error) || error.kind === 'aborted') throw error;
      this.problems.failed({ name: this.folder, state: '' }, error);
      return { seenAt: begun, lookMs: this.now() - begun, waiting: [], tried: 0 };
    }
  }

  /** Returns how many were tried: what fails for all of them ends the turn. */
  private async takeAll(intake: FolderIntake, ready: readonly FolderCheckpoint[]): Promise<number> {
    let tried = 0;
    for (const checkpoint of ready) {
      throwIfAborted(this.options.signal);
      tried += 1;
      try {
        await intake.take(checkpoint);
        this.problems.solved(checkpoint.name);
      } catch (error) {
        if (!isThetalogError(error) || error.kind === 'aborted') throw error;
        if (!this.problems.failed(checkpoint, error)) break;
      }
    }
    return tried;
  }

  private noteMissing(found: readonly FolderCheckpoint[]): void {
    const names = namesOf(found);
    for (const name of this.wanted) {
      if (names.has(name)) continue;
      this.missed += 1;
      const message = `${name} was deleted or renamed before it could be taken in.`;
      this.problems.mention(
        name,
        new ThetalogError('not-found', 'removed-too-early', message, { object: name }),
      );
    }
    this.problems.keepOnly(names.add(this.folder));
  }

  /**
   * What was still being written when all else had been tried is left to the next time. `seenForMs`: since the folder was first seen; how
   * long a look takes counts for nothing.
   */
  private isOver({ waiting, tried }: Look, seenForMs: number): boolean {
    if (this.problems.nextAttemptAt !== undefined) return false;
    if (waiting.length > 0 && (tried > 0 || seenForMs < 2 * this.settleMs)) return false;
    for (const { checkpoint, reason } of waiting) this.problems.waits(checkpoint, reason);
    return true;
  }

  /** Until something may be due, but no longer than the interval. */
  private restMs({ lookMs, waiting }: Look): number {
    const now = this.now();
    const next = this.problems.nextAttemptAt;
    const due = [
      this.intervalMs,
      ...waiting.map(({ quietMs }) => this.settleMs - quietMs).filter((ms) => ms > 0),
      ...(next === undefined || next <= now ? [] : [next - now]),
    ];
    return Math.max(REST_MS_MIN, lookMs * REST_FACTOR, Math.min(...due));
  }

  private now(): number {
    return this.context.environment.now();
  }
}

function namesOf(checkpoints: readonly FolderCheckpoint[]): Set<string> {
  return new Set(checkpoints.map(({ name }) => name));
}

function duration(name: string, milliseconds: number): number {
  if (milliseconds >= 0 && Number.isFinite(milliseconds)) return milliseconds;
  throw new ThetalogError('invalid', 'bad-duration', `${name} must be a number from 0 on.`, { object: name });
}
