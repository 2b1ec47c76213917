/** The files that are saved: read at any offset, a few open at a time, and checked for changes while they are read. */
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import type { RandomAccess } from '../adapters/index.js';
import { fileChanged, fileError } from '../compute/index.js';
import { corrupt, isThetalogError, ThetalogError } from '../errors.js';

/** Open files at any time; directories of thousands of files must not exhaust descriptors. */
const OPEN_FILES_MAX = 32;

export class SourceFiles {
  /** Least recently used first. */
  private readonly handles = new Map<string, Promise<FileHandle>>();
  /** How often files are in use right now: these stay open. */
  private readonly uses = new Map<string, number>();

  /** Opens a regular file; anything else is `invalid`. */
  async open(path: string): Promise<SourceFile> {
    const status = await this.use(path, (handle) => handle.stat());
    if (!status.isFile())
      throw new ThetalogError('invalid', 'not-a-file', `${path} is no regular file.`, { object: path });
    const { size, mtimeMs, mode } = status;
    return new SourceFile(this, path, size, mtimeMs, mode & 0o777);
  }

  /** Does something with an open file. Throws `unavailable` if it cannot be read. */
  async use<T>(path: string, action: (handle: FileHandle) => Promise<T>): Promise<T> {
    const handle = await this.hold(path);
    try {
      return await action(handle);
    } catch (error) {
      throw isThetalogError(error) ? error : fileError(path, error);
    } finally {
      this.release(path);
    }
  }

  /** Returns a handle, which stays open until it is released as often as it was held. */
  async hold(path: string): Promise<FileHandle> {
    const opened = this.handles.get(path) ?? openFile(path);
    this.handles.delete(path);
    this.handles.set(path, opened);
    this.uses.set(path, (this.uses.get(path) ?? 0) + 1);
    try {
      if (this.handles.size > OPEN_FILES_MAX) await this.closeOldest();
      return await opened;
    } catch (error) {
      this.handles.delete(path);
      this.release(path);
      throw error;
    }
  }

  release(path: string): void {
    const uses = (this.uses.get(path) ?? 0) - 1;
    if (uses > 0) this.uses.set(path, uses);
    else this.uses.delete(path);
  }

  /** Reads from a file of `size` bytes; throws `conflict` if it has fewer by now. */
  async read(path: string, size: number, offset: number, length: number): Promise<Uint8Array> {
    if (offset < 0 || length < 0 || offset + length > size)
      throw corrupt('truncated', `needs ${length} bytes at offset ${offset} of ${size}`, path, offset);
    const bytes = new Uint8Array(length);
    await this.use(path, async (handle) => {
      let done = 0;
      while (done < length) {
        const { bytesRead } = await handle.read(bytes, done, length - done, offset + done);
        if (bytesRead === 0) throw fileChanged(path);
        done += bytesRead;
      }
    });
    return bytes;
  }

  /** Keeps a file open until `release`, so that a worker thread can read parts of it. */
  async holdDescriptor(path: string): Promise<{ descriptor: number; release(): void }> {
    const { fd } = await this.hold(path);
    return { descriptor: fd, release: () => this.release(path) };
  }

  private async closeOldest(): Promise<void> {
    const oldest = [...this.handles].find(([path]) => !this.uses.has(path));
    if (oldest === undefined) return;
    this.handles.delete(oldest[0]);
    await closeRead(oldest[1]);
  }

  /** Waits for what is being opened, so that nothing stays open. */
  async close(): Promise<void> {
    const handles = [...this.handles.values()];
    this.handles.clear();
    await Promise.all(handles.map(closeRead));
  }
}

/** Bytes that are saved, where threads can read them. */
export interface SourceBytes extends RandomAccess {
  /** Whether they are made again when they are read after the plan was closed. */
  readonly isScratch?: boolean;
  /** Keeps them open until `release`, so that a worker thread can read parts of them. */
  hold(): Promise<{ descriptor: number; release(): void }>;
}

export class SourceFile implements SourceBytes {
  readonly name: string;
  readonly size: number;
  readonly mode: number;
  private readonly files: SourceFiles;
  private readonly modifiedAt: number;

  constructor(files: SourceFiles, path: string, size: number, modifiedAt: number, mode: number) {
    this.files = files;
    this.name = path;
    this.size = size;
    this.modifiedAt = modifiedAt;
    this.mode = mode;
  }

  read(offset: number, length: number): Promise<Uint8Array> {
    return this.files.read(this.name, this.size, offset, length);
  }

  hold(): Promise<{ descriptor: number; release(): void }> {
    return this.files.holdDescriptor(this.name);
  }

  /** Throws `conflict` if the file is no longer the one that was opened. */
  async assertUnchanged(): Promise<void> {
    const { size, mtimeMs } = await this.files.use(this.name, (handle) => handle.stat());
    if (size !== this.size || mtimeMs !== this.modifiedAt) throw fileChanged(this.name);
  }
}

async function openFile(path: string): Promise<FileHandle> {
  try {
    // A pipe without a writer would be waited for.
    return await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  } catch (cause) {
    throw fileError(path, cause);
  }
}

/** What was read is right whatever close(2) answers; a file that could not be opened was reported when it was used. */
async function closeRead(opened: Promise<FileHandle>): Promise<void> {
  await opened.then((handle) => handle.close()).catch(() => {});
}
