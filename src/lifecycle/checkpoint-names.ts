/** What the names of files and folders say to training libraries: which of them are checkpoints, of which step, and which are not whole yet. */

/** What a name says of progress. */
export interface NamedProgress {
  step?: number;
  epoch?: number;
  /** A number that may be a step: the last one of a name that says of none what it is. */
  number?: number;
}

/** torch, Lightning, safetensors, NumPy, Keras, GGUF, Flax, Paddle, NeMo. */
const EXTENSION =
  /\.(pt|pth|th|ckpt|bin|safetensors|npz|npy|h5|hdf5|keras|gguf|msgpack|pdparams|pdopt|nemo)$/i;
/** TensorFlow: the index and the data of one checkpoint. */
const TENSOR_BUNDLE = /\.(index|meta|data-\d{5}-of-\d{5})$/;
/** One of several files of one checkpoint, or the list of them (Hugging Face). */
const SHARD = /-(\d{5,6})-of-(\d{5,6})(?=\.)/;
const SHARD_LIST = /\.index\.json$/;
/** Not the state of a training run, though written with torch.save beside one (Hugging Face). */
const SETTINGS = /^training_args\.bin$/;

/** Folders: Hugging Face `checkpoint-500`, Orbax `500`, DeepSpeed `global_step500`, Megatron `iter_0000500`, accelerate `checkpoint_3`. */
const FOLDER_NUMBERED =
  /(^|[-_.=])(global_?step|steps?|iter(ation)?|it|epoch|ep|checkpoint|ckpt|update)[-_=]?\d+([-_.=]|$)|^\d+$/i;
const FOLDER_NAMED = /^(checkpoint|ckpt|last|latest|best|final)([-_.](model|checkpoint|ckpt))?$/i;

/** Words between separators that say that a name is not the final one, and extensions that do. */
const TEMPORARY_WORD = /(^|[-_.~=])(tmp|partial|incomplete|inprogress|tempstate\d*)([-_.~=]|$)/i;
const TEMPORARY_END = /(~|tmp|[-_.]temp|\.(part|lock|swp|crdownload|download))$/i;

const STEP_WORD = /(?:^|[^a-z])(?:global_?step|steps?|iter(?:ation)?|it|ba|batch|update)[-_=]?(\d+)/gi;
/** fairseq: epoch and updates. */
const EPOCH_AND_UPDATES = /^checkpoint_(\d+)_(\d+)$/;
const CHECKPOINT_WORD = /(?:^|[^a-z])(?:checkpoint|ckpt)[-_=]?(\d+)(?![.\d])/gi;
const EPOCH_WORD = /(?:^|[^a-z])(?:epoch|ep)[-_=]?(\d+)/gi;
const ONLY_DIGITS = /^\d+$/;
const LAST_NUMBER = /[-_](\d+)$/;
/** Which process wrote it is no progress. */
const RANK = /[-_.]?(mp_|pp_|tp_)?rank[-_]?\d+|-\d{5,6}-of-\d{5,6}/gi;
/** More digits are a date and time, or an id. */
const DIGITS_MAX = 12;

/** Returns whether a file of this name is a checkpoint or a part of one. */
export function isCheckpointFile(name: string): boolean {
  if (isTemporary(name) || SETTINGS.test(name)) return false;
  return EXTENSION.test(name) || TENSOR_BUNDLE.test(name) || SHARD_LIST.test(name);
}

/** Returns whether a folder of this name is a checkpoint. */
export function isCheckpointFolder(name: string): boolean {
  if (isTemporary(name)) return false;
  return EXTENSION.test(name) || FOLDER_NUMBERED.test(name) || FOLDER_NAMED.test(name);
}

/** Returns whether a name is one that its writer will still change, or one that is hidden. */
export function isTemporary(name: string): boolean {
  return name.startsWith('.') || isUnfinished(name);
}

/** The same for what lies inside a checkpoint, where hidden files have their place (`.metadata`). */
export function isUnfinished(name: string): boolean {
  return TEMPORARY_WORD.test(name) || TEMPORARY_END.test(name);
}

/** Returns what all files of one checkpoint have in common: their names without what tells them apart. */
export function checkpointOf(name: string): string {
  if (SHARD_LIST.test(name)) return name.replace(SHARD_LIST, '');
  return name.replace(SHARD, '').replace(TENSOR_BUNDLE, '');
}

/** Returns how many files of this kind there must be, if the name says so. */
export function shardsOf(name: string): number | undefined {
  const count = SHARD.exec(name)?.[2] ?? /\.data-\d{5}-of-(\d{5})$/.exec(name)?.[1];
  return count === undefined ? undefined : Number(count);
}

/** Returns what the name of a checkpoint says of progress. */
export function progressOfName(name: string): NamedProgress {
  const stem = name.replace(EXTENSION, '').replace(TENSOR_BUNDLE, '').replace(RANK, '');
  const both = EPOCH_AND_UPDATES.exec(stem);
  if (both !== null) return numbers({ epoch: both[1], step: both[2] });
  const epoch = last(EPOCH_WORD, stem);
  const said = last(STEP_WORD, stem) ?? last(CHECKPOINT_WORD, stem);
  const step = said ?? ONLY_DIGITS.exec(stem)?.[0];
  if (step !== undefined || epoch !== undefined) return numbers({ step, epoch });
  return numbers({ number: LAST_NUMBER.exec(stem)?.[1] });
}

function last(pattern: RegExp, text: string): string | undefined {
  return [...text.matchAll(pattern)].at(-1)?.[1];
}

function numbers(found: Partial<Record<keyof NamedProgress, string>>): NamedProgress {
  const known = Object.entries(found).filter(
    ([, digits]) => digits !== undefined && digits.length <= DIGITS_MAX,
  );
  return Object.fromEntries(known.map(([name, digits]) => [name, Number(digits)]));
}
