/** What a watch is asked for, and what it says. */
import type { OperationOptions, SaveResult } from '../checkpoints/index.js';
import type { ThetalogError } from '../errors.js';
import type { FolderOptions } from './checkpoint-folder.js';

export interface WatchOptions extends FolderOptions, OperationOptions {
  run: string;
  /** Take in what is there, in the order of steps, and end. Default: go on until the signal fires. */
  once?: boolean;
  /** Milliseconds for which nothing of a checkpoint may have changed before it is taken; not with a marker. Default: 3,000. */
  settleMs?: number;
  /** Milliseconds between two looks at the folder, at least. Default: 2,000. */
  intervalMs?: number;
  /** Delete files and folders once they are stored, read back, and found equal. Default: false. */
  removeSourceFiles?: boolean;
  /** Told of each checkpoint that was taken in. */
  onCheckpoint?: (taken: TakenCheckpoint) => void;
  /** Told of what cannot be taken in, once for each state that it is in. */
  onProblem?: (problem: WatchProblem) => void;
}

/** A checkpoint that is stored. */
export interface TakenCheckpoint extends SaveResult {
  /** Its entry in the folder. */
  source: string;
  /** Whether it was read back and found equal to its files: not if these were gone or changed by then. */
  verified: boolean;
  /** Whether its files were deleted. */
  removed: boolean;
}

export interface WatchProblem {
  /** An entry of the folder, or the folder. */
  source: string;
  error: ThetalogError;
  /** When it is tried again: after a while, when it changes, or not any more. */
  retry: 'later' | 'when-changed' | 'never';
}

export interface WatchResult {
  run: string;
  /** Checkpoints that were taken in. */
  taken: number;
  /** Checkpoints that were stored already. */
  present: number;
  /** Checkpoints that were deleted by somebody before they could be taken in. */
  missed: number;
  logicalBytes: number;
  storedBytes: number;
  /** What is in the folder and could not be taken in. */
  problems: WatchProblem[];
}
