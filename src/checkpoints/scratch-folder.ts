/** Files that are needed only for a while, in a folder of their own where the system keeps such files. */
import { createHash } from 'node:crypto';
import { mkdtemp, open, readdir, readlink, rm, statfs } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { isThetalogError, ThetalogError } from '../errors.js';

export class ScratchFolder {
  private folder: Promise<string> | undefined;
  private files = 0;

  /** Throws `unavailable` (`no-scratch`) without room for `bytes`. */
  async assertRoom(bytes: number): Promise<void> {
    const place = tmpdir();
    try {
      const { bavail, bsize } = await statfs(place);
      if (bavail * bsize < bytes) throw noRoom(place, `there is no room for ${bytes} bytes`);
    } catch (cause) {
      throw isThetalogError(cause) ? cause : noRoom(place, reasonOf(cause), cause);
    }
  }

  /** Makes an empty file that only this user can read; returns its path. Throws `unavailable` (`no-scratch`) where that cannot be done. */
  async makeFile(): Promise<string> {
    const place = tmpdir();
    try {
      this.folder ??= makeFolder(place);
      const path = join(await this.folder, String(this.files++));
      await (await open(path, 'wx', 0o600)).close();
      return path;
    } catch (cause) {
      throw noRoom(place, reasonOf(cause), cause);
    }
  }

  /** Removes one, as far as that can be done. */
  async drop(path: string): Promise<void> {
    await rm(path, { force: true }).catch(() => {});
  }

  /** Removes all files, as far as that can be done; more may be made. */
  async remove(): Promise<void> {
    const folder = await this.folder?.catch(() => undefined);
    this.folder = undefined;
    if (folder !== undefined) await rm(folder, { recursive: true, force: true }).catch(() => {});
  }
}

/** Makes a folder whose name says which process it belongs to, and removes those of processes that were killed. */
async function makeFolder(place: string): Promise<string> {
  const prefix = `thetalog-${await machineKey()}-`;
  for (const name of await readdir(place).catch(() => [])) {
    if (!name.startsWith(prefix)) continue;
    const owner = Number.parseInt(name.slice(prefix.length), 10);
    if (owner > 0 && !isAlive(owner))
      await rm(join(place, name), { recursive: true, force: true }).catch(() => {});
  }
  return mkdtemp(join(place, `${prefix}${process.pid}-`));
}

/** Tells apart what has process numbers of its own: hosts that share a folder, and containers of one host. */
async function machineKey(): Promise<string> {
  const namespace = await readlink('/proc/self/ns/pid').catch(() => '');
  return createHash('sha256').update(`${hostname()} ${namespace}`).digest('hex').slice(0, 12);
}

function isAlive(owner: number): boolean {
  try {
    return process.kill(owner, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

function reasonOf(cause: unknown): string {
  return (cause as NodeJS.ErrnoException).code ?? String(cause);
}

function noRoom(place: string, reason: string, cause?: unknown): ThetalogError {
  return new ThetalogError(
    'unavailable',
    'no-scratch',
    `nothing can be put into ${place} for a while: ${reason}`,
    {
      object: place,
      hint: 'Let TMPDIR name a folder with room.',
      cause,
    },
  );
}
