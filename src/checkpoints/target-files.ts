/** Files on their way into a folder: written under temporary names, renamed together once all of them are whole. */
import { type FileHandle, mkdir, open, rename, rm, rmdir, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { ThetalogError } from '../errors.js';
import type { Hasher } from '../hash/index.js';
import type { Environment } from './environment.js';

/** Small pieces are collected into writes of this size. */
const WRITE_BYTES = 2 ** 20;
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
    if (status.size !== size) return 'differs';
    const digest = hasher.file();
    const buffer = new Uint8Array(READ_BYTES);
    for (;;) {
      const { bytesRead } = await handle.read(buffer, 0, READ_BYTES);
      if (bytesRead === 0) return digest.digest();
      digest.update(buffer.subarray(0, bytesRead));
    }
  } finally {
    await handle.close();
  }
}

/** One file being written; every failure is a typed error and leaves the file to be discarded. */
class StagedFile {
  private readonly handle: FileHandle;
  private readonly path: string;
  private readonly mode: number;
  private readonly buffer = new Uint8Array(WRITE_BYTES);
  private filled = 0;

  constructor(handle: FileHandle, path: string, mode: number) {
    this.handle = handle;
    this.path = path;
    this.mode = mode;
  }

  async write(part: Uint8Array): Promise<void> {
    if (this.filled + part.length > WRITE_BYTES) await this.flush();
    if (part.length >= WRITE_BYTES) await this.writeAll(part);
    else {
      this.buffer.set(part, this.filled);
      this.filled += part.length;
    }
  }

  /** Writes what is left, sets the permissions and makes it durable. */
  async finish(): Promise<void> {
    await this.flush();
    try {
      await this.handle.chmod(this.mode);
      await this.handle.sync();
    } catch (cause) {
      throw targetError(this.path, cause);
    } finally {
      await this.close();
    }
  }

  async close(): Promise<void> {
    await this.handle.close().catch(() => {});
  }

  private async flush(): Promise<void> {
    await this.writeAll(this.buffer.subarray(0, this.filled));
    this.filled = 0;
  }

  private async writeAll(bytes: Uint8Array): Promise<void> {
    try {
      for (let done = 0; done < bytes.length; ) {
        done += (await this.handle.write(bytes, done, bytes.length - done)).bytesWritten;
      }
    } catch (cause) {
      throw targetError(this.path, cause);
    }
  }
}

interface Staged {
  temporary: string;
  final: string;
  file: StagedFile;
}

export class StagedFiles {
  private readonly root: string;
  private readonly suffix: string;
  private readonly staged: Staged[] = [];
  /** Directories made here, outermost first. */
  private readonly made: string[] = [];

  constructor(root: string, environment: Environment) {
    this.root = root;
    this.suffix = environment.randomHex(6);
  }

  /** Opens a new file that will be `path` below the root, with these permission bits, once published. */
  async create(path: string, mode: number): Promise<StagedFile> {
    const final = join(this.root, path);
    await this.ensure(dirname(final));
    const temporary = join(dirname(final), `.${basename(final).slice(0, 200)}.${this.suffix}.partial`);
    try {
      const file = new StagedFile(await open(temporary, 'wx', 0o600), final, mode);
      this.staged.push({ temporary, final, file });
      return file;
    } catch (cause) {
      throw targetError(final, cause);
    }
  }

  async makeDirectory(path: string): Promise<void> {
    await this.ensure(join(this.root, path));
  }

  /** Renames all files to their places and makes that durable. */
  async publish(): Promise<void> {
    const directories = new Set<string>();
    for (const { temporary, final } of this.staged) {
      try {
        await rename(temporary, final);
      } catch (cause) {
        throw targetError(final, cause);
      }
      directories.add(dirname(final));
    }
    for (const directory of directories) await syncDirectory(directory);
  }

  /** Removes whatever was not published, and the directories made for it. */
  async discard(): Promise<void> {
    for (const { temporary, file } of this.staged) {
      await file.close();
      await rm(temporary, { force: true });
    }
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

function targetError(path: string, cause: unknown): ThetalogError {
  const code = (cause as NodeJS.ErrnoException).code ?? String(cause);
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new ThetalogError('unavailable', 'disk-full', `The disk is full: ${path} cannot be written.`, {
      object: path,
      hint: 'Free space and restore again; nothing was left behind.',
      cause,
    });
  }
  if (code === 'ENOTDIR' || code === 'EEXIST' || code === 'EISDIR') return notAFile(path, cause);
  return new ThetalogError('unavailable', 'file-unwritable', `${path} cannot be written (${code}).`, {
    object: path,
    cause,
  });
}

function notAFile(path: string, cause?: unknown): ThetalogError {
  const message = `${path} cannot be written: something else is in its place.`;
  return new ThetalogError('conflict', 'not-a-file', message, {
    object: path,
    hint: 'Restore into another folder.',
    cause,
  });
}
