/** Turns files into their unpacked form, and back (`recode/`), between files. */
import { closeSync, constants, ftruncateSync, openSync } from 'node:fs';
import { isThetalogError, ThetalogError, throwIfAborted } from '../errors.js';
import type { Hasher } from '../hash/index.js';
import { type ByteInput, rebuild, type Unpacked, unpack } from '../recode/index.js';
import { type FilePart, fileError, readPart, writeAll } from './file-parts.js';
import { targetError } from './target-error.js';

export interface UnpackJob {
  readonly kind: 'unpack';
  /** In shared memory: the job gives up once this is not 0. */
  readonly stop: Int32Array;
  readonly source: FilePart;
  /** A file that is there already. */
  readonly target: string;
}

export interface RebuildJob {
  readonly kind: 'rebuild';
  readonly stop: Int32Array;
  /** An unpacked form, and the name to be used in messages. */
  readonly source: string;
  readonly name: string;
  readonly size: number;
  /** A file that is there already; absent: only the digest is wanted. */
  readonly target?: string;
}

export interface RebuildResult {
  readonly size: number;
  readonly digest: string;
}

/** Throws `unavailable` (`no-scratch`) if the target cannot be written: it is nothing that the user asked for. */
export function unpackFile({ source, target, stop }: UnpackJob): Unpacked {
  const scratch = reach(target, () => openSync(target, constants.O_WRONLY | constants.O_NOFOLLOW), noScratch);
  try {
    const input: ByteInput = {
      size: source.length,
      read(offset, bytes) {
        assertWanted(stop);
        readPart({ ...source, offset: source.offset + offset, length: bytes.length }, bytes);
      },
    };
    const write = (bytes: Uint8Array, position: number) =>
      reach(target, () => writeAll(scratch, bytes, position), noScratch);
    const unpacked = unpack(input, { write });
    reach(target, () => ftruncateSync(scratch, unpacked.size), noScratch);
    return unpacked;
  } finally {
    closeSync(scratch);
  }
}

/** Throws `corrupt` for what is no unpacked form. */
export function rebuildFile(hasher: Hasher, { source, name, size, target, stop }: RebuildJob): RebuildResult {
  const from = reach(name, () => openSync(source, constants.O_RDONLY), fileError);
  const to =
    target === undefined
      ? undefined
      : reach(name, () => openSync(target, constants.O_WRONLY | constants.O_NOFOLLOW), targetError);
  const digest = hasher.file();
  let done = 0;
  try {
    const read = (offset: number, bytes: Uint8Array) =>
      readPart({ descriptor: from, path: name, offset, length: bytes.length }, bytes);
    rebuild({ size, read }, name, (bytes) => {
      assertWanted(stop);
      digest.update(bytes);
      if (to !== undefined) reach(name, () => writeAll(to, bytes, done), targetError);
      done += bytes.length;
    });
    return { size: done, digest: digest.digest() };
  } finally {
    closeSync(from);
    if (to !== undefined) closeSync(to);
  }
}

function assertWanted(stop: Int32Array): void {
  if (Atomics.load(stop, 0) !== 0) throwIfAborted(AbortSignal.abort());
}

function reach<T>(
  path: string,
  action: () => T,
  errorOf: (path: string, cause: unknown) => ThetalogError,
): T {
  try {
    return action();
  } catch (cause) {
    throw isThetalogError(cause) ? cause : errorOf(path, cause);
  }
}

function noScratch(path: string, cause: unknown): ThetalogError {
  const code = (cause as NodeJS.ErrnoException).code ?? String(cause);
  return new ThetalogError('unavailable', 'no-scratch', `${path} cannot be written (${code})`, {
    object: path,
    hint: 'Let TMPDIR name a folder with room.',
    cause,
  });
}
