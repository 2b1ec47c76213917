/** The check that lets a writer commit although gc ran since it began (FORMAT.md, "Collection"). */
import { ThetalogError } from '../errors.js';
import type { Root } from '../format/index.js';
import type { StoreContext } from './context.js';

/** An object that a writer built on was condemned or is gone; it must start over. */
export class CondemnedError extends Error {
  readonly key: string;

  constructor(key: string) {
    super(`${key} was collected`);
    this.key = key;
  }

  asConflict(): ThetalogError {
    const message = 'Garbage collection kept removing what this operation was building on.';
    return new ThetalogError('conflict', 'collected', message, { object: this.key, hint: 'Try again.' });
  }
}

/**
 * Throws CondemnedError unless every object is in the store and not condemned by this root. A later condemnation changes
 * the root, so that the compare-and-set that follows fails and this check runs again.
 */
export async function assertStillThere(
  context: StoreContext,
  root: Root,
  keys: readonly string[],
): Promise<void> {
  const condemned = new Set(root.condemned);
  for (const key of keys) {
    if (condemned.has(key)) throw new CondemnedError(key);
    const first = await context.storage.get(key, { offset: 0, length: 1 });
    if (first === undefined) throw new CondemnedError(key);
  }
}
