/** What comes out of comparing two checkpoints. */
import type { DType, Group } from '../tensor/index.js';
import type { OperationOptions } from './types.js';

/** Which tensors to compare, and how. */
export interface DiffOptions extends OperationOptions {
  /** Glob over tensor names (`*` any characters, `?` one). Default: all. */
  tensors?: string;
  /** Only tensors of these groups. */
  groups?: Group[];
  /** Also say how large the tensors that changed were; for that chunks are read that are equal, too. */
  norms?: boolean;
}

/** Distances are of elements as numbers, complex ones included; they are null for `bool`, `bytes` and other dtype or shape. */
export interface TensorDifference {
  name: string;
  group: Group;
  change: 'added' | 'removed' | 'changed' | 'equal';
  dtype: [DType | null, DType | null];
  shape: [number[] | null, number[] | null];
  elements: number;
  /** Elements whose bytes differ; null where dtype or shape differ. */
  changedElements: number | null;
  /** Euclidean norm of the difference, and its largest absolute value; pairs with a NaN apart. */
  l2: number | null;
  maxAbs: number | null;
  /** Elements that are NaN (infinite) in `b` and were not in `a`. */
  newNan: number | null;
  newInfinite: number | null;
  /** With the option `norms`: Euclidean norm of the tensor in `a`; null where it is equal. */
  l2Before?: number | null;
}

/** A value that is no tensor, by its path: of the plain data of a state, or `progress`, `metrics` and `meta` on record. */
export interface PlainDifference {
  path: string;
  change: 'added' | 'removed' | 'changed';
  before: null | boolean | number | bigint | string;
  after: null | boolean | number | bigint | string;
}

export interface Difference {
  a: string;
  b: string;
  tensors: TensorDifference[];
  files: { path: string; change: 'added' | 'removed' | 'changed' | 'equal' }[];
  plain: PlainDifference[];
  /** Groups that retention dropped from one of the two: their tensors are not compared. */
  droppedGroups: Group[];
}
