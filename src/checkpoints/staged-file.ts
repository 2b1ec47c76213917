/** A file on its way: written under a temporary name by whoever has bytes of it, digested and synced meanwhile. */
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { targetError } from '../compute/index.js';
import type { FileDigest, Hasher } from '../hash/index.js';

const READ_BYTES = 2 ** 20;
/** Bytes at the front of a file from which on it is worth digesting them before the rest is there. */
const FOLLOW_BYTES = 8 * 2 ** 20;
/** Bytes written from which on a file is synced while more are written, so that the disk is busy from the start. */
const SYNC_BYTES = 64 * 2 ** 20;
/** Files that are digested or synced before they are finished, at once: a checkpoint may have more than can be open. */
const FOLLOWED_MAX = 32;

/** Reads a file from `position` to `end` or its own end, the next part while this one is hashed; returns where it came to. */
export async function digestRange(
  handle: FileHandle,
  digest: FileDigest,
  position: number,
  end: number,
): Promise<number> {
  const buffers = [new Uint8Array(READ_BYTES), new Uint8Array(READ_BYTES)];
  const read = (turn: number, from: number) =>
    handle.read(buffers[turn], 0, Math.min(READ_BYTES, Math.max(0, end - from)), from);
  let at = position;
  let next = read(0, at);
  for (let turn = 0; ; turn = 1 - turn) {
    const { bytesRead } = await next;
    if (bytesRead === 0) return at;
    at += bytesRead;
    next = read(1 - turn, at);
    digest.update(buffers[turn].subarray(0, bytesRead));
  }
}

/** Every failure is a typed error and leaves the file to be discarded. */
export class StagedFile {
  /** Where it is until it is published. */
  readonly path: string;
  /** Where it will be. */
  readonly final: string;
  private readonly mode: number;
  private readonly digest: FileDigest;
  /** Those that are open, of all that are restored together. */
  private readonly opened: Set<StagedFile>;
  private handle: Promise<FileHandle> | undefined;
  private users = 0;
  /** Ends of what was written ahead of the front, by their starts. */
  private readonly ahead = new Map<number, number>();
  /** Everything before it was written. */
  private front = 0;
  private digested = 0;
  private unsynced = 0;
  private digesting: Promise<void> | undefined;
  private syncing: Promise<void> | undefined;

  /** The file is there already, and empty. */
  constructor(hasher: Hasher, path: string, final: string, mode: number, opened: Set<StagedFile>) {
    this.opened = opened;
    this.path = path;
    this.final = final;
    this.mode = mode;
    this.digest = hasher.file();
  }

  /** Writes all of `bytes` at `position`. */
  async write(bytes: Uint8Array, position: number): Promise<void> {
    await this.use(async (handle) => {
      for (let done = 0; done < bytes.length; )
        done += (await handle.write(bytes, done, bytes.length - done, position + done)).bytesWritten;
    });
    this.wrote(position, bytes.length);
  }

  /** Learns of bytes that were written under the file's path; each byte is written once. */
  wrote(position: number, length: number): void {
    if (length > 0) this.ahead.set(position, position + length);
    for (let end = this.ahead.get(this.front); end !== undefined; end = this.ahead.get(this.front)) {
      this.ahead.delete(this.front);
      this.front = end;
    }
    this.unsynced += length;
    if (this.unsynced >= SYNC_BYTES) this.syncMeanwhile();
    if (this.front - this.digested >= FOLLOW_BYTES) this.digestMeanwhile();
  }

  /** Sets the permissions, makes the file durable, and returns the digest of what is in it. */
  async finish(): Promise<string> {
    await Promise.all([this.digesting, this.syncing]);
    await this.use(async (handle) => {
      await handle.chmod(this.mode);
      const rest = digestRange(handle, this.digest, this.digested, Number.POSITIVE_INFINITY);
      await Promise.all([rest, handle.sync()]);
    });
    return this.digest.digest();
  }

  /** Waits for what is under way, whether it succeeds or not. */
  async close(): Promise<void> {
    await Promise.allSettled([this.digesting, this.syncing]);
  }

  private digestMeanwhile(): void {
    if (this.digesting !== undefined || !this.mayFollow()) return;
    this.digesting = this.use(async (handle) => {
      while (this.front - this.digested >= FOLLOW_BYTES) {
        const end = this.front;
        this.digested = await digestRange(handle, this.digest, this.digested, end);
        if (this.digested < end) throw new Error('it has become shorter');
      }
      this.digesting = undefined;
    });
    this.digesting.catch(() => {});
  }

  private syncMeanwhile(): void {
    if (this.syncing !== undefined || !this.mayFollow()) return;
    this.unsynced = 0;
    this.syncing = this.use(async (handle) => {
      await handle.datasync();
      this.syncing = undefined;
    });
    this.syncing.catch(() => {});
  }

  private mayFollow(): boolean {
    return this.opened.has(this) || this.opened.size < FOLLOWED_MAX;
  }

  /** The file is open only while somebody uses it. */
  private async use<T>(work: (handle: FileHandle) => Promise<T>): Promise<T> {
    this.users++;
    this.opened.add(this);
    try {
      this.handle ??= open(this.path, constants.O_RDWR | constants.O_NOFOLLOW);
      return await work(await this.handle);
    } catch (cause) {
      throw targetError(this.final, cause);
    } finally {
      this.users--;
      if (this.users === 0) await this.closeHandle();
    }
  }

  /** What was written is durable by sync, whatever close(2) answers. */
  private async closeHandle(): Promise<void> {
    const { handle } = this;
    this.handle = undefined;
    await handle?.then((opened) => opened.close()).catch(() => {});
    if (this.handle === undefined) this.opened.delete(this);
  }
}
