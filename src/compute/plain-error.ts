/** Errors on their way between threads. */
import { type ErrorKind, isThetalogError, ThetalogError } from '../errors.js';

/** An error as plain data: classes do not survive the way between threads. */
export interface PlainError {
  readonly kind: ErrorKind | undefined;
  readonly code: string;
  readonly message: string;
  readonly object: string | undefined;
  readonly offset: number | undefined;
  readonly hint: string | undefined;
}

export function toPlainError(error: unknown): PlainError {
  if (isThetalogError(error)) {
    const { kind, code, message, object, offset, hint } = error;
    return { kind, code, message, object, offset, hint };
  }
  const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return { kind: undefined, code: '', message, object: undefined, offset: undefined, hint: undefined };
}

export function fromPlainError({ kind, code, message, object, offset, hint }: PlainError): Error {
  return kind === undefined
    ? new Error(`in a worker thread: ${message}`)
    : new ThetalogError(kind, code, message, { object, offset, hint });
}
