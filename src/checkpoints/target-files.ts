/** Files on their way into a folder: written under temporary names, renamed together once all of them are whole. */
import type { Stats } from 'node:fs';
import { type FileHandle, lstat, mkdir, open, rename, rm, rmdir } from 'node:fs/promises';
import { basename, dirname, join, relative, sep } from 'node:path';
import { notAFile, targetError } from '../compute/index.js';
import { isThetalogError } from '../errors.js';
import type { Hasher } from '../hash/index.js';
import type { Environment } from './environment.js';
import { digestRange, StagedFile } from './staged-file.js';

/**
 * Returns the digest of a file, `differs` if its size is another than `size`, or undefined if there is none; `conflict` for
 * a directory or anything else that a file cannot replace.
 */
export async function digestOf(hasher: Hasher, path: string, size: number): Promise<string | undefined> {
  let handle: FileHandle;
  try {
    handle = await open(path, 'r');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw targetError(path, cause);
  }
  try {
    const status = await handle.stat();
    if (!status.isFile()) throw notAFile(path);
    if (status.size !== size) return 'differs';
    const digest = hasher.file();
    await digestRange(handle, digest, 0, Number.POSITIVE_INFINITY);
    return digest.digest();
  } catch (error) {
    throw isThetalogError(error) ? error : targetError(path, error);
  } finally {
    // What was read is right whatever close(2) answers.
    await handle.close().catch(() => {});
  }
}

/** Names have at most 255 bytes on nearly all file systems; 26 more are added to those of files on their way. */
const LABEL_BYTES_MAX = 200;

export class StagedFiles {
  private readonly root: string;
  private readonly hasher: Hasher;
  private readonly suffix: string;
  private labels = 0;
  private readonly staged: StagedFile[] = [];
  private readonly opened = new Set<StagedFile>();
  /** Directories made here, outermost first. */
  private readonly made: string[] = [];

  constructor(root: string, hasher: Hasher, environment: Environment) {
    this.root = root;
    this.hasher = hasher;
    this.suffix = environment.randomHex(6);
  }

  /** Makes a new, empty file that will be `path` below the root, with these permission bits, once published. */
  async create(path: string, mode: number): Promise<StagedFile> {
    const final = join(this.root, path);
    await this.ensure(dirname(final));
    return this.make(final, mode, `.${this.labelOf(basename(final))}.${this.suffix}.partial`);
  }

  /** Makes a new, empty file beside that one, which is to be dropped. */
  async createBeside(file: StagedFile): Promise<StagedFile> {
    return this.make(file.final, 0o600, `${basename(file.path)}.form`);
  }

  private async make(final: string, mode: number, name: string): Promise<StagedFile> {
    const temporary = join(dirname(final), name);
    try {
      await (await open(temporary, 'wx', 0o600)).close();
    } catch (cause) {
      throw targetError(final, cause);
    }
    const file = new StagedFile(this.hasher, temporary, final, mode, this.opened);
    this.staged.push(file);
    return file;
  }

  /** The name itself, unless what is added to it would make it too long for file systems; then it may not tell it from others. */
  private labelOf(name: string): string {
    return Buffer.byteLength(name) > LABEL_BYTES_MAX ? `long-${this.labels++}` : name;
  }

  /** Removes a file that is not to be published. */
  async drop(file: StagedFile): Promise<void> {
    this.staged.splice(this.staged.indexOf(file), 1);
    await file.close();
    await rm(file.path, { force: true }).catch((cause: unknown) => {
      throw targetError(file.final, cause);
    });
  }

  async makeDirectory(path: string): Promise<void> {
    await this.ensure(join(this.root, path));
  }

  /** Renames all files to their places and makes that durable. */
  async publish(): Promise<void> {
    const directories = new Set<string>();
    for (const { path, final } of this.staged) {
      if (!directories.has(dirname(final))) await this.ensure(dirname(final));
      try {
        await rename(path, final);
      } catch (cause) {
        throw targetError(final, cause);
      }
      directories.add(dirname(final));
    }
    for (const directory of directories) await syncDirectory(directory);
  }

  /** Removes whatever was not published, and the directories made for it, as far as that can be done. */
  async discard(): Promise<void> {
    for (const file of this.staged) {
      await file.close();
      await rm(file.path, { force: true }).catch(() => {});
    }
    for (const directory of this.made.reverse()) await rmdir(directory).catch(() => {});
  }

  /**
   * Makes the directories from the root down to `directory`. Those below the root must be directories themselves: a link
   * in their place would lead what is restored out of the folder.
   */
  private async ensure(directory: string): Promise<void> {
    await this.makeMissing(this.root);
    const below = relative(this.root, directory);
    let path = this.root;
    for (const segment of below === '' ? [] : below.split(sep)) {
      path = join(path, segment);
      const status = await statusOf(path);
      if (status === undefined) await this.makeMissing(path);
      else if (!status.isDirectory()) throw notAFile(path);
    }
  }

  /** Makes a directory and those above it that are not there. */
  private async makeMissing(directory: string): Promise<void> {
    const missing: string[] = [];
    for (let path = directory; (await statusOf(path)) === undefined; path = dirname(path)) {
      missing.unshift(path);
      if (path === dirname(path)) break;
    }
    for (const path of missing) {
      try {
        await mkdir(path, { recursive: true });
      } catch (cause) {
        throw targetError(path, cause);
      }
      this.made.push(path);
    }
  }
}

/** What is at `path` itself, links not followed; undefined: nothing. */
async function statusOf(path: string): Promise<Stats | undefined> {
  try {
    return await lstat(path);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw targetError(path, cause);
  }
}

/** Makes durable which names a directory has. */
export async function syncDirectory(path: string): Promise<void> {
  try {
    const handle = await open(path, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  } catch (cause) {
    throw targetError(path, cause);
  }
}
