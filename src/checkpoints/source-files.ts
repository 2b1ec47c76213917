/** The files that are saved: read at any offset, a few open at a time, and checked for changes while they are read. */
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import type { RandomAccess } from '../adapters/index.js';
import { corrupt, ThetalogError } from '../errors.js';

/** Open files at any time; directories of thousands of files must not exhaust descriptors. */
const OPEN_FILES_MAX = 32;

export class SourceFiles {
  private readonly handles = new Map<string, FileHandle>();

  /** Opens a regular file. */
  async open(path: string): Promise<SourceFile> {
    const handle = await this.handle(path);
    const { size, mtimeMs, mode } = await handle.stat();
    return new SourceFile(this, path, size, mtimeMs, mode & 0o777);
  }

  /** Returns a handle, which stays usable until OPEN_FILES_MAX others were asked for. */
  async handle(path: string): Promise<FileHandle> {
    const present = this.handles.get(path);
    if (present !== undefined) {
      this.handles.delete(path);
      this.handles.set(path, present);
      return present;
    }
    const handle = await openFile(path);
    this.handles.set(path, handle);
    if (this.handles.size > OPEN_FILES_MAX) {
      const [oldest] = this.handles.entries();
      this.handles.delete(oldest[0]);
      await oldest[1].close();
    }
    return handle;
  }

  async close(): Promise<void> {
    const handles = [...this.handles.values()];
    this.handles.clear();
    await Promise.all(handles.map((handle) => handle.close()));
  }
}

export class SourceFile implements RandomAccess {
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

  async read(offset: number, length: number): Promise<Uint8Array> {
    if (offset < 0 || length < 0 || offset + length > this.size) {
      throw corrupt(
        'truncated',
        `needs ${length} bytes at offset ${offset} of ${this.size}`,
        this.name,
        offset,
      );
    }
    const bytes = new Uint8Array(length);
    const handle = await this.files.handle(this.name);
    let done = 0;
    while (done < length) {
      const { bytesRead } = await handle.read(bytes, done, length - done, offset + done);
      if (bytesRead === 0) throw changed(this.name);
      done += bytesRead;
    }
    return bytes;
  }

  /** Throws `conflict` if the file is no longer the one that was opened. */
  async assertUnchanged(): Promise<void> {
    const { size, mtimeMs } = await (await this.files.handle(this.name)).stat();
    if (size !== this.size || mtimeMs !== this.modifiedAt) throw changed(this.name);
  }
}

function changed(path: string): ThetalogError {
  return new ThetalogError('conflict', 'file-changed', `${path} changed while it was being saved.`, {
    object: path,
    hint: 'Save it again once its writer has finished.',
  });
}

async function openFile(path: string): Promise<FileHandle> {
  try {
    return await open(path, constants.O_RDONLY);
  } catch (cause) {
    throw fileError(path, cause);
  }
}

/** Returns the typed error for a file of the user's that cannot be read. */
export function fileError(path: string, cause: unknown): ThetalogError {
  const code = (cause as NodeJS.ErrnoException).code;
  if (code === 'ENOENT' || code === 'ENOTDIR') {
    return new ThetalogError('not-found', 'no-such-file', `There is no file ${path}.`, {
      object: path,
      cause,
    });
  }
  return new ThetalogError(
    'unavailable',
    'file-unreadable',
    `${path} cannot be read (${code ?? String(cause)}).`,
    {
      object: path,
      cause,
    },
  );
}
