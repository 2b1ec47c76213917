/** Files that are needed only for a while, in a folder of their own where the system keeps such files. */
import { mkdtemp, open, rm, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ThetalogError } from '../errors.js';

export class ScratchFolder {
  private folder: Promise<string> | undefined;
  private files = 0;

  /** Makes an empty file that only this user can read; returns its path. Throws `unavailable` (`no-scratch`) without room for `bytes`. */
  async makeFile(bytes: number): Promise<string> {
    const place = tmpdir();
    try {
      const { bavail, bsize } = await statfs(place);
      if (bavail * bsize < bytes) throw noRoom(place, `it has no room for ${bytes} bytes`);
      this.folder ??= mkdtemp(join(place, 'thetalog-'));
      const path = join(await this.folder, String(this.files++));
      await (await open(path, 'wx', 0o600)).close();
      return path;
    } catch (cause) {
      if (cause instanceof ThetalogError) throw cause;
      throw noRoom(place, (cause as NodeJS.ErrnoException).code ?? String(cause), cause);
    }
  }

  /** Removes all files, as far as that can be done; more may be made. */
  async remove(): Promise<void> {
    const folder = await this.folder?.catch(() => undefined);
    this.folder = undefined;
    if (folder !== undefined) await rm(folder, { recursive: true, force: true }).catch(() => {});
  }
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
