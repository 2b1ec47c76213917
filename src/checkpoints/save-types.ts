/** What a save says of itself. */
import type { DType } from '../tensor/index.js';
import type { Warning } from './types.js';

export interface SaveResult {
  id: string;
  run: string;
  step: number | null;
  logicalBytes: number;
  /** Sum of the sizes of the files that this save added to the store. */
  storedBytes: number;
  seconds: number;
  warnings: Warning[];
  /** When it did what, in order. */
  timeline: SavePhase[];
  /** With the option `explain`. */
  explain?: SaveExplanation;
}

/**
 * A phase of a save, in milliseconds since it was asked for. `stage`: a state is compared with the one before and copied (what comes
 * earlier is waiting for other saves of the run; files have no such phase); `compare`: the manifest and index of the parent, which
 * everything is compared with, are read; `encode`: chunks are encoded, and packs that are full are written; `write`: the last
 * pack, index and manifest are; `commit`: the root is replaced. What gc forced to start over is there twice.
 */
export interface SavePhase {
  phase: 'stage' | 'compare' | 'encode' | 'write' | 'commit';
  beginMs: number;
  endMs: number;
}

/** Where the bytes of a save went: the stored bytes of all groups and those of the metadata are `storedBytes`. */
export interface SaveExplanation {
  groups: ExplainedGroup[];
  /** Objects and parts of objects that hold no chunk. */
  metadata: { object: string; bytes: number }[];
  storedBytes: number;
}

/** The chunks of one kind of tensors that were predicted in one way. */
export interface ExplainedGroup {
  /** A group of tensors, or `skeleton`, `file`, `plain data`. */
  group: string;
  /** `weights`, an optimizer's slot such as `exp_avg`, `several` where small tensors are packed together, or nothing. */
  slot: string;
  dtype: DType;
  /**
   * `none`, `base`, `cast`, an update rule such as `adam-weights`; `unchanged` for chunks that the base checkpoint has,
   * `repeated` for those that this one has twice.
   */
  predictor: string;
  chunks: number;
  elements: number;
  rawBytes: number;
  storedBytes: number;
  bitsPerElement: number;
  /** Time of prediction and encoding, over all threads. */
  encodeMs: number;
  /** What the rule was given, as far as all chunks agree: hyperparameters, step, order of operations (FORMAT.md, "Rules"). */
  settings: Record<string, number | string | boolean>;
}
