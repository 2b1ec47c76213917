/** Runs crafted-pickle.mjs in a process with little memory. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';

/** Heap that any pickle must do with, in MB; without bounds some take 2 GB. */
const HEAP_MB = 768;
/** CPU time for the worst pickle of any size; some 5 s on a slow core. */
const SECONDS_MAX = 30;
const SCRIPT = fileURLToPath(new URL('crafted-pickle.mjs', import.meta.url));

/** Reads a pickle of one shape as large as is still accepted, or one that fills `megabytes`; returns the error's code. */
export function readCrafted(shape: string, megabytes: number, extent: 'accepted' | 'full'): string | null {
  const args = [`--max-old-space-size=${HEAP_MB}`, SCRIPT, shape, String(megabytes), extent];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  if (status !== 0) expect.fail(`${shape}: exit ${status}: ${stderr.slice(0, 1000)}`);
  const { code, seconds } = JSON.parse(stdout);
  expect(seconds, shape).toBeLessThan(SECONDS_MAX);
  return code;
}
