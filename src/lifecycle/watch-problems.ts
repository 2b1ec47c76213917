/** What a watch could not take in: each problem is told once for each state of the checkpoint, and says when it is tried again. */
import { ThetalogError } from '../errors.js';
import type { FolderCheckpoint } from './checkpoint-folder.js';
import type { WatchOptions, WatchProblem } from './watch-types.js';

/** Milliseconds before the second attempt; doubled for each further one. */
const RETRY_MS = 1_000;
const RETRY_MS_MAX = 60_000;
/** Attempts at a checkpoint of a watch that is to end. */
const ATTEMPTS_ONCE = 3;

/** Code of the error for a checkpoint that was stored and does not come back as it is. */
export const NOT_VERIFIED = 'not-verified';

interface Tried {
  problem: WatchProblem;
  state: string;
  attempts: number;
  /** It is not tried before; Infinity: not in this state. */
  notBefore: number;
  isTold: boolean;
}

export class WatchProblems {
  private readonly options: Pick<WatchOptions, 'once' | 'onProblem'>;
  private readonly now: () => number;
  private tried = new Map<string, Tried>();

  constructor(options: Pick<WatchOptions, 'once' | 'onProblem'>, now: () => number) {
    this.options = options;
    this.now = now;
  }

  /** What is still to be told at the end. */
  get open(): WatchProblem[] {
    return [...this.tried.values()].map(({ problem }) => problem);
  }

  /** When the next attempt is due; undefined: none is, unless something changes. */
  get nextAttemptAt(): number | undefined {
    const times = [...this.tried.values()].flatMap(({ problem, notBefore }) =>
      problem.retry === 'later' ? [notBefore] : [],
    );
    return times.length === 0 ? undefined : Math.min(...times);
  }

  mayTry({ name, state }: Pick<FolderCheckpoint, 'name' | 'state'>): boolean {
    const known = this.tried.get(name);
    return known === undefined || known.state !== state || this.now() >= known.notBefore;
  }

  /** Takes an error of an attempt. Returns false if others will fail likewise. */
  failed({ name, state }: Pick<FolderCheckpoint, 'name' | 'state'>, error: ThetalogError): boolean {
    const known = this.tried.get(name);
    const attempts = (known?.state === state || isRace(error) ? (known?.attempts ?? 0) : 0) + 1;
    const isLast = this.options.once === true && (attempts >= ATTEMPTS_ONCE || !isTransient(error));
    const retry = isLast ? 'never' : isTransient(error) ? 'later' : 'when-changed';
    const pause = Math.min(RETRY_MS_MAX, RETRY_MS * 2 ** (attempts - 1));
    const notBefore = retry === 'later' ? this.now() + pause : Number.POSITIVE_INFINITY;
    // That a file changed while it was read is no news, as long as it is tried again.
    const isQuiet = isRace(error) && retry === 'later';
    this.tell(name, { problem: { source: name, error, retry }, state, attempts, notBefore }, isQuiet);
    return error.kind !== 'unavailable' || error.code === 'file-unreadable';
  }

  /** Says that a checkpoint is not taken as it is; it is looked at again nevertheless. */
  waits({ name, state }: FolderCheckpoint, reason: string): void {
    const retry = this.options.once === true ? 'never' : 'when-changed';
    const error = new ThetalogError('conflict', 'incomplete', `${name} is not complete: ${reason}.`, {
      object: name,
      hint: 'Once nothing writes to it any more, `thetalog save` takes it as it is.',
    });
    this.tell(name, { problem: { source: name, error, retry }, state, attempts: 0, notBefore: 0 });
  }

  /** Tells of something that nobody can do anything about any more. */
  mention(source: string, error: ThetalogError): void {
    this.options.onProblem?.({ source, error, retry: 'never' });
  }

  solved(name: string): void {
    this.tried.delete(name);
  }

  /** Forgets what concerns entries that are not there any more. */
  keepOnly(names: ReadonlySet<string>): void {
    for (const name of this.tried.keys()) if (!names.has(name)) this.tried.delete(name);
  }

  private tell(name: string, next: Omit<Tried, 'isTold'>, isQuiet = false): void {
    const known = this.tried.get(name);
    const { error, retry } = next.problem;
    const isNews =
      known?.isTold !== true ||
      known.problem.error.code !== error.code ||
      known.problem.retry !== retry ||
      (known.state !== next.state && !isRace(error));
    this.tried.set(name, { ...next, isTold: !isQuiet });
    if (isNews && !isQuiet) this.options.onProblem?.(next.problem);
  }
}

/** A file that its writer changed, or deleted, while it was read. */
function isRace({ code }: ThetalogError): boolean {
  return code === 'file-changed' || code === 'no-such-file';
}

/** What may be gone by itself, or be mended: a full disk, a server that does not answer, another writer of the store, damage in it. */
function isTransient(error: ThetalogError): boolean {
  const { kind, code } = error;
  return kind === 'unavailable' || kind === 'conflict' || code === NOT_VERIFIED || isRace(error);
}
