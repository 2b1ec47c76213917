import { ThetalogError } from '../errors.js';

/** Returns what to throw for a target file that cannot be opened, written or renamed. */
export function targetError(path: string, cause: unknown): ThetalogError {
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

/** Returns what to throw for a target that a file cannot replace. */
export function notAFile(path: string, cause?: unknown): ThetalogError {
  const message = `${path} cannot be written: something else is in its place.`;
  return new ThetalogError('conflict', 'not-a-file', message, {
    object: path,
    hint: 'Restore into another folder.',
    cause,
  });
}
