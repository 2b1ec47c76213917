/** Disks that fill up: a storage in memory with an end, and real ones of a few MiB where this user may mount. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ThetalogError } from '../../src/errors.js';
import { MemoryStorage, type Space } from '../../src/storage/index.js';

const RESERVE_BYTES = 65_536;

/** Holds at most `capacity` bytes; says so as a file system would. */
export class SmallStorage extends MemoryStorage implements Space {
  readonly space: Space = this;
  capacity = Number.POSITIVE_INFINITY;
  private reserve = 0;

  async used(): Promise<number> {
    let used = this.reserve;
    for await (const { size } of this.list('')) used += size;
    return used;
  }

  async assertRoom(bytes: number, object: string): Promise<void> {
    if ((await this.used()) + bytes > this.capacity)
      throw new ThetalogError('unavailable', 'disk-full', `${object} does not fit`, { object });
  }

  async keepReserve(): Promise<void> {
    if (this.reserve === 0 && (await this.used()) + RESERVE_BYTES <= this.capacity)
      this.reserve = RESERVE_BYTES;
  }

  async releaseReserve(): Promise<boolean> {
    const had = this.reserve > 0;
    this.reserve = 0;
    return had;
  }

  override async putIfAbsent(key: string, parts: readonly Uint8Array[]): Promise<boolean> {
    const size = parts.reduce((sum, part) => sum + part.byteLength, 0);
    await this.assertRoom(size, key);
    return super.putIfAbsent(key, parts);
  }

  /** As on a file system, the old value is there until the new one stands. */
  override async putIfMatch(key: string, bytes: Uint8Array, version: string | undefined) {
    await this.assertRoom(bytes.byteLength, key);
    return super.putIfMatch(key, bytes, version);
  }
}

/** A tmpfs of a given size, or undefined where this user may not mount one. */
export class SmallDisk {
  readonly path: string;
  private readonly filler: string;

  private constructor(path: string) {
    this.path = path;
    this.filler = join(path, 'filler');
  }

  static mount(bytes: number): SmallDisk | undefined {
    const path = mkdtempSync(join(tmpdir(), 'thetalog-disk-'));
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${bytes}`, 'none', path], { stdio: 'ignore' });
      return new SmallDisk(path);
    } catch {
      rmSync(path, { recursive: true });
      return undefined;
    }
  }

  get free(): number {
    const { bavail, bsize } = statfsSync(this.path);
    return bavail * bsize;
  }

  /** Fills the disk until `bytes` are free, with a file that `unfill` removes. */
  fill(bytes: number): void {
    if (this.free > bytes) writeFileSync(this.filler, new Uint8Array(this.free - bytes), { flag: 'a' });
  }

  unfill(): void {
    rmSync(this.filler, { force: true });
  }

  unmount(): void {
    execFileSync('umount', ['-l', this.path]);
    rmSync(this.path, { recursive: true });
  }
}
