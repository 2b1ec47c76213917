/** Directories for tests, removed together at the end; and tiny file systems where they can be mounted. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const NAME = join(tmpdir(), 'thetalog-storage-');

export class TemporaryDirectories {
  private readonly paths: string[] = [];
  private readonly mounts: string[] = [];

  async make(): Promise<string> {
    const path = await mkdtemp(NAME);
    this.paths.push(path);
    return path;
  }

  /** Mounts a file system in memory of that many KiB. */
  async mount(kibibytes: number): Promise<string> {
    const path = await this.make();
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${kibibytes}k`, 'tmpfs', path], { stdio: 'ignore' });
    this.mounts.push(path);
    return path;
  }

  remountReadOnly(path: string): void {
    execFileSync('mount', ['-o', 'remount,ro', path], { stdio: 'ignore' });
  }

  async removeAll(): Promise<void> {
    for (const path of this.mounts) execFileSync('umount', ['-l', path], { stdio: 'ignore' });
    for (const path of this.paths) await rm(path, { recursive: true, force: true });
  }
}

/** Returns false where mounting is not allowed, for `test.skipIf`. */
export function canMount(): boolean {
  const path = mkdtempSync(NAME);
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=16k', 'tmpfs', path], { stdio: 'ignore' });
    execFileSync('umount', [path], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  } finally {
    rmSync(path, { recursive: true, force: true });
  }
}
