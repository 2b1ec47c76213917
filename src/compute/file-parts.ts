/** Reads parts of files that another thread opened: descriptors belong to the process. */
import { readSync, writeSync } from 'node:fs';
import { ThetalogError, throwIfAborted } from '../errors.js';
import type { Hasher } from '../hash/index.js';

export interface FilePart {
  /** Stays open until the job is done. */
  readonly descriptor: number;
  /** For errors. */
  readonly path: string;
  readonly offset: number;
  readonly length: number;
}

/** The bytes of a chunk, or where a thread finds them in files. */
export type RawBytes = { readonly bytes: Uint8Array } | { readonly parts: readonly FilePart[] };

/** Digests files from their start. */
export interface DigestJob {
  readonly kind: 'digest';
  /** In shared memory: the job gives up once this is not 0. */
  readonly stop: Int32Array;
  readonly files: readonly FilePart[];
}

export interface DigestResult {
  readonly digests: string[];
}

/** Bytes read at a time while digesting: they stay in the cache until they are hashed. */
const DIGEST_BYTES = 256 * 1024;

/** Fills `target` with the parts one after another; a file that has become shorter is a `conflict`. */
export function readParts(parts: readonly FilePart[], target: Uint8Array): Uint8Array {
  let done = 0;
  for (const part of parts) {
    readPart(part, target.subarray(done, done + part.length));
    done += part.length;
  }
  return target;
}

/** Fills `target` with a part. */
export function readPart({ descriptor, path, offset }: FilePart, target: Uint8Array): void {
  let done = 0;
  while (done < target.length) {
    const read = readOnce(descriptor, path, target.subarray(done), offset + done);
    if (read === 0) throw fileChanged(path);
    done += read;
  }
}

function readOnce(descriptor: number, path: string, target: Uint8Array, position: number): number {
  try {
    return readSync(descriptor, target, 0, target.length, position);
  } catch (cause) {
    throw fileError(path, cause);
  }
}

/** Returns the digest of each file. */
export function digestFiles(hasher: Hasher, job: DigestJob): DigestResult {
  const window = new Uint8Array(DIGEST_BYTES);
  const digests = job.files.map((file) => {
    const digest = hasher.file();
    for (let offset = 0; offset < file.length; offset += DIGEST_BYTES) {
      if (Atomics.load(job.stop, 0) !== 0) throwIfAborted(AbortSignal.abort());
      const length = Math.min(DIGEST_BYTES, file.length - offset);
      const piece = window.subarray(0, length);
      readPart({ ...file, offset: file.offset + offset, length }, piece);
      digest.update(piece);
    }
    return digest.digest();
  });
  return { digests };
}

/** A file of the user's that is not the one that was opened any more. */
export function fileChanged(path: string): ThetalogError {
  return new ThetalogError('conflict', 'file-changed', `${path} changed while it was being saved.`, {
    object: path,
    hint: 'Save it again once its writer has finished.',
  });
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

/** Writes all of `bytes` at `position`: one call may write less. */
export function writeAll(file: number, bytes: Uint8Array, position: number): void {
  for (let done = 0; done < bytes.length; )
    done += writeSync(file, bytes, done, bytes.length - done, position + done);
}
