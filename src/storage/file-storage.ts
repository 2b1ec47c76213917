/**
 * Storage in a directory of a local or network file system that has hard links. Objects are files under their key;
 * mutable objects are directories of generations (see generations.ts); `tmp/` holds files that are being written, or
 * were when a process was killed. Any number of processes may use one directory at once.
 */
import { randomBytes } from 'node:crypto';
import type { Dirent } from 'node:fs';
import { type FileHandle, lstat, mkdir, readdir, realpath, stat, unlink } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { ThetalogError } from '../errors.js';
import { DiskSpace } from './disk-space.js';
import {
  closeRead,
  createDurably,
  DIRECT_BYTES_MIN,
  openForReading,
  READ_BYTES_MAX,
  readBytes,
} from './durable-file.js';
import { errnoOf, fileError, noHardLinksError, notAnObjectError } from './file-errors.js';
import { GenerationFiles } from './generations.js';
import { OpenFiles } from './open-files.js';
import type { Storage, StoredObject, Versioned } from './storage.js';
import { checkKey, checkRange, checkWritableKey, isKey, TEMPORARY_PREFIX } from './storage-key.js';
import { StoreDirectory, syncDirectory } from './store-directory.js';

/** Only packs are read in many small parts; their names are never used again. */
const KEPT_OPEN_PREFIX = 'packs/';

/** How many file sizes are asked for at once in a listing. */
const STATS_AT_ONCE = 32;

type Range = { offset: number; length: number };

export interface FileStorageOptions {
  /** How many files stay open between reads; 0 for none. Default 32. */
  openFilesMax?: number;
  /** Objects of this many bytes or more are written past the page cache, where the system does that. Default 4 MiB. */
  directBytesMin?: number;
}

export class FileStorage implements Storage {
  readonly location: string;
  readonly space: DiskSpace;
  private readonly directory: StoreDirectory;
  private readonly generations: GenerationFiles;
  private readonly openFiles: OpenFiles;
  private readonly directBytesMin: number;

  /** Use `openFileStorage` or `createFileStorage`, which check the directory. */
  constructor(path: string, options: FileStorageOptions = {}) {
    this.location = path;
    this.space = new DiskSpace(path);
    this.directory = new StoreDirectory(path);
    this.generations = new GenerationFiles(this.directory);
    this.openFiles = new OpenFiles(options.openFilesMax ?? 32);
    this.directBytesMin = options.directBytesMin ?? DIRECT_BYTES_MIN;
  }

  async get(key: string, range?: Range, memory?: Uint8Array): Promise<Uint8Array | undefined> {
    checkKey(key);
    if (range !== undefined) checkRange(key, range);
    if (key.startsWith(TEMPORARY_PREFIX) || !(await this.directory.reaches(key))) return undefined;
    const kept = this.openFiles.take(key);
    const bytes = kept && (await this.readFrom(kept, key, range, memory));
    if (bytes !== undefined) return bytes;
    const file = await openForReading(this.directory.pathOf(key), key);
    return file && this.readFrom(file, key, range, memory);
  }

  async putIfAbsent(key: string, parts: readonly Uint8Array[]): Promise<boolean> {
    checkWritableKey(key);
    return createDurably(this.directory, key, parts, this.directBytesMin);
  }

  async getVersioned(key: string): Promise<Versioned | undefined> {
    checkWritableKey(key);
    return this.generations.read(key);
  }

  async putIfMatch(key: string, bytes: Uint8Array, version: string | undefined): Promise<string | undefined> {
    checkWritableKey(key);
    return this.generations.replace(key, bytes, version);
  }

  /** Includes generations and boundaries of mutable objects and leftovers in `tmp/` and the reserve, for they take space; not files that are no keys. */
  async *list(prefix: string): AsyncIterable<StoredObject> {
    yield* this.listDirectory('', prefix);
  }

  async delete(key: string): Promise<void> {
    checkKey(key);
    if (!(await this.directory.reaches(key))) return;
    try {
      await unlink(this.directory.pathOf(key));
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') throw fileError(error, key, 'delete');
    }
  }

  /** Closes files kept open between reads. The storage stays usable. */
  async close(): Promise<void> {
    await this.openFiles.close();
  }

  /** Reads from a file that it closes or keeps open; undefined if the object was deleted since it was opened. */
  private async readFrom(
    file: FileHandle,
    key: string,
    range: Range | undefined,
    memory: Uint8Array | undefined,
  ): Promise<Uint8Array | undefined> {
    let keepOpen = false;
    try {
      const stats = await file.stat();
      if (stats.nlink === 0) return undefined;
      if (!stats.isFile()) throw notAnObjectError(key, 'read');
      const bytes = await readRange(file, key, stats.size, range, memory);
      keepOpen = range !== undefined && key.startsWith(KEPT_OPEN_PREFIX);
      return bytes;
    } catch (error) {
      throw fileError(error, key, 'read');
    } finally {
      if (keepOpen) await this.openFiles.giveBack(key, file);
      else await closeRead(file);
    }
  }

  private async *listDirectory(directory: string, prefix: string): AsyncIterable<StoredObject> {
    const files: string[] = [];
    for (const entry of await this.entries(directory)) {
      const key = directory + entry.name;
      if (!isKey(entry.name)) continue;
      const below = `${key}/`;
      if (entry.isFile() && key.startsWith(prefix)) files.push(key);
      else if (entry.isDirectory() && (below.startsWith(prefix) || prefix.startsWith(below)))
        yield* this.listDirectory(below, prefix);
    }
    for (let index = 0; index < files.length; index += STATS_AT_ONCE) {
      const batch = files.slice(index, index + STATS_AT_ONCE).map((key) => this.describe(key));
      for (const object of await Promise.all(batch)) if (object !== undefined) yield object;
    }
  }

  private async entries(directory: string): Promise<Dirent[]> {
    try {
      return await readdir(this.directory.pathOf(directory), { withFileTypes: true });
    } catch (error) {
      if (errnoOf(error) === 'ENOENT' && directory !== '') return [];
      throw fileError(error, directory || this.location, 'list');
    }
  }

  /** Undefined if the file was removed after it was listed. */
  private async describe(key: string): Promise<StoredObject | undefined> {
    try {
      return { key, size: (await lstat(this.directory.pathOf(key))).size };
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return undefined;
      throw fileError(error, key, 'list');
    }
  }
}

/**
 * Opens the storage in an existing directory. Throws `not-found` (`no-such-directory`) if there is none, `invalid`
 * (`not-a-directory`) if a file is there.
 */
export async function openFileStorage(path: string, options: FileStorageOptions = {}): Promise<FileStorage> {
  try {
    const real = await realpath(path);
    if ((await stat(real)).isDirectory()) return new FileStorage(real, options);
  } catch (error) {
    throw directoryError(error, path);
  }
  throw directoryError(undefined, path);
}

/**
 * Makes the directory and its parents, durably, where they do not exist, and opens it. Throws `unsupported`
 * (`no-hard-links`) if the file system cannot publish files safely; an empty directory may stay behind.
 */
export async function createFileStorage(
  path: string,
  options: FileStorageOptions = {},
): Promise<FileStorage> {
  await makeDirectories(resolve(path));
  const storage = await openFileStorage(path, options);
  await probeHardLinks(storage.location);
  return storage;
}

async function makeDirectories(path: string): Promise<void> {
  try {
    await mkdir(path);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'EEXIST') return;
    if (errno !== 'ENOENT' || dirname(path) === path) throw directoryError(error, path);
    await makeDirectories(dirname(path));
    return makeDirectories(path);
  }
  await syncDirectory(dirname(path), path);
}

/** Proves that a file can be published once and not twice, with a short-lived file in `tmp/`. */
async function probeHardLinks(location: string): Promise<void> {
  const directory = new StoreDirectory(location);
  const key = `${TEMPORARY_PREFIX}probe.${randomBytes(8).toString('hex')}`;
  const first = await createDurably(directory, key, []);
  const second = await createDurably(directory, key, []);
  await unlink(directory.pathOf(key)).catch(() => undefined);
  if (!first || second) throw noHardLinksError(location);
}

function directoryError(error: unknown, path: string): ThetalogError {
  const errno = errnoOf(error);
  const details = { object: path, cause: error, hint: 'Check the path of the store.' };
  if (errno === 'ENOENT')
    return new ThetalogError(
      'not-found',
      'no-such-directory',
      `${path}: there is no such directory.`,
      details,
    );
  if (error === undefined || errno === 'ENOTDIR' || errno === 'EEXIST')
    return new ThetalogError('invalid', 'not-a-directory', `${path} is not a directory.`, details);
  return fileError(error, path, 'open');
}

/** Reads the whole object of `size` bytes, or what there is of a range of it. */
async function readRange(
  file: FileHandle,
  key: string,
  size: number,
  range: Range | undefined,
  memory: Uint8Array | undefined,
): Promise<Uint8Array> {
  const offset = Math.min(range?.offset ?? 0, size);
  const length = Math.min(range?.length ?? size, size - offset);
  if (length > READ_BYTES_MAX)
    throw new ThetalogError('invalid', 'read-too-large', `${key}: cannot read ${length} bytes at once.`, {
      object: key,
      hint: 'Read it in ranges below 2 GiB.',
    });
  return readBytes(file, offset, length, memory);
}
