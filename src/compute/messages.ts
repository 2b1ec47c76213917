/** What goes between the pool and its worker threads. */
import type { Job, Result } from './jobs.js';
import type { PlainError } from './plain-error.js';

export interface WorkerData {
  /** The compiled kernels; absent where there is no WebAssembly SIMD. */
  readonly kernels: object | undefined;
}

export interface JobMessage {
  readonly ticket: number;
  readonly job: Job;
}

export type ResultMessage =
  | { readonly ticket: number; readonly result: Result }
  | { readonly ticket: number; readonly error: PlainError };
