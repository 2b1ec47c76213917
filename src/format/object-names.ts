/**
 * The keys of a store's objects. Names are `<attempt>-<number>`: the attempt is 16 random hexadecimal digits chosen once
 * per writing operation, so a name is never used twice and gc can tell whose an object is.
 */
import { ThetalogError } from '../errors.js';

export const CONFIG_KEY = 'thetalog.json';
export const ROOT_KEY = 'root';

export type ObjectKind = 'packs' | 'segments' | 'manifests' | 'pages' | 'leases';
export const OBJECT_KINDS: readonly ObjectKind[] = ['packs', 'segments', 'manifests', 'pages', 'leases'];

const NAME = /^[0-9a-f]{16}-[0-9]{1,10}$/;
const RUN = /^[A-Za-z0-9._-]{1,128}$/;

/** Returns the storage key of an object. */
export function objectKey(kind: ObjectKind, name: string): string {
  return `${kind}/${name}`;
}

/** Returns true for a well-formed object name. */
export function isObjectName(name: string): boolean {
  return NAME.test(name);
}

/** Returns the attempt that wrote the object with this key, or undefined if the key names no such object. */
export function attemptOf(key: string): string | undefined {
  const base = key.slice(key.lastIndexOf('/') + 1);
  return /^([0-9a-f]{16})-[0-9]+/.exec(base)?.[1];
}

/** Returns true for a name that a run or a tag may have. */
export function isRunName(name: string): boolean {
  return RUN.test(name) && name !== '.' && name !== '..';
}

/** Throws `invalid` for a name that no run or tag may have. */
export function assertRunName(name: string, what: 'run' | 'tag'): void {
  if (isRunName(name)) return;
  throw new ThetalogError('invalid', `bad-${what}-name`, `"${name}" cannot name a ${what}.`, {
    object: name,
    hint: 'Use 1 to 128 of the characters A-Z a-z 0-9 . _ -',
  });
}
