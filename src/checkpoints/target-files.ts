/** Files on their way into a folder: written under temporary names, renamed together once all of them are whole. */
import { constants } from 'node:fs';
import { type FileHandle, mkdir, open, rename, rm, rmdir, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { notAFile, targetError } from '../compute/index.js';
import type { Hasher } from '../hash/index.js';
import type { Environment } from './environment.js';

const READ_BYTES = 2 ** 20;

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
    return status.size === size ? await digestFrom(hasher, handle) : 'differs';
  } finally {
    await handle.close();
  }
}

/** Reads a file to its end, the next part while this one is hashed. */
async function digestFrom(hasher: Hasher, handle: FileHandle): Promise<string> {
  const digest = hasher.file();
  const read = (buffer: Uint8Array, position: number) => handle.read(buffer, 0, READ_BYTES, position);
  const buffers = [new Uint8Array(READ_BYTES), new Uint8Array(READ_BYTES)];
  let position = 0;
  let next = read(buffers[0], 0);
  for (let turn = 0; ; turn = 1 - turn) {
    const { bytesRead } = await next;
    if (bytesRead === 0) return digest.digest();
    position += bytesRead;
    next = read(buffers[1 - turn], position);
    digest.update(buffers[turn].subarray(0, bytesRead));
  }
}

/** A file under its temporary name; every failure is a typed error and leaves it to be discarded. */
export class StagedFile {
  /** Where it is until it is published. */
  readonly path: string;
  /** Where it will be. */
  readonly final: string;
  private readonly mode: number;

  constructor(path: string, final: string, mode: number) {
    this.path = path;
    this.final = final;
    this.mode = mode;
  }

  /** Writes all of `bytes` at `position`. */
  async write(bytes: Uint8Array, position: number): Promise<void> {
    await this.opened(async (handle) => {
      for (let done = 0; done < bytes.length; )
        done += (await handle.write(bytes, done, bytes.length - done, position + done)).bytesWritten;
    });
  }

  /** Sets the permissions, makes the file durable, and returns the digest of what is in it. */
  async finish(hasher: Hasher): Promise<string> {
    return this.opened(async (handle) => {
      await handle.chmod(this.mode);
      const [digest] = await Promise.all([digestFrom(hasher, handle), handle.sync()]);
      return digest;
    });
  }

  private async opened<T>(use: (handle: FileHandle) => Promise<T>): Promise<T> {
    let handle: FileHandle | undefined;
    try {
      handle = await open(this.path, constants.O_RDWR | constants.O_NOFOLLOW);
      return await use(handle);
    } catch (cause) {
      throw targetError(this.final, cause);
    } finally {
      await handle?.close().catch(() => {});
    }
  }
}

export class StagedFiles {
  private readonly root: string;
  private readonly suffix: string;
  private readonly staged: StagedFile[] = [];
  /** Directories made here, outermost first. */
  private readonly made: string[] = [];

  constructor(root: string, environment: Environment) {
    this.root = root;
    this.suffix = environment.randomHex(6);
  }

  /** Makes a new, empty file that will be `path` below the root, with these permission bits, once published. */
  async create(path: string, mode: number): Promise<StagedFile> {
    const final = join(this.root, path);
    await this.ensure(dirname(final));
    const temporary = join(dirname(final), `.${basename(final).slice(0, 200)}.${this.suffix}.partial`);
    try {
      await (await open(temporary, 'wx', 0o600)).close();
    } catch (cause) {
      throw targetError(final, cause);
    }
    const file = new StagedFile(temporary, final, mode);
    this.staged.push(file);
    return file;
  }

  async makeDirectory(path: string): Promise<void> {
    await this.ensure(join(this.root, path));
  }

  /** Renames all files to their places and makes that durable. */
  async publish(): Promise<void> {
    const directories = new Set<string>();
    for (const { path, final } of this.staged) {
      try {
        await rename(path, final);
      } catch (cause) {
        throw targetError(final, cause);
      }
      directories.add(dirname(final));
    }
    for (const directory of directories) await syncDirectory(directory);
  }

  /** Removes whatever was not published, and the directories made for it. */
  async discard(): Promise<void> {
    for (const { path } of this.staged) await rm(path, { force: true });
    for (const directory of this.made.reverse()) await rmdir(directory).catch(() => {});
  }

  private async ensure(directory: string): Promise<void> {
    const missing: string[] = [];
    for (let path = directory; ; path = dirname(path)) {
      const status = await stat(path).catch(() => undefined);
      if (status !== undefined || path === dirname(path)) break;
      missing.unshift(path);
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

async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
