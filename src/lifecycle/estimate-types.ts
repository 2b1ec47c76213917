/** What storing checkpoints would take. */
import type { OperationOptions, Warning } from '../checkpoints/index.js';
import type { DType } from '../tensor/index.js';
import type { FolderOptions } from './checkpoint-folder.js';
import type { WatchProblem } from './watch-types.js';

export interface EstimateOptions extends Omit<FolderOptions, 'marker'>, OperationOptions {
  /** Told of each checkpoint, in the order in which they would be stored. */
  onCheckpoint?: (checkpoint: EstimatedCheckpoint) => void;
}

export interface EstimatedCheckpoint {
  /** Its entry in the folder. */
  source: string;
  step: number | null;
  logicalBytes: number;
  /** What saving it would add to a store. */
  storedBytes: number;
  /** Reading and encoding it took so long; what a disk needs to write the stored bytes comes on top. */
  seconds: number;
  warnings: Warning[];
}

/** Tensors of one kind, of all checkpoints together. */
export interface EstimatedPart {
  /** A group of tensors, or `skeleton`, `file`. */
  group: string;
  /** `weights`, an optimizer's slot such as `exp_avg`, `several` where small tensors are packed together, or nothing. */
  slot: string;
  dtype: DType;
  rawBytes: number;
  /** Records that read no other checkpoint, and those that do. */
  fullBytes: number;
  deltaBytes: number;
}

export interface Estimate {
  checkpoints: EstimatedCheckpoint[];
  logicalBytes: number;
  storedBytes: number;
  /** Of the stored bytes: footers, indexes, manifests, catalogue, root. */
  metadataBytes: number;
  parts: EstimatedPart[];
  /** Logical bytes a second of reading and encoding all checkpoints, on this machine as busy as it is now. */
  saveBytesPerSecond: number;
  /** The same of decoding the last checkpoint, measured on a part of it; null if there is none. */
  restoreBytesPerSecond: number | null;
  /** What could not be looked at. */
  problems: Omit<WatchProblem, 'retry'>[];
}
