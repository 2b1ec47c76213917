/** Writes files that appear whole or not at all, and reads parts of files. */
import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, link, lstat, open, unlink } from 'node:fs/promises';
import { basename } from 'node:path';
import { isThetalogError, ThetalogError } from '../errors.js';
import { createDirectly } from './direct-file.js';
import { freeBytes } from './disk-space.js';
import { diskFullError, errnoOf, fileError, linkError } from './file-errors.js';
import { TEMPORARY_PREFIX } from './storage-key.js';
import type { StoreDirectory } from './store-directory.js';

/** A read of more must be split: larger reads fail in the operating system, and objects can be many GB. */
export const READ_BYTES_MAX = 2 ** 31 - 4096;

/** Objects from this size on are not begun where they cannot fit: a pack that cannot is told before it fills the disk. */
const ROOM_ASKED_BYTES = 2 ** 20;

/** Objects from this size on, packs, are written past the page cache by default: of smaller ones it costs little, and they are read soon. */
export const DIRECT_BYTES_MIN = 4 * 2 ** 20;

const NEW_FILE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

/** How often a file is written again because somebody removed its directory or its temporary name. */
const ATTEMPTS_MAX = 3;

/**
 * Creates `key` from the concatenated parts, durably, if it does not exist; returns false if it does (and then the
 * existing one is durable). After a crash: the whole object, or nothing but a leftover in `tmp/`. After an error the
 * object is gone, as a second sync of what a first could not write proves nothing.
 */
export async function createDurably(
  directory: StoreDirectory,
  key: string,
  parts: readonly Uint8Array[],
  directBytesMin = DIRECT_BYTES_MIN,
): Promise<boolean> {
  const created = await publish(directory, key, parts, directBytesMin);
  try {
    await directory.syncFor(key);
  } catch (error) {
    if (created) await unlink(directory.pathOf(key)).catch(ignore);
    throw error;
  }
  return created;
}

/**
 * The same without the last step: the content is durable, the name only once the caller has synced the directory.
 * The file is written under a temporary name, synced, then linked to its final name, which is atomic.
 */
export async function publish(
  directory: StoreDirectory,
  key: string,
  parts: readonly Uint8Array[],
  directBytesMin = DIRECT_BYTES_MIN,
): Promise<boolean> {
  await directory.makeFor(key);
  for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt += 1) {
    const outcome = await tryPublish(directory, key, parts, directBytesMin);
    if (outcome !== 'vanished') return outcome === 'created';
    await directory.remakeFor(key);
  }
  throw new ThetalogError(
    'unavailable',
    'storage-failed',
    `${key}: its directory vanishes again and again.`,
    {
      object: key,
      hint: 'Stop whatever else removes files from the store.',
    },
  );
}

async function tryPublish(
  directory: StoreDirectory,
  key: string,
  parts: readonly Uint8Array[],
  directBytesMin: number,
): Promise<'created' | 'exists' | 'vanished'> {
  const size = parts.reduce((sum, part) => sum + part.byteLength, 0);
  if (size >= ROOM_ASKED_BYTES) await assertRoom(directory.path, key, size);
  const temporaryKey = `${TEMPORARY_PREFIX}${basename(key)}.${randomBytes(8).toString('hex')}`;
  const temporaryPath = directory.pathOf(temporaryKey);
  await directory.makeFor(temporaryKey);
  try {
    await writeDurably(temporaryPath, key, { parts, size, isDirect: size >= directBytesMin });
    return (await linkOnce(temporaryPath, directory.pathOf(key), key)) ? 'created' : 'exists';
  } catch (error) {
    if (isThetalogError(error) && error.code === 'disk-full')
      throw diskFullError(key, size, await freeBytes(directory.path), error.cause);
    if (errnoOf(error) !== 'ENOENT') throw fileError(error, key, 'create');
    await directory.remakeFor(temporaryKey);
    return 'vanished';
  } finally {
    await unlink(temporaryPath).catch(ignore);
  }
}

async function assertRoom(path: string, key: string, size: number): Promise<void> {
  const free = await freeBytes(path);
  if (free !== undefined && free < size) throw diskFullError(key, size, free);
}

/** Writes a new file and syncs it; the caller removes it after an error and never uses it again. */
async function writeDurably(
  path: string,
  key: string,
  { parts, size, isDirect }: { parts: readonly Uint8Array[]; size: number; isDirect: boolean },
): Promise<void> {
  let file: FileHandle | undefined;
  try {
    if (isDirect) file = await createDirectly(path, NEW_FILE, parts);
    if (file === undefined) {
      file = await open(path, NEW_FILE, 0o666);
      await writeParts(file, parts);
    }
    const stored = (await file.stat()).size;
    if (stored !== size) throw new Error(`${size} bytes were written but the file has ${stored}`);
    await file.sync();
    const closing = file;
    file = undefined;
    await closing.close();
  } catch (error) {
    await file?.close().catch(ignore);
    if (errnoOf(error) === 'ENOENT') throw error;
    throw fileError(error, key, 'write');
  }
}

/** Short writes are continued. */
async function writeParts(file: FileHandle, parts: readonly Uint8Array[]): Promise<void> {
  let pending = parts.filter((part) => part.byteLength > 0);
  while (pending.length > 0) {
    const { bytesWritten } = await file.writev(pending);
    if (bytesWritten === 0) throw new Error('a write made no progress');
    pending = without(pending, bytesWritten);
  }
}

/** The parts after their first `written` bytes. */
function without(parts: readonly Uint8Array[], written: number): Uint8Array[] {
  let index = 0;
  let skip = written;
  for (; index < parts.length && skip >= parts[index].byteLength; index += 1) skip -= parts[index].byteLength;
  const rest = parts.slice(index);
  if (skip > 0) rest[0] = rest[0].subarray(skip);
  return rest;
}

/** Returns false if the final name exists. Over NFS a link can take effect and still answer EEXIST. */
async function linkOnce(temporaryPath: string, path: string, key: string): Promise<boolean> {
  try {
    await link(temporaryPath, path);
    return true;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') throw error;
    if (errnoOf(error) !== 'EEXIST') throw linkError(error, key);
    return (await lstat(temporaryPath)).nlink > 1;
  }
}

/** Opens a file for reading; undefined if there is none. */
export async function openForReading(path: string, key: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw fileError(error, key, 'read');
  }
}

/** Closes a file that was only read from: what was read is right whatever close(2) answers. */
export async function closeRead(file: FileHandle): Promise<void> {
  await file.close().catch(ignore);
}

/**
 * Reads up to `length` bytes at `offset` into `memory`, if that is long enough, else into an ArrayBuffer of their own; short
 * only if the file ends.
 */
export async function readBytes(
  file: FileHandle,
  offset: number,
  length: number,
  memory?: Uint8Array,
): Promise<Uint8Array> {
  const isEnough = memory !== undefined && memory.length >= length;
  const buffer = isEnough ? memory : Buffer.allocUnsafeSlow(length);
  let filled = 0;
  while (filled < length) {
    const { bytesRead } = await file.read(buffer, filled, length - filled, offset + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  const bytes = new Uint8Array(buffer.buffer, buffer.byteOffset, length);
  return filled < length ? bytes.slice(0, filled) : bytes;
}

/** For clean-up on a path that already has its answer; what is left behind is listed and collected later. */
function ignore(): void {}
