/**
 * What a format adapter finds: the tensor ranges of a file. It never copies or rewrites bytes; everything between the
 * ranges is the file's skeleton, kept verbatim by the engine. A wrong parse can cost ratio, never a byte.
 */
import type { DType, Group, ParameterFacts } from '../tensor/index.js';

export type { Group };

/** A file to read at any offset. */
export interface RandomAccess {
  /** For messages: the path as the user gave it. */
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  /** Reads exactly `length` bytes at `offset`; throws `corrupt` (code `truncated`) if they are not all there. */
  read(offset: number, length: number): Promise<Uint8Array>;
}

/** The files of one folder of a checkpoint: in some formats one of them says what the others hold. */
export interface Folder {
  /** Names of all files, without the folder, in no order that means anything. */
  names(): string[];
  /** Returns the size of a file in bytes; undefined if there is none of this name. */
  sizeOf(name: string): number | undefined;
  /**
   * Returns what `parse`, the same function for all who ask, makes of a file; undefined if there is none of this name. A
   * file is parsed once, however many others ask for it.
   */
  parse<T>(name: string, parse: (file: RandomAccess) => Promise<T>): Promise<T | undefined>;
}

/** One contiguous piece of a file that holds elements of one type: a torch storage, a safetensors tensor, an array. */
export interface TensorRange {
  /** Byte offset and length in the file; the length is a multiple of the element size. */
  offset: number;
  length: number;
  dtype: DType;
  group: Group;
  /** Name by which the range finds its base in other checkpoints: stable across file names, offsets and numbering. */
  key: string;
  /** The tensors that live in this range; several for tied and shared storages. */
  tensors: TensorView[];
  /** All of its bytes, one character each, where a format keeps several copies of small values: these are stored once. */
  copies?: string;
}

/** A tensor inside a range. */
export interface TensorView {
  /** Name as the format's users know it, for example `optimizer.state.3.exp_avg`. */
  name: string;
  shape: number[];
  /** Elements from the start of the range. */
  elementOffset: number;
  /** In elements; undefined: contiguous row-major. */
  strides?: number[];
}

/** What an adapter says of one file. */
export interface Segmentation {
  /** Format tag, for example `safetensors` or `torch-zip`; `opaque` when nothing was recognised. */
  format: string;
  /** Sorted by offset, not overlapping, inside the file. */
  ranges: TensorRange[];
  /** Progress found in the file, if any. */
  step?: number;
  epoch?: number;
  /** Counts of steps that are arrays of their own, by key. */
  counts?: ReadonlyMap<string, number>;
  /** Numbers that training code stores beside the tensors, for example a loss. */
  metrics?: Record<string, number>;
  /** What to go by instead of the name of the file, where that says nothing. */
  identity?: string;
  /** What an export took from the front of the tensors' names. */
  namePrefix?: string;
  /** What its optimizers say of the parameters they train. */
  parameters?: ParameterFacts[];
}

/**
 * A format. `segment` throws ThetalogErrors of kind `corrupt` or `unsupported` with the offset of what is wrong, in the file or in
 * another of its folder.
 */
export interface Adapter {
  readonly format: string;
  /** Looks at the first bytes and the name; cheap and without failing. */
  recognises(head: Uint8Array, name: string): boolean;
  segment(source: RandomAccess, folder: Folder): Promise<Segmentation>;
}
