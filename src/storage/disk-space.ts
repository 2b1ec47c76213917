/**
 * How full the disk of a store is, and the reserve: a file without meaning whose space `forget` and `gc` use on a full
 * disk, since they must write a little before they can free anything.
 */
import { randomFillSync } from 'node:crypto';
import { constants } from 'node:fs';
import { lstat, open, statfs, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { diskFullError } from './file-errors.js';
import type { Space } from './storage.js';
import { RESERVE_KEY } from './storage-key.js';

/** Room for the root twice and the pages of a run of thousands of checkpoints. */
const RESERVE_BYTES = 2 ** 20;
/** The reserve is made only where this many times its size is free. */
const ROOM_FACTOR = 4;

export class DiskSpace implements Space {
  private readonly directory: string;
  /** Whether the reserve was seen; another process may have given it up since. */
  private seen = false;

  constructor(directory: string) {
    this.directory = directory;
  }

  async assertRoom(bytes: number, object: string): Promise<void> {
    const free = await freeBytes(this.directory);
    if (free !== undefined && free < bytes) throw diskFullError(object, bytes, free);
  }

  /** Never fails: without a reserve all works but maintenance of a full disk. */
  async keepReserve(): Promise<void> {
    if (this.seen) return;
    try {
      const { size } = await lstat(this.path).catch(() => ({ size: 0 }));
      const missing = size < RESERVE_BYTES;
      if (missing && ((await freeBytes(this.directory)) ?? 0) < ROOM_FACTOR * RESERVE_BYTES) return;
      if (missing) await this.writeReserve();
      this.seen = true;
    } catch {
      await unlink(this.path).catch(() => {});
    }
  }

  async releaseReserve(): Promise<boolean> {
    this.seen = false;
    return unlink(this.path).then(
      () => true,
      () => false,
    );
  }

  private get path(): string {
    return join(this.directory, RESERVE_KEY);
  }

  /** Random bytes take their space on file systems that compress, too. Not synced: a lost one is made again. */
  private async writeReserve(): Promise<void> {
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | constants.O_NOFOLLOW;
    const file = await open(this.path, flags, 0o666);
    try {
      await file.writeFile(randomFillSync(new Uint8Array(RESERVE_BYTES)));
    } finally {
      await file.close();
    }
  }
}

/** Bytes that this user may still write; undefined where the file system does not tell. Quotas are not in it. */
export async function freeBytes(path: string): Promise<number | undefined> {
  try {
    const { blocks, bavail, bsize } = await statfs(path);
    return blocks > 0 ? bavail * bsize : undefined;
  } catch {
    return undefined;
  }
}
