/** Saves and restores with worker threads on a storage that stops working, in a process of their own. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { scratchFolder } from './scratch-folder.js';

const SCRIPT = join(import.meta.dirname, 'faulty-storage-process.mjs');

export interface FaultyStorageResult {
  /** Calls at which the storage stopped working, by operation. */
  readonly cases: Readonly<Record<string, number>>;
  /** Packs of the two checkpoints. */
  readonly packs: number;
}

/** Stops the storage at every write, and at every `stride`-th read; throws if anything then takes for ever, or the process does. */
export async function stopStorage(stride: number): Promise<FaultyStorageResult> {
  const run = promisify(execFile);
  const timeout = 10 * 60_000;
  const { stdout } = await run(process.execPath, [SCRIPT, scratchFolder(), String(stride)], { timeout });
  return JSON.parse(stdout);
}
