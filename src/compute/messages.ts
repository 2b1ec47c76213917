/** What goes between the pool and its worker threads. */
import { type ErrorKind, isThetalogError, ThetalogError } from '../errors.js';
import type { Job, Outcome } from './jobs.js';

export interface WorkerData {
  /** The compiled kernels; absent where there is no WebAssembly SIMD. */
  readonly kernels: object | undefined;
}

export interface JobMessage {
  readonly ticket: number;
  readonly job: Job;
}

export type ResultMessage =
  | { readonly ticket: number; readonly result: Outcome['result'] }
  | { readonly ticket: number; readonly error: PlainError };

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
