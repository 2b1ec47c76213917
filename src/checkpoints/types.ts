/** The values that go in and out of a store: plain objects with byte counts. */
import type { Root } from '../format/index.js';
import type { DType, Group, StateValue } from '../tensor/index.js';

/** Reported while an operation runs; counts only grow within one phase. */
export interface Progress {
  /** For example `save`, `restore`, `check`, `compact`. */
  phase: string;
  /** Logical bytes handled so far. */
  bytesRead: number;
  /** Bytes added to the store so far (written to files, for a restore). */
  bytesStored: number;
  /** Logical bytes to handle in all; 0 while unknown. */
  bytesTotal: number;
}

export interface OperationOptions {
  signal?: AbortSignal;
  onProgress?: (progress: Progress) => void;
}

/** What is on record of one checkpoint. */
export interface CheckpointInfo {
  /** 32 hexadecimal digits. */
  id: string;
  run: string;
  step: number | null;
  epoch: number | null;
  label: string;
  metrics: Record<string, number>;
  meta: Record<string, string>;
  /** Id of the checkpoint it was resumed or forked from; it may have been forgotten since. */
  parent: string | null;
  /** The groups that have tensors. */
  groups: Group[];
  /** The groups that had some until retention dropped them. */
  droppedGroups: Group[];
  kind: 'files' | 'state';
  /** Milliseconds since 1970. */
  createdAt: number;
  /** Bytes that were saved, dropped groups included. */
  logicalBytes: number;
  /** Bytes of packs, index and manifest that saving it added; the catalogue page and the root hold this very record. */
  storedBytes: number;
  /** Length of its longest delta chain; 0: everything is stored in full. */
  height: number;
  tags: string[];
  pinned: boolean;
}

/** A file or state that could not be taken as what it claims to be; it was stored nevertheless, byte for byte. */
export interface Warning {
  code: string;
  message: string;
  object: string;
  offset: number | null;
}

/** How long delta chains may get. What is not given is as the store was opened with. */
export interface ChainOptions {
  /** Longest chain: 0 (everything in full) to 16, the default. */
  maxHeight?: number;
  /** Restoring any checkpoint may take this many times the work of restoring one that is stored in full; default 8. */
  maxRestoreFactor?: number;
}

/** What goes on record of a checkpoint beside what is found in it; what is given here wins. */
export interface SaveOptions extends OperationOptions, ChainOptions {
  step?: number;
  epoch?: number;
  metrics?: Record<string, number>;
  meta?: Record<string, string>;
  /**
   * A template for its label, such as `epoch={epoch}-step={step:06d}-loss={val/loss:.2f}`: `step`, `epoch`, `run`, metrics and notes by
   * name, formats as in Python (`d`, `f`, `e`, `g`). A name that is not there is `invalid`. Default: `step-N`, or digits of the id.
   */
  label?: string;
  /** A ref; defaults to the run's latest checkpoint. */
  parent?: string;
  /** Say in the result how each part was stored. */
  explain?: boolean;
}

/** What the library itself asks for. */
export interface SaveRequest extends SaveOptions {
  run: string;
  /** A name in the label that is not there is written as `none`. */
  labelMayLack?: boolean;
  /** Id of the checkpoint to build on, unless `parent` is given or it was forgotten. */
  resumedFrom?: string;
  /** Told of each root that the checkpoint is about to be added to; what it throws keeps the checkpoint out. */
  beforeCommit?: (root: Root) => Promise<void>;
}

export interface SaveFilesOptions extends SaveOptions {
  run: string;
  /** Refuse damaged or lying files (kind `corrupt`) instead of storing them as opaque bytes. */
  strict?: boolean;
}

export interface ImportOptions extends SaveOptions {
  run: string;
}

export interface RestoreFilesOptions extends OperationOptions {
  /** The folder to write into; made if absent. */
  out: string;
  /** Glob over tensor names (`*` any characters, `?` one): writes the matching tensors as one safetensors file. */
  tensors?: string;
  /** Replace existing files of other content. */
  force?: boolean;
  /** Restore what is sound of a damaged checkpoint and say what is not, instead of failing. */
  allowDamaged?: boolean;
}

export interface RestoreResult {
  id: string;
  run: string;
  step: number | null;
  /** Paths written, relative to `out`; files that were there already with equal content are not counted. */
  files: string[];
  bytes: number;
  seconds: number;
  /** Groups that retention dropped from the checkpoint: they are not among what was restored, and not `lost`. */
  droppedGroups: Group[];
  /** With the option `allowDamaged`: what could not be restored. */
  lost?: LostParts;
}

export interface TensorInfo {
  name: string;
  group: Group;
  dtype: DType;
  shape: number[];
  /** Logical bytes. */
  bytes: number;
  /** Names of the tensors that share its bytes (tied weights). */
  aliases: string[];
}

export interface FileInfo {
  path: string;
  format: string;
  bytes: number;
}

/** One checkpoint with all that it holds. */
export interface CheckpointDetail extends CheckpointInfo {
  tensors: TensorInfo[];
  files: FileInfo[];
  directories: string[];
  /** The tensors of dropped groups. */
  droppedTensors: TensorInfo[];
  /** The files with tensors of dropped groups: they cannot be restored, what is left of their tensors can. */
  droppedFiles: FileInfo[];
}

/** A tensor's value: contiguous, row-major, little-endian bytes. */
export interface TensorData {
  dtype: DType;
  shape: number[];
  data: Uint8Array;
}

/** Sizes of one checkpoint, or of all checkpoints of a run together. */
export interface Sizes {
  logicalBytes: number;
  /** What saving it added to the store, as `storedBytes` of `list`. */
  newBytes: number;
  /** Records of chunks that nothing else needs: free after forgetting it, `compact` and `gc`. */
  exclusiveBytes: number;
  /** Objects that nothing else needs, whole: free after forgetting it and `gc`. */
  reclaimableBytes: number;
}

export interface CheckpointSizes extends Sizes {
  id: string;
  run: string;
  step: number | null;
  label: string;
}

export interface RunSizes extends Sizes {
  run: string;
  checkpoints: number;
}

export interface StoreSizes {
  /** Run by run, oldest first. */
  checkpoints: CheckpointSizes[];
  runs: RunSizes[];
}

export interface StoreStats {
  checkpoints: number;
  logicalBytes: number;
  /** Sum of the sizes of all objects in the store. */
  storedBytes: number;
  /** Bytes that no live checkpoint needs: what gc and compact can free. */
  reclaimableBytes: number;
  chunks: number;
  packs: number;
  maxHeight: number;
  /** Work of restoring the checkpoint that takes most, against that of one stored in full. */
  restoreFactor: number;
}

/** One damaged object and the checkpoints that cannot be restored whole because of it. */
export interface Damage {
  object: string;
  offset: number | null;
  code: string;
  message: string;
  checkpoints: { id: string; run: string; step: number | null }[];
}

/** What of a checkpoint cannot be restored: tensors by name, files by path, and of a state all that is no tensor. */
export interface LostParts {
  tensors: string[];
  files: string[];
  plainData: boolean;
}

/** What damage leaves of a checkpoint. */
export interface DamagedCheckpoint {
  id: string;
  run: string;
  step: number | null;
  /** False: what it consists of is not known any more, and nothing of it can be restored. */
  readable: boolean;
  /** What is lost; nothing where the damage is only of what restoring does not read. */
  lost: LostParts;
  /** Tensors and files that can be restored. */
  soundTensors: number;
  soundFiles: number;
}

export interface CheckReport {
  checkpoints: number;
  objects: number;
  chunks: number;
  /** Encoded bytes that were read and decoded. */
  bytesRead: number;
  damaged: Damage[];
  /** The checkpoints that damage concerns, and what can still be restored of them, as far as data was read. */
  damagedCheckpoints: DamagedCheckpoint[];
  /** Objects that nothing refers to: not damage, gc frees them. */
  unreferenced: number;
}

export interface RepairOptions extends OperationOptions {
  /** Only say what would be done. */
  dryRun?: boolean;
  /** Drop checkpoints that have lost something, with their tags and pins. Default: they stay, with what is sound of them. */
  dropDamaged?: boolean;
}

/** What became of a checkpoint that damage concerned. */
export interface RepairedCheckpoint extends DamagedCheckpoint {
  /**
   * `healed`: whole again; `kept`: with what is left of it; `dropped`; `reduced`: of some of its groups nothing is there and all
   * else is sound, and the catalogue page that would say whether retention dropped them is lost: from now on it does.
   */
  outcome: 'healed' | 'kept' | 'dropped' | 'reduced';
}

export interface RepairResult {
  dryRun: boolean;
  /** The root was made anew from the catalogue pages: tags and pins are lost, forgotten checkpoints may be back. */
  rootRebuilt: boolean;
  /** Catalogue pages that were made anew from others, and from manifests. */
  pagesRebuilt: number;
  /** Records that were read, and those among them that cannot be decoded. */
  records: number;
  damagedRecords: number;
  /** Records moved out of packs that are damaged elsewhere. */
  movedRecords: number;
  /** Checkpoints that got a new index. */
  reindexed: number;
  checkpoints: RepairedCheckpoint[];
}

/**
 * Which checkpoints of a run stay; made by `keep`. Of checkpoints of the same step, those that go by steps (`every`, `steps`,
 * `log-spaced`) want only the newest, the one that `step:N` names.
 */
export type KeepRule =
  /** The latest ones. */
  | { keep: 'last'; count: number }
  /** Those with the lowest (highest) values of a metric: of equals the newest first; without the metric, or with NaN, never. */
  | { keep: 'best'; metric: string; mode: 'min' | 'max'; count: number }
  /** The steps divisible by `interval`. */
  | { keep: 'every'; interval: number }
  /** The first one, and each that was saved at least so long after the one before that this rule wants. */
  | { keep: 'every-seconds'; seconds: number }
  /** These steps. */
  | { keep: 'steps'; steps: readonly number[] }
  /** The lowest step from each power of two to the next: fewer the further a run has come. */
  | { keep: 'log-spaced' };

/** A rule, and what of the checkpoints that it wants stays; default: everything. A checkpoint that any policy wants stays. */
export type KeepPolicy = KeepRule & { groups?: readonly Group[] };

export interface ForgetDecision {
  id: string;
  run: string;
  step: number | null;
  forget: boolean;
  /** The groups that go of a checkpoint that stays. */
  dropGroups: Group[];
  /** Why it stays or goes: `last 3`, `best loss min`, `model of last 50`, `tag v1`, `pinned`, `no policy keeps it`, `named`. */
  reasons: string[];
  /** Bytes that saving it added; others may be built on them. */
  storedBytes: number;
}

export interface ForgetResult {
  decisions: ForgetDecision[];
  dryRun: boolean;
}

export interface GcResult {
  dryRun: boolean;
  objects: number;
  bytes: number;
  /** Unreferenced objects left alone because a live writer may own them. */
  skippedObjects: number;
  storedBytesBefore: number;
  storedBytesAfter: number;
  /** What goes, by kind of object: `packs`, `segments`, `manifests`, `pages`, `leases`, `tmp`. */
  kinds: { kind: string; objects: number; bytes: number }[];
}

/**
 * Why compaction moves a chunk: it is of a head, it reads chunks that no checkpoint has any more, its checkpoint takes too long to
 * restore, its chain is longer than asked for, it is smaller as a delta on a later version in full that stays (a pivot), or its pack is
 * mostly dead or small.
 */
export type CompactReason = 'head' | 'ghost' | 'restore-budget' | 'max-height' | 'pivot' | 'pack';

/** What compaction does to a checkpoint. */
export interface CompactedCheckpoint {
  id: string;
  run: string;
  step: number | null;
  maxHeightBefore: number;
  maxHeightAfter: number;
  restoreFactorBefore: number;
  restoreFactorAfter: number;
}

export interface CompactResult {
  dryRun: boolean;
  checkpoints: number;
  /** Chunks encoded anew or copied, and the bytes of their records before and after, by reason. */
  reasons: { reason: CompactReason; chunks: number; bytesBefore: number; bytesAfter: number }[];
  /** The checkpoints whose chains change, run by run, oldest first. */
  changed: CompactedCheckpoint[];
  /** Chunks encoded anew, and chunks copied to other packs as they were. */
  chunksEncoded: number;
  chunksCopied: number;
  /** Bytes of the records that were made to shorten chains: heads in full, others within the restore budget. */
  shorteningBytes: number;
  maxHeightBefore: number;
  maxHeightAfter: number;
  /** Work of restoring the checkpoint that takes most, against that of one stored in full. */
  restoreFactorBefore: number;
  restoreFactorAfter: number;
  /** Bytes of chunk data that live checkpoints need, before and after; gc frees what is left behind. */
  liveBytesBefore: number;
  liveBytesAfter: number;
}

/** Which tensors to restore, and where. */
export interface RestoreStateOptions {
  /** Restore only the tensors of these groups; plain data comes back whole. Default: all. */
  groups?: Group[];
  /**
   * A state with the same tensors (of the groups), whose arrays are filled and come back in the result; where it differs,
   * that is a `conflict` and nothing is written. Its plain data is not looked at. After any other error the arrays may hold
   * some of the new values.
   */
  into?: StateValue;
  /**
   * Leave out what is damaged instead of failing: called with the names of the tensors that are lost, if any are. Arrays of
   * `into` for these stay as they are.
   */
  allowDamaged?: (lostTensors: string[]) => void;
}
