/** Stores made by the built command, and what saves add to the sum of their files' sizes. */
import { rmSync, statSync } from 'node:fs';
import { basename, join, relative, sep } from 'node:path';
import { thetalog } from '../children.mjs';
import { filesBelow } from '../engine/restore-tasks.mjs';

export class MeasuredStore {
  /** A fresh store in a folder. */
  static async make(folder) {
    const path = join(folder, 'store');
    rmSync(path, { recursive: true, force: true });
    await thetalog('init', path);
    return new MeasuredStore(path);
  }

  constructor(path) {
    this.path = path;
  }

  /** Bytes of all files, or of all but the root's. */
  bytes({ root = true } = {}) {
    return filesBelow(this.path)
      .filter((path) => root || relative(this.path, path).split(sep)[0] !== 'root')
      .reduce((sum, path) => sum + statSync(path).size, 0);
  }

  /**
   * Saves paths as the next checkpoint; returns the bytes it added to the store, also those of the root apart, the logical
   * bytes, and the explanation. Throws unless that and the files agree; roots of long ago may go meanwhile.
   */
  async save(...paths) {
    const before = this.bytes({ root: false });
    const { lines } = await thetalog('save', ...paths, '--run', 'bench', '--store', this.path, '--explain');
    const { explain, logicalBytes, storedBytes } = lines.at(-1);
    const apart = this.bytes({ root: false }) - before;
    const sum = (parts, key) => parts.reduce((total, part) => total + part[key], 0);
    const rootBytes = sum(
      explain.metadata.filter(({ object }) => object === 'root'),
      'bytes',
    );
    const explained = sum(explain.groups, 'storedBytes') + sum(explain.metadata, 'bytes');
    if (explained !== apart + rootBytes || storedBytes !== explained)
      throw new Error(
        `${basename(paths[0])}: ${apart} bytes added, ${explained} explained, ${storedBytes} reported`,
      );
    return { added: explained, apart, logicalBytes, explain };
  }

  /** Restores the newest checkpoint; throws unless a file of it is what was saved. */
  async verify(original, readFile) {
    const out = `${this.path}-restored`;
    await thetalog('restore', 'bench', '--out', out, '--store', this.path);
    const restored = readFile(join(out, basename(original)));
    rmSync(out, { recursive: true });
    if (!restored.equals(readFile(original))) throw new Error(`${basename(original)}: restored bytes differ`);
  }
}
