/** Errors of work in the background: whoever has taken its promise gets them; else the next call does, or closing. */
import { isThetalogError, ThetalogError } from '../errors.js';

/** Work in the background, whose end somebody may take. Its rejection is never an unhandled one. */
export class BackgroundWork<T> {
  private readonly work: Promise<T>;
  private taken = false;

  constructor(work: Promise<T>) {
    this.work = work;
    work.catch(() => {});
  }

  get isTaken(): boolean {
    return this.taken;
  }

  /** Returns the promise to somebody who sees to its rejection. */
  take(): Promise<T> {
    this.taken = true;
    return this.work;
  }
}

export class Failures {
  private readonly kept: { error: unknown; work: BackgroundWork<unknown> }[] = [];

  /** Keeps the error of work that failed, for whoever calls next, unless its promise is taken until then. */
  keep(error: unknown, work: BackgroundWork<unknown>): void {
    if (!work.isTaken) this.kept.push({ error, work });
  }

  /** Forgets the errors that nobody has seen and returns them. */
  takeUnseen(): unknown[] {
    return this.kept.splice(0).flatMap(({ error, work }) => (work.isTaken ? [] : [error]));
  }

  /** Throws what nobody has seen yet, once. */
  throwUnseen(): void {
    throwAll(this.takeUnseen());
  }
}

/** Throws the error, or one that names all if there are several. */
export function throwAll(errors: readonly unknown[]): void {
  if (errors.length === 0) return;
  const [first] = errors;
  if (errors.length === 1 || !isThetalogError(first)) throw first;
  const messages = errors.map((error) => (error instanceof Error ? error.message : String(error)));
  throw new ThetalogError(first.kind, first.code, messages.join(' '), {
    object: first.object,
    hint: first.hint,
    cause: new AggregateError(errors),
  });
}
