/** The compare-and-set loop on the root: every change of a store is one call of `update`. */
import { corrupt, isThetalogError, ThetalogError } from '../errors.js';
import { decodeRoot, emptyRoot, encodeRoot, ROOT_KEY, type Root } from '../format/index.js';
import type { Hasher } from '../hash/index.js';
import type { Storage } from '../storage/index.js';
import type { Environment } from './environment.js';

/** Lost races before a writer gives up with `conflict`. */
const ATTEMPTS_MAX = 60;
const BACKOFF_MS_MAX = 250;

/**
 * Changes a root in place and returns true, or returns false if there is nothing (left) to do. It is called again for
 * every lost race, so it must look at what it is given: a change that took effect although its answer was lost is
 * already there. It is called again, too, if it misses an object and the root is no longer the one that named it.
 */
export type Mutation = (root: Root) => Promise<boolean> | boolean;

export interface Updated {
  root: Root;
  /** Size of the root that was written; 0 if none was. */
  bytes: number;
}

export class RootStore {
  private readonly storage: Storage;
  private readonly hasher: Hasher;
  private readonly environment: Environment;

  constructor(storage: Storage, hasher: Hasher, environment: Environment) {
    this.storage = storage;
    this.hasher = hasher;
    this.environment = environment;
  }

  /** Writes the first root, unless there is one already. */
  async create(): Promise<void> {
    const root = emptyRoot(this.environment.randomHex(8));
    await this.storage.putIfMatch(ROOT_KEY, encodeRoot(this.hasher, root), undefined);
  }

  /** Reads the current root. */
  async read(): Promise<Root> {
    return (await this.readVersioned()).root;
  }

  /**
   * Puts a root in the place of one that is damaged or missing; one that can be read stays, and false is returned. Nobody else
   * can write a root meanwhile: all changes are made to one that was read.
   */
  async replaceDamaged(root: Root): Promise<boolean> {
    const found = await this.storage.getVersioned(ROOT_KEY);
    try {
      if (found !== undefined) decodeRoot(this.hasher, found.bytes, ROOT_KEY);
      if (found !== undefined) return false;
    } catch (error) {
      if (!isThetalogError(error, 'corrupt')) throw error;
    }
    return (
      (await this.storage.putIfMatch(ROOT_KEY, encodeRoot(this.hasher, root), found?.version)) !== undefined
    );
  }

  /** Applies a change to the current root, again and again until it is the next root. */
  async update(mutate: Mutation): Promise<Updated> {
    for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt++) {
      const { root, version } = await this.readVersioned();
      try {
        if (!(await mutate(root))) return { root, bytes: 0 };
      } catch (error) {
        if (!isMissingObject(error) || (await this.readVersioned()).version === version) throw error;
        continue;
      }
      root.generation += 1;
      root.writeId = this.environment.randomHex(8);
      const bytes = encodeRoot(this.hasher, root);
      if (await this.publish(root, bytes, version)) return { root, bytes: bytes.length };
      await this.environment.sleep(this.backoff(attempt));
    }
    throw new ThetalogError(
      'conflict',
      'root-contended',
      `Other writers were first ${ATTEMPTS_MAX} times in a row.`,
      {
        object: ROOT_KEY,
        hint: 'Try again when fewer processes write to this store.',
      },
    );
  }

  private async publish(root: Root, bytes: Uint8Array, version: string): Promise<boolean> {
    try {
      return (await this.storage.putIfMatch(ROOT_KEY, bytes, version)) !== undefined;
    } catch (error) {
      if (!isThetalogError(error, 'unavailable')) throw error;
      const current = await this.readVersioned();
      if (current.root.writeId === root.writeId) return true;
      if (current.version === version) throw error;
      return false;
    }
  }

  private backoff(attempt: number): number {
    const fraction = Number.parseInt(this.environment.randomHex(2), 16) / 65_536;
    return fraction * Math.min(BACKOFF_MS_MAX, 4 * 2 ** Math.min(attempt, 8));
  }

  private async readVersioned(): Promise<{ root: Root; version: string }> {
    const found = await this.storage.getVersioned(ROOT_KEY);
    if (found === undefined) throw corrupt('missing-root', 'the store has no root', ROOT_KEY);
    return { root: decodeRoot(this.hasher, found.bytes, ROOT_KEY), version: found.version };
  }
}

/** Returns true for what reading an object that gc has deleted throws. */
export function isMissingObject(error: unknown): boolean {
  return isThetalogError(error, 'corrupt') && error.code === 'missing-object';
}
