/** Takes one checkpoint of a folder into the store: saved, read back, compared with its files, and, if asked for, deleted. */
import { basename } from 'node:path';
import {
  hasSameFiles,
  type LoadedManifest,
  locate,
  planFiles,
  type SavePlan,
  type SaveResult,
  type StoreContext,
  verifyFiles,
  withFreshRoot,
} from '../checkpoints/index.js';
import { fileChanged, fileError } from '../compute/index.js';
import { isThetalogError, ThetalogError } from '../errors.js';
import type { Root } from '../format/index.js';
import { type FolderCheckpoint, inspect } from './checkpoint-folder.js';
import { progressOf } from './checkpoint-order.js';
import { ChunkFiles } from './chunk-files.js';
import { saveFilePlan } from './save-plan.js';
import { writtenNow } from './settling.js';
import { removeSources } from './source-removal.js';
import { WatchLedger } from './watch-ledger.js';
import { NOT_VERIFIED } from './watch-problems.js';
import type { WatchOptions, WatchResult } from './watch-types.js';

const STORED_MEANWHILE = 'stored-meanwhile';

export class FolderIntake {
  private readonly context: StoreContext;
  private readonly folder: string;
  private readonly options: WatchOptions;
  private readonly ledger: WatchLedger;
  /** What was stored last, as long as its files stay as they were: the next is predicted from it. */
  private latest: { checkpoint: FolderCheckpoint; files: ChunkFiles } | undefined;
  private readonly takenIds = new Set<string>();
  private readonly presentIds = new Set<string>();
  private logicalBytes = 0;
  private storedBytes = 0;

  /** Finds out what a run has already. */
  static async open(context: StoreContext, folder: string, options: WatchOptions): Promise<FolderIntake> {
    return new FolderIntake(context, folder, options, await WatchLedger.read(context, options.run));
  }

  private constructor(context: StoreContext, folder: string, options: WatchOptions, ledger: WatchLedger) {
    this.context = context;
    this.folder = folder;
    this.options = options;
    this.ledger = ledger;
  }

  get counts(): Pick<WatchResult, 'taken' | 'present' | 'logicalBytes' | 'storedBytes'> {
    const { logicalBytes, storedBytes } = this;
    return { taken: this.takenIds.size, present: this.presentIds.size, logicalBytes, storedBytes };
  }

  /** Returns whether a checkpoint is not in the store as it is. */
  isNew(checkpoint: FolderCheckpoint): boolean {
    return this.ledger.idOf(checkpoint) === undefined;
  }

  /** Returns whether there is something to be done with it. */
  needs(checkpoint: FolderCheckpoint): boolean {
    const id = this.ledger.idOf(checkpoint);
    if (id === undefined) return true;
    if (!this.takenIds.has(id)) this.presentIds.add(id);
    return this.options.removeSourceFiles === true || this.ledger.isUnverified(id);
  }

  /** Does it. Throws `conflict` (`file-changed`) for one that its writer is not done with, `corrupt` for one that is cut off. */
  async take(checkpoint: FolderCheckpoint): Promise<void> {
    if (this.isNew(checkpoint)) await this.ledger.update(this.context, this.options.run);
    const known = this.ledger.idOf(checkpoint) ?? (await this.findEqual(checkpoint));
    if (known !== undefined) return this.takePresent(checkpoint, known);
    const planned = this.plan(checkpoint);
    let saved: SaveResult;
    try {
      saved = await this.save(checkpoint, planned);
    } catch (error) {
      const stored = this.ledger.idOf(checkpoint);
      if (!(isThetalogError(error) && error.code === STORED_MEANWHILE) || stored === undefined) throw error;
      return this.takePresent(checkpoint, stored);
    }
    this.ledger.stored(checkpoint, saved.id);
    this.takenIds.add(saved.id);
    this.logicalBytes += saved.logicalBytes;
    this.storedBytes += saved.storedBytes;
    await this.remember(checkpoint, await planned, saved.id);
    const verified = await this.verify(checkpoint, saved.id);
    const removed = verified && (await this.remove(checkpoint));
    this.options.onCheckpoint?.({ ...saved, source: checkpoint.name, verified, removed });
  }

  private async takePresent(checkpoint: FolderCheckpoint, id: string): Promise<void> {
    if (!this.takenIds.has(id)) this.presentIds.add(id);
    if (await this.verify(checkpoint, id)) await this.remove(checkpoint);
  }

  /** Keeps a checkpoint out that another watch of the folder has stored since this one looked. */
  private async assertNew(checkpoint: FolderCheckpoint, root: Root): Promise<void> {
    await this.ledger.updateFrom(this.context, root, this.options.run);
    if (this.isNew(checkpoint)) return;
    const message = `${checkpoint.name} was stored by another watch meanwhile.`;
    throw new ThetalogError('conflict', STORED_MEANWHILE, message, { object: checkpoint.name });
  }

  /** Returns the id of what was last made of this entry, if that had the same content: touched, or copied. */
  private async findEqual(checkpoint: FolderCheckpoint): Promise<string | undefined> {
    const id = this.ledger.latestOf(checkpoint);
    if (id === undefined) return undefined;
    const { signal } = this.options;
    try {
      const isEqual = await this.withStored(id, async (loaded) => {
        return isOf(loaded, checkpoint) && hasSameFiles(this.context, loaded, this.folder, signal);
      });
      if (!isEqual) return undefined;
    } catch (error) {
      // What cannot be read any more is stored again.
      if (!isThetalogError(error, 'corrupt')) throw error;
      return undefined;
    }
    this.ledger.add(checkpoint, id);
    return id;
  }

  private async save(checkpoint: FolderCheckpoint, planned: Promise<SavePlan>): Promise<SaveResult> {
    const { run, signal, onProgress } = this.options;
    const meta = WatchLedger.notesOf(checkpoint);
    try {
      const beforeCommit = (root: Root) => this.assertNew(checkpoint, root);
      return await saveFilePlan(this.context, planned, { run, meta, signal, onProgress, beforeCommit });
    } finally {
      await this.latest?.files.close();
    }
  }

  private async remember(checkpoint: FolderCheckpoint, plan: SavePlan, id: string): Promise<void> {
    const { config } = this.context;
    const files = new ChunkFiles();
    const isThere = await this.withStored(id, async (loaded) => {
      files.add(plan, loaded, config);
      return true;
    });
    this.latest = isThere ? { checkpoint, files } : undefined;
  }

  /** Plans it in such a way that it is not committed if any of it is not as it was found. */
  private async plan(checkpoint: FolderCheckpoint): Promise<SavePlan> {
    const { compute } = this.context;
    const { signal } = this.options;
    const planned = planFiles(checkpoint.paths, { signal, compute, refuse: 'damaged' });
    const plan = await planned.catch((error) => {
      throw isThetalogError(error, 'corrupt') ? damaged(checkpoint, error) : error;
    });
    const { step, epoch } = progressOf(checkpoint, plan.progress);
    if (this.latest && (await this.hasChanged(this.latest.checkpoint))) this.latest = undefined;
    return {
      ...plan,
      ...(this.latest && partsIn(this.latest.files)),
      progress: { ...plan.progress, step, epoch },
      assertUnchanged: async () => {
        await plan.assertUnchanged();
        if (await this.hasChanged(checkpoint)) throw fileChanged(checkpoint.name);
      },
    };
  }

  /** Reads a checkpoint back; returns whether it is equal to its files: not if these changed, or if it was forgotten meanwhile. */
  private async verify(checkpoint: FolderCheckpoint, id: string): Promise<boolean> {
    const { signal, onProgress } = this.options;
    let isWhole = false;
    try {
      isWhole = await this.withStored(id, async (loaded) => {
        if (!isOf(loaded, checkpoint)) return false;
        await verifyFiles(this.context, loaded, this.folder, { signal, onProgress });
        return true;
      });
    } catch (error) {
      if (!isThetalogError(error) || error.kind === 'aborted') throw error;
      if (!(await this.hasChanged(checkpoint))) throw notVerified(checkpoint, error);
    }
    this.ledger.verified(id);
    return isWhole && !(await this.hasChanged(checkpoint));
  }

  private async remove(checkpoint: FolderCheckpoint): Promise<boolean> {
    if (this.options.removeSourceFiles !== true) return false;
    const { paths, version, inodes } = checkpoint;
    try {
      return await removeSources(paths, async (aside) => {
        const names = new Map(aside.map((path, at) => [basename(path), basename(paths[at])]));
        const pathOf = (path: string): string => {
          const [entry, ...inner] = path.split('/');
          return [names.get(entry) ?? entry, ...inner].join('/');
        };
        const { hasher } = this.context;
        const now = await inspect(this.folder, checkpoint.name, [...names.keys()], {}, hasher, pathOf);
        const isSame = now?.version === version && now.inodes.join() === inodes.join();
        return isSame && (await writtenNow([{ ...now, paths: [...aside] }])).size === 0;
      });
    } catch (error) {
      throw isThetalogError(error) ? error : fileError(paths[0], error);
    }
  }

  private async hasChanged({ name, paths, state }: FolderCheckpoint): Promise<boolean> {
    const entries = paths.map((path) => basename(path));
    const now = await inspect(this.folder, name, entries, {}, this.context.hasher);
    return now?.state !== state;
  }

  /** False if the checkpoint was forgotten. */
  private async withStored(
    id: string,
    action: (loaded: LoadedManifest) => Promise<boolean>,
  ): Promise<boolean> {
    const { context } = this;
    return withFreshRoot(context, async (root) => {
      const found = await locate(context.catalogue, root, id, this.options.run);
      return found !== undefined && action(await context.cache.checkpoint(found.entry));
    });
  }
}

/** Apart from other closures of a plan, which are kept longer: those of one scope keep all that any of them needs. */
function partsIn(files: ChunkFiles): Pick<SavePlan, 'baseParts'> {
  return {
    baseParts: (id) => {
      const parts = files.parts(id);
      // To make scratch files again takes longer than to read what was stored.
      const isScratch = parts?.some((part) => !(part instanceof Uint8Array) && part.file.isScratch === true);
      return isScratch === true ? undefined : parts;
    },
  };
}

/** What is cut off now may be whole later; what is not is the user's to decide. */
function damaged({ name }: FolderCheckpoint, cause: ThetalogError): ThetalogError {
  const { code, object, offset, message } = cause;
  const hint = `To keep ${name} as it is: thetalog save takes it as opaque bytes.`;
  return new ThetalogError('corrupt', code, message, { object, offset, hint, cause });
}

function notVerified({ name }: FolderCheckpoint, cause: ThetalogError): ThetalogError {
  const { object, offset, message } = cause;
  return new ThetalogError(
    'corrupt',
    NOT_VERIFIED,
    `${name} is stored, but could not be read back: ${message}`,
    {
      object,
      offset,
      hint: 'Its files are left alone. See what is wrong with: thetalog check --read-data',
      cause,
    },
  );
}

/** Returns whether a stored checkpoint has these files, none of them dropped since. */
function isOf({ content }: LoadedManifest, { files }: FolderCheckpoint): boolean {
  return content.files.length === files.length && content.files.every(({ path }, at) => path === files[at]);
}
