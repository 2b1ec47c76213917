/** Turns errors of the operating system into the kinds of thetalog. */
import { type ErrorDetails, type ErrorKind, ThetalogError } from '../errors.js';

interface Translation {
  kind: ErrorKind;
  code: string;
  hint: string;
}

const FULL: Translation = {
  kind: 'unavailable',
  code: 'disk-full',
  hint: 'Free space, for example by `thetalog forget` and `thetalog gc`, which work on a full disk, and try again.',
};
const DENIED: Translation = {
  kind: 'unavailable',
  code: 'storage-denied',
  hint: 'Check the owner and the permissions of the store, and that it is not mounted read-only.',
};
const TOO_MANY_FILES: Translation = {
  kind: 'unavailable',
  code: 'storage-failed',
  hint: 'Too many open files: raise the limit (ulimit -n).',
};
const FAILED: Translation = {
  kind: 'unavailable',
  code: 'storage-failed',
  hint: 'Look for disk errors in the system log; try again later or elsewhere.',
};
const NOT_AN_OBJECT: Translation = {
  kind: 'invalid',
  code: 'not-an-object',
  hint: 'A file and a directory cannot have the same name.',
};
const SYMBOLIC_LINK: Translation = {
  kind: 'unsupported',
  code: 'symbolic-link',
  hint: 'Links are not followed inside a store; replace the link by what it points to.',
};
const NAME_TOO_LONG: Translation = {
  kind: 'invalid',
  code: 'bad-key',
  hint: 'Choose a shorter name.',
};
const NO_HARD_LINKS: Translation = {
  kind: 'unsupported',
  code: 'no-hard-links',
  hint: 'Keep the store on a file system with hard links, such as ext4, XFS, btrfs, APFS, NTFS or NFS.',
};

const TRANSLATIONS: Readonly<Record<string, Translation>> = {
  ENOSPC: FULL,
  EDQUOT: FULL,
  EACCES: DENIED,
  EPERM: DENIED,
  EROFS: DENIED,
  EMFILE: TOO_MANY_FILES,
  ENFILE: TOO_MANY_FILES,
  ENOTDIR: NOT_AN_OBJECT,
  EISDIR: NOT_AN_OBJECT,
  ELOOP: SYMBOLIC_LINK,
  ENAMETOOLONG: NAME_TOO_LONG,
};

/** What link(2) answers where there are no hard links; FAT answers EPERM. */
const LINK_REFUSED = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS']);

/** The `code` of an error of the operating system, such as `ENOENT`. */
export function errnoOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

/** The error to throw for a failed system call; `object` is the key or path. ThetalogErrors pass unchanged. */
export function fileError(error: unknown, object: string, action: string): ThetalogError {
  if (error instanceof ThetalogError) return error;
  const errno = errnoOf(error);
  return translated((errno && TRANSLATIONS[errno]) || FAILED, error, object, action);
}

/** The same for a failed link(2), which tells a file system without hard links. */
export function linkError(error: unknown, object: string): ThetalogError {
  const refused = LINK_REFUSED.has(errnoOf(error) ?? '');
  return refused ? translated(NO_HARD_LINKS, error, object, 'link') : fileError(error, object, 'link');
}

/** A file system that accepts link(2) but lets it replace an existing name. */
export function noHardLinksError(object: string): ThetalogError {
  return translated(NO_HARD_LINKS, undefined, object, 'publish files in');
}

/** A directory entry that is a symbolic link. */
export function symbolicLinkError(object: string): ThetalogError {
  return translated(SYMBOLIC_LINK, undefined, object, 'follow');
}

/** A directory where a file is wanted, or the other way round. */
export function notAnObjectError(object: string, action: string): ThetalogError {
  return translated(NOT_AN_OBJECT, undefined, object, action);
}

/** A disk without room for `needed` bytes; `free` if that is known, `cause` if it was found out by writing. */
export function diskFullError(
  object: string,
  needed: number,
  free: number | undefined,
  cause?: unknown,
): ThetalogError {
  const known = free === undefined ? '' : `, ${free} are free`;
  const message = `The disk is full: ${object} needs ${needed} bytes${known}.`;
  return new ThetalogError(FULL.kind, FULL.code, message, { object, hint: FULL.hint, cause });
}

function translated({ kind, code, hint }: Translation, cause: unknown, object: string, action: string) {
  const reason = cause instanceof Error ? cause.message : code;
  const details: ErrorDetails = { object, hint, cause };
  return new ThetalogError(kind, code, `Cannot ${action} ${object}: ${reason}`, details);
}
