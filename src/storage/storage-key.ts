/** The names of objects. What passes `checkKey` can be joined to a directory path and stays inside it. */
import { ThetalogError } from '../errors.js';

/** Where files are written before they get their final name; no object lives here. */
export const TEMPORARY_PREFIX = 'tmp/';

/** A file that only takes space (see disk-space.ts); no object lives under this name. */
export const RESERVE_KEY = 'reserve';

const SEGMENT = /^[A-Za-z0-9._-]+$/;

/** Returns true for `/`-separated segments of [A-Za-z0-9._-], none of them empty, `.` or `..`. */
export function isKey(text: string): boolean {
  return text.split('/').every((segment) => SEGMENT.test(segment) && segment !== '.' && segment !== '..');
}

/** Throws `invalid` (`bad-key`) unless the text is a key. */
export function checkKey(key: string): void {
  if (typeof key !== 'string' || !isKey(key)) throw badKey(key, 'is not a storage key');
}

/** Throws `invalid` (`bad-key`) unless an object may be created under this key. */
export function checkWritableKey(key: string): void {
  checkKey(key);
  if (key.startsWith(TEMPORARY_PREFIX)) throw badKey(key, 'is reserved for unfinished files');
  if (key === RESERVE_KEY) throw badKey(key, 'is kept for a full disk');
}

/** Throws `invalid` (`bad-range`) unless both numbers are non-negative safe integers. */
export function checkRange(key: string, range: { offset: number; length: number }): void {
  if (isCount(range.offset) && isCount(range.length)) return;
  throw new ThetalogError(
    'invalid',
    'bad-range',
    `${key}: offset ${range.offset} and length ${range.length} are not a range of bytes.`,
    { object: key },
  );
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

function badKey(key: unknown, reason: string): ThetalogError {
  const object = String(key);
  return new ThetalogError('invalid', 'bad-key', `${JSON.stringify(object)} ${reason}.`, {
    object,
    hint: 'Keys are /-separated segments of letters, digits, dot, underscore and hyphen.',
  });
}
