/**
 * Files kept open between reads, as opening costs more than reading a chunk. A file in use belongs to one reader
 * alone; idle ones are closed beyond a number, and all of them after a second, so that nothing needs to be closed
 * for a program to end and deleted files give back their space.
 */
import type { FileHandle } from 'node:fs/promises';
import { closeRead } from './durable-file.js';

const IDLE_MS = 1000;

export class OpenFiles {
  private readonly filesMax: number;
  /** Least recently used first. */
  private idle: { key: string; file: FileHandle }[] = [];
  private timer: NodeJS.Timeout | undefined;

  constructor(filesMax: number) {
    this.filesMax = filesMax;
  }

  /** Hands an open file over to the caller, who gives it back or closes it. */
  take(key: string): FileHandle | undefined {
    const index = this.idle.findLastIndex((entry) => entry.key === key);
    return index < 0 ? undefined : this.idle.splice(index, 1)[0].file;
  }

  async giveBack(key: string, file: FileHandle): Promise<void> {
    this.idle.push({ key, file });
    this.timer?.refresh();
    this.timer ??= setTimeout(() => void this.close(), IDLE_MS).unref();
    if (this.idle.length > this.filesMax) await closeEach(this.idle.splice(0, 1));
  }

  /** Closes all idle files; the next read opens again. */
  async close(): Promise<void> {
    clearTimeout(this.timer);
    this.timer = undefined;
    const files = this.idle;
    this.idle = [];
    await closeEach(files);
  }
}

async function closeEach(entries: readonly { file: FileHandle }[]): Promise<void> {
  await Promise.all(entries.map(({ file }) => closeRead(file)));
}
