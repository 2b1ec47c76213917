/** What exporting takes and says. */
import type { Group } from '../tensor/index.js';
import type { OperationOptions } from './types.js';

export interface ExportOptions extends OperationOptions {
  /** A file (`*.safetensors`), or a folder for `model.safetensors` or for shards with their index; made if absent. */
  out: string;
  /** Globs over tensor names, as `restoreFiles` takes them: what to export, default everything, and what of that not to. */
  include?: string[];
  exclude?: string[];
  /** Only tensors of these groups. */
  groups?: Group[];
  /** Most bytes of tensors in one file; a larger tensor has a file of its own. Default: one file. */
  shardSize?: number;
  /** Convert f16, bf16, f32 and f64 tensors, rounding to nearest even; others stay as they are. */
  dtype?: 'bf16' | 'f16' | 'f32';
  /**
   * Keep names as `show` has them. Default: where only tensors of the group `model` are exported, the key under which a state or a
   * torch file has them (`model.`, `state_dict.`) is left out.
   */
  fullNames?: boolean;
  /** Replace another model in the folder: its files go. */
  force?: boolean;
}

export interface ExportResult {
  id: string;
  run: string;
  step: number | null;
  /** Paths written, relative to the folder; files that were there already with equal content are not among them. */
  files: string[];
  /** Of all files of the export. */
  bytes: number;
  /** Tensors in them. */
  tensors: number;
  /** Tensors that share the memory of another, by name, and that one's name: only the metadata has them. */
  tied: Record<string, string>;
  seconds: number;
  /** Groups that retention dropped from the checkpoint, and that would have been exported. */
  droppedGroups: Group[];
}
