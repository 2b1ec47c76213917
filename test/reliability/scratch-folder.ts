/** A folder in memory where the system has such: what is about processes and calls, not disks, need not wait for one. */
import { accessSync, constants, mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

const MEMORY = '/dev/shm';

/** Makes an empty folder; whoever asked for it removes it. */
export function scratchDirectory(): string {
  try {
    accessSync(MEMORY, constants.W_OK);
    return mkdtempSync(join(MEMORY, 'thetalog-'));
  } catch {
    return mkdtempSync(join(tmpdir(), 'thetalog-'));
  }
}

/** The same, removed when the test ends. */
export function scratchFolder(): string {
  const folder = scratchDirectory();
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}
