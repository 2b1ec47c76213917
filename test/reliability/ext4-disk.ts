/** A small ext4 in a file, mounted over a loop device, and the power switch of it. Needs root, mkfs.ext4 and python3. */
import { type ChildProcessByStdio, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';

const IMAGE_BYTES = 16 * 2 ** 20;
/** Blocks as disks have them; the smallest journal. */
const MAKE = ['-q', '-F', '-b', '4096', '-J', 'size=4'];

export class Ext4Disk {
  /** Where it is mounted. */
  readonly mount: string;
  private readonly image: string;
  private readonly template: string;
  private mounted = false;
  private readonly helper: ChildProcessByStdio<Writable, Readable, null>;
  private readonly helperFailed: Promise<never>;

  /**
   * In an empty directory, with the path of cut-power.py. `mount -o loop` frees the loop device at the end of the mount,
   * whatever ends it.
   */
  constructor(directory: string, cutPower: string) {
    this.mount = join(directory, 'mount');
    this.image = join(directory, 'image');
    this.template = join(directory, 'template-image');
    mkdirSync(this.mount);
    writeFileSync(this.image, new Uint8Array(IMAGE_BYTES));
    this.helper = spawn('python3', [cutPower, this.mount], { stdio: ['pipe', 'pipe', 'ignore'] });
    this.helper.stdin.on('error', () => {});
    this.helperFailed = new Promise((_, reject) => {
      for (const event of ['error', 'exit']) this.helper.on(event, () => reject(unusable('python3')));
    });
    this.helperFailed.catch(() => {});
    run('mkfs.ext4', [...MAKE, this.image]);
  }

  attach(): void {
    run('mount', ['-t', 'ext4', '-o', 'loop', this.image, this.mount]);
    this.mounted = true;
  }

  detach(): void {
    run('umount', [this.mount]);
    this.mounted = false;
  }

  /** Remembers what is on the disk, which is not mounted. */
  keep(): void {
    copyFileSync(this.image, this.template);
  }

  /** Puts back what was on it when it was kept. */
  reset(): void {
    copyFileSync(this.template, this.image);
  }

  /** Cuts the power after some milliseconds: what was not synced is lost, and every later call fails. */
  async cut(delayMs: number): Promise<void> {
    this.helper.stdin.write(`${delayMs}\n`);
    await Promise.race([once(this.helper.stdout, 'data'), this.helperFailed]);
  }

  /** Leaves nothing mounted and nothing running; the directory can be removed. */
  release(): void {
    this.helper.kill();
    if (this.mounted) run('umount', ['-l', this.mount]);
    this.mounted = false;
  }
}

function run(command: string, args: string[]): void {
  try {
    execFileSync(command, args, { stdio: 'ignore' });
  } catch {
    throw unusable(command);
  }
}

function unusable(command: string): Error {
  return new Error(`${command} does not work here`);
}
