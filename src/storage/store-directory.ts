/**
 * The directories of a store on disk: made on demand, synced into their parents, never reached through a symbolic
 * link. A plain copy may have lost empty directories, so no directory but the store's own is taken for granted.
 */
import { lstat, mkdir, open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { errnoOf, fileError, notAnObjectError, symbolicLinkError } from './file-errors.js';

export class StoreDirectory {
  /** Absolute path without symbolic links. */
  readonly path: string;
  /** Directories whose entry in their parent is known to be durable. */
  private readonly durable = new Set<string>();
  /** Directories known to be no symbolic links. */
  private readonly real = new Set<string>();

  constructor(path: string) {
    this.path = path;
  }

  /** The path of a key that `checkKey` accepted. */
  pathOf(key: string): string {
    return join(this.path, key);
  }

  /**
   * Makes the directory that will hold the key, and its parents. Parents are synced once per instance even if the
   * directory was there: another process may have made it a moment ago.
   */
  async makeFor(key: string): Promise<void> {
    for (const directory of directoriesOf(key)) {
      if (this.durable.has(directory)) continue;
      const path = this.pathOf(directory);
      try {
        await mkdir(path);
      } catch (error) {
        if (errnoOf(error) !== 'EEXIST') throw fileError(error, directory, 'make directory');
      }
      await this.isReal(directory);
      await syncDirectory(dirname(path), directory);
      this.durable.add(directory);
    }
  }

  /** Makes the directories again that somebody removed behind our back. */
  async remakeFor(key: string): Promise<void> {
    for (const directory of directoriesOf(key)) this.durable.delete(directory);
    await this.makeFor(key);
  }

  /** Returns false if the directory of a key is absent; throws if a file or a symbolic link is in its place. */
  async reaches(key: string): Promise<boolean> {
    for (const directory of directoriesOf(key)) {
      if (this.real.has(directory)) continue;
      if (!(await this.isReal(directory))) return false;
    }
    return true;
  }

  /** Syncs the directory that holds the key. */
  async syncFor(key: string): Promise<void> {
    await syncDirectory(dirname(this.pathOf(key)), key);
  }

  /** Returns false if there is nothing; throws if there is anything but a directory. */
  private async isReal(directory: string): Promise<boolean> {
    try {
      const stats = await lstat(this.pathOf(directory));
      if (stats.isSymbolicLink()) throw symbolicLinkError(directory);
      if (!stats.isDirectory()) throw notAnObjectError(directory, 'use as a directory');
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return false;
      throw fileError(error, directory, 'read');
    }
    this.real.add(directory);
    return true;
  }
}

/** Makes the entries of a directory durable: creations, links and removals in it. Never retried after an error. */
export async function syncDirectory(path: string, object: string): Promise<void> {
  try {
    const directory = await open(path, 'r');
    try {
      await directory.sync();
    } finally {
      await directory.close();
    }
  } catch (error) {
    throw fileError(error, object, 'sync the directory of');
  }
}

/** `a/b/c` is held by `a` and `a/b`. */
function directoriesOf(key: string): string[] {
  const segments = key.split('/');
  return segments.slice(1).map((_, index) => segments.slice(0, index + 1).join('/'));
}
