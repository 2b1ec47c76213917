/** The store as its users see it: every verb of the command line and the library, over one open context. */
import { stat } from 'node:fs/promises';
import {
  assertWhole,
  type CheckpointDetail,
  type CheckpointInfo,
  type CheckReport,
  type CompactResult,
  type CreateOptions,
  createContext,
  type Difference,
  type DiffOptions,
  detail,
  droppedTensorError,
  type ExportOptions,
  type ExportResult,
  exportTensors,
  type ForgetResult,
  forkRun,
  type GcResult,
  type ImportOptions,
  type LoadedManifest,
  lineage,
  listCheckpoints,
  type OpenOptions,
  type OperationOptions,
  openContext,
  pinCheckpoint,
  planFiles,
  planImport,
  type RepairOptions,
  type RepairResult,
  type RestoreFilesOptions,
  type RestoreResult,
  readTensors,
  resolveRef,
  restoreFiles,
  restoreTensors,
  type SaveFilesOptions,
  type SaveResult,
  type StoreContext,
  type StoreSizes,
  type StoreStats,
  type TensorData,
  tagCheckpoint,
  unpinCheckpoint,
  untagCheckpoint,
  withFreshRoot,
} from '../checkpoints/index.js';
import { ThetalogError } from '../errors.js';
import { assertRunName, type CatalogueEntry, type Root } from '../format/index.js';
import {
  type CompactOptions,
  checkStore,
  collectGarbage,
  compactStore,
  diffCheckpoints,
  type ForgetOptions,
  forgetCheckpoints,
  repairStore,
  rescueCheckpoint,
  storeSizes,
  storeStats,
} from '../maintenance/index.js';
import type { Storage } from '../storage/index.js';
import { throwAll } from './failures.js';
import { FolderWatch } from './folder-watch.js';
import { Run } from './run.js';
import { saveFilePlan } from './save-plan.js';
import type { WatchOptions, WatchResult } from './watch-types.js';

/** Characters of a file's name before its extension; file systems take 255. */
const FILE_NAME_LENGTH_MAX = 240;

/**
 * Creates an empty store in a directory (made if absent) or in a storage, and opens it. Throws `conflict` if there is one
 * already, `unsupported` if the file system has no hard links.
 */
export async function createStore(location: string | Storage, options?: CreateOptions): Promise<Store> {
  return new Store(await createContext(location, options));
}

/** Opens a store. Throws `not-found` if there is none, `unsupported` for a format version unknown to this build. */
export async function openStore(location: string | Storage, options?: OpenOptions): Promise<Store> {
  return new Store(await openContext(location, options));
}

/** An open store. It holds no lock: any number of processes may use one store at once. */
export class Store {
  private readonly context: StoreContext;
  private readonly runs = new Map<string, Run>();

  /** Use `openStore` or `createStore`. */
  constructor(context: StoreContext) {
    this.context = context;
  }

  /** Path or URL of the store. */
  get location(): string {
    return this.context.storage.location;
  }

  /** Random id of the store, 32 hexadecimal digits. */
  get id(): string {
    return this.context.config.id;
  }

  /** Returns the run of this name, which need not exist yet. Throws `invalid` for an impossible name. */
  run(name: string): Run {
    assertRunName(name, 'run');
    const run = this.runs.get(name) ?? new Run(this.context, name);
    this.runs.set(name, run);
    return run;
  }

  /**
   * Waits for saves under way, closes managers, stops listening to signals, ends worker threads and releases open files. Then throws
   * the errors of saves that nobody has waited for. The store may be used again.
   */
  async close(): Promise<void> {
    const errors = await Promise.all([...this.runs.values()].map((run) => run.release()));
    await this.context.compute.close();
    await this.context.storage.close();
    throwAll(errors.flat());
  }

  /**
   * Saves files and directories as ONE checkpoint; it is durable when this resolves. A file is kept as its basename, a
   * directory as its basename with all below it.
   */
  async saveFiles(paths: string[], options: SaveFilesOptions): Promise<SaveResult> {
    const { signal, strict } = options;
    const planned = planFiles(paths, {
      signal,
      compute: this.context.compute,
      ...(strict === true && { refuse: 'all' }),
    });
    return saveFilePlan(this.context, planned, options);
  }

  /**
   * Saves the tensors of safetensors files as ONE checkpoint, as `run.save` would those of a state: by name, however they are
   * distributed over files. A folder stands for the model that readers find in it (`model.safetensors`, or the shards of its index).
   * The names in the files follow `model.`, or what `export` took away. Damaged files are `corrupt`, others `unsupported`.
   */
  async import(paths: string[], options: ImportOptions): Promise<SaveResult> {
    return saveFilePlan(this.context, planImport(paths, options), options);
  }

  /**
   * Takes in the checkpoints that a training program leaves in a folder, each once and when it is whole, reads each back and compares
   * it with its files. Ends when the signal fires, or with `once` when all that is there was tried.
   */
  watch(folder: string, options: WatchOptions): Promise<WatchResult> {
    return new FolderWatch(this.context, folder, options).perform();
  }

  /**
   * Restores the files of a checkpoint, or with `tensors` the matching tensors as one safetensors file. Existing files of
   * other content are a `conflict` unless `force`; what retention dropped is `not-found`; damage is `corrupt` and leaves nothing behind, unless `allowDamaged`.
   */
  async restoreFiles(ref: string, options: RestoreFilesOptions): Promise<RestoreResult> {
    const started = this.context.environment.now();
    await assertFolder(options.out);
    return withFreshRoot(this.context, async (root) => {
      const { run, entry } = await resolveRef(this.context.catalogue, root, ref);
      const glob = options.tensors ?? (entry.kind === 'state' ? '*' : undefined);
      const fileName = safeFileName(`${run}-${entry.label}`);
      const request = { ...options, fileName, tensors: glob };
      const restored =
        options.allowDamaged === true
          ? await restoreSound(this.context, entry, request)
          : await restoreParts(this.context, await this.wanted(entry, options), request);
      const seconds = this.secondsSince(started);
      return {
        id: entry.id,
        run,
        step: entry.step,
        droppedGroups: entry.droppedGroups,
        ...restored,
        seconds,
      };
    });
  }

  /**
   * Writes tensors of a checkpoint as safetensors: one file, or with `shardSize` shards and the index that Hugging Face's readers
   * take. Plain data is not part of it. An element type that the format lacks is `unsupported`; another model in the folder is a
   * `conflict` unless `force`.
   */
  async export(ref: string, options: ExportOptions): Promise<ExportResult> {
    const started = this.context.environment.now();
    return withFreshRoot(this.context, async (root) => {
      const { run, entry } = await resolveRef(this.context.catalogue, root, ref);
      const { id, step, droppedGroups } = entry;
      const loaded = await this.context.cache.checkpoint(entry);
      const exported = await exportTensors(this.context, loaded, { id, run, step }, options);
      const missing = droppedGroups.filter((group) => options.groups?.includes(group) !== false);
      return { id, run, step, ...exported, droppedGroups: missing, seconds: this.secondsSince(started) };
    });
  }

  /** Lists checkpoints, oldest first within each run, runs by name; `last` limits each run to its newest. */
  list(options: { run?: string; last?: number } = {}): Promise<CheckpointInfo[]> {
    return withFreshRoot(this.context, (root) => this.listNow(root, options));
  }

  /** Returns a checkpoint and its ancestors over all runs, newest first. */
  async log(ref: string): Promise<CheckpointInfo[]> {
    return withFreshRoot(this.context, async (root) => {
      return lineage(this.context, root, await resolveRef(this.context.catalogue, root, ref));
    });
  }

  /** Returns a checkpoint with its tensors and files. */
  async show(ref: string): Promise<CheckpointDetail> {
    return withFreshRoot(this.context, async (root) => {
      return detail(this.context, root, await resolveRef(this.context.catalogue, root, ref));
    });
  }

  /** Returns one tensor's values; the name as `show` gives it. */
  async readTensor(ref: string, name: string): Promise<TensorData> {
    return withFreshRoot(this.context, async (root) => {
      const { entry } = await resolveRef(this.context.catalogue, root, ref);
      const loaded = await this.context.cache.checkpoint(entry);
      const tensor = loaded.layout.tensors.find((candidate) => candidate.name === name);
      if (tensor === undefined) {
        const dropped = loaded.dropped?.tensors.find((candidate) => candidate.name === name);
        if (dropped !== undefined) throw droppedTensorError(dropped, ref);
        const hint = `See the names with: thetalog show ${ref}`;
        throw new ThetalogError('not-found', 'no-such-tensor', `There is no tensor "${name}" in ${ref}.`, {
          object: name,
          hint,
        });
      }
      const [data] = await readTensors(this.context, loaded, [tensor]);
      return { dtype: tensor.dtype, shape: tensor.shape, data };
    });
  }

  /** Compares two checkpoints: tensors element by element, files, and what is no tensor. */
  diff(a: string, b: string, options: DiffOptions = {}): Promise<Difference> {
    return withFreshRoot(this.context, () => diffCheckpoints(this.context, a, b, options));
  }

  /** Returns counts and sizes of the store, or of one checkpoint. */
  stats(ref?: string): Promise<StoreStats> {
    return withFreshRoot(this.context, () => storeStats(this.context, ref));
  }

  /** Returns what each checkpoint and each run takes, and what would be free without it. */
  sizes(options: Pick<OperationOptions, 'signal'> = {}): Promise<StoreSizes> {
    return withFreshRoot(this.context, () => storeSizes(this.context, options));
  }

  /** Checks the structure of the store, and with `readData` (percent) that stored chunks decode to what they should. */
  check(options: OperationOptions & { readData?: number } = {}): Promise<CheckReport> {
    return checkStore(this.context, options);
  }

  /**
   * Rebuilds the indexes of checkpoints that need what is damaged or missing, from all packs that are there, and catalogue pages
   * and the root, if they are damaged. Deletes nothing; drops checkpoints only with `dropDamaged`.
   */
  repair(options: RepairOptions = {}): Promise<RepairResult> {
    return repairStore(this.context, options);
  }

  /**
   * Drops checkpoints from the catalogue: those named, or those of a run (or all runs) that no policy keeps; and of checkpoints that
   * stay the groups that no policy keeps, or with `keepGroups` all others of those named. What is dropped is hidden at once and
   * for ever; gc and compact free its bytes.
   */
  forget(options: ForgetOptions): Promise<ForgetResult> {
    return withFreshRoot(this.context, () => forgetCheckpoints(this.context, options));
  }

  /** Deletes objects that no checkpoint needs. Saves and restores may go on meanwhile. */
  gc(options: OperationOptions & { dryRun?: boolean } = {}): Promise<GcResult> {
    return withFreshRoot(this.context, () => collectGarbage(this.context, options));
  }

  /** Stores heads in full, shortens delta chains and repacks what is live; `gc` then frees what is left behind. */
  compact(options: CompactOptions = {}): Promise<CompactResult> {
    return withFreshRoot(this.context, () => compactStore(this.context, options));
  }

  /** Gives a checkpoint a name of its own, which also protects it from `forget`. */
  tag(ref: string, name: string): Promise<CheckpointInfo> {
    return tagCheckpoint(this.context, ref, name);
  }

  untag(name: string): Promise<void> {
    return untagCheckpoint(this.context, name);
  }

  /** Protects a checkpoint from `forget`. */
  pin(ref: string): Promise<CheckpointInfo> {
    return pinCheckpoint(this.context, ref);
  }

  unpin(ref: string): Promise<CheckpointInfo> {
    return unpinCheckpoint(this.context, ref);
  }

  /** Starts run `run` with a checkpoint that shares everything with the one it forks from. */
  fork(ref: string, run: string): Promise<CheckpointInfo> {
    return forkRun(this.context, ref, run);
  }

  /** Returns a checkpoint to be restored; if all of it is wanted, all of it must be there. */
  private async wanted(entry: CatalogueEntry, { tensors }: RestoreFilesOptions): Promise<LoadedManifest> {
    const loaded = await this.context.cache.checkpoint(entry);
    if (tensors === undefined) assertWhole(loaded);
    return loaded;
  }

  private async listNow(root: Root, options: { run?: string; last?: number }): Promise<CheckpointInfo[]> {
    if (options.run !== undefined && !root.runs.has(options.run)) {
      const known = [...root.runs.keys()].slice(0, 8).join(', ') || 'none';
      throw new ThetalogError('not-found', 'no-such-run', `There is no run "${options.run}".`, {
        object: options.run,
        hint: `Runs in this store: ${known}.`,
      });
    }
    const runs = options.run === undefined ? [...root.runs.keys()].sort() : [options.run];
    return listCheckpoints(this.context, root, { runs, last: options.last });
  }

  private secondsSince(started: number): number {
    return (this.context.environment.now() - started) / 1000;
  }
}

/** Labels are free text; no system refuses a name of these characters and of this length. */
function safeFileName(text: string): string {
  return text.replace(/[^A-Za-z0-9._=+-]/g, '_').slice(0, FILE_NAME_LENGTH_MAX);
}

type PartsRequest = Omit<RestoreFilesOptions, 'tensors'> & { fileName: string; tensors: string | undefined };
type RestoredParts = Pick<RestoreResult, 'files' | 'bytes' | 'lost'>;

function restoreParts(
  context: StoreContext,
  loaded: LoadedManifest,
  { tensors, ...request }: PartsRequest,
): Promise<RestoredParts> {
  if (tensors === undefined) return restoreFiles(context, loaded, request);
  return restoreTensors(context, loaded, { ...request, tensors });
}

/** Restores what is sound: of files that are lost, or that retention dropped, the tensors that are not, as one safetensors file. */
async function restoreSound(
  context: StoreContext,
  entry: CatalogueEntry,
  request: PartsRequest,
): Promise<RestoredParts> {
  const { sound, tensorsOnly, lost } = await rescueCheckpoint(context, entry, request);
  if (request.tensors !== undefined) return { ...(await restoreParts(context, sound, request)), lost };
  const { files, bytes } = await restoreParts(context, sound, request);
  const incomplete = lost.files.length + (sound.dropped?.files.length ?? 0);
  if (incomplete === 0 || tensorsOnly.layout.tensors.length === 0) return { files, bytes, lost };
  const tensors = await restoreParts(context, tensorsOnly, { ...request, tensors: '*' });
  return { files: [...files, ...tensors.files], bytes: bytes + tensors.bytes, lost };
}

async function assertFolder(out: string): Promise<void> {
  const status = await stat(out).catch(() => undefined);
  if (status === undefined || status.isDirectory()) return;
  throw new ThetalogError('conflict', 'not-a-folder', `${out} is a file, not a folder.`, {
    object: out,
    hint: 'Name a folder to restore into.',
  });
}
