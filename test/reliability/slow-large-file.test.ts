/** A file far larger than memory allows for: neither command keeps more of it than it must. */
import { spawnSync } from 'node:child_process';
import { readFileSync, statfsSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { makeFolder, randomBytes } from '../engine/folders.js';

const EXECUTABLE = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const FILE_BYTES = 8 * 2 ** 30;
/** One in so many MiB is noise, the others are zeros, which a file system need not store. */
const NOISE_EVERY = 16;
const MIB = 2 ** 20;
/** The file, what is restored of it, and the store. */
const DISK_BYTES = 20e9;
const RESIDENT_MB_MAX = 512;

async function writeSparse(path: string): Promise<void> {
  const noise = randomBytes(MIB, 1);
  const file = await open(path, 'w');
  await file.truncate(FILE_BYTES);
  for (let at = 0; at < FILE_BYTES; at += NOISE_EVERY * MIB) {
    noise[(at / MIB) % MIB] ^= 1;
    await file.write(noise, 0, noise.length, at);
  }
  await file.close();
}

/** Runs a command and returns the most memory that it had, in MB. */
function residentMegabytes(folder: string, ...args: string[]): number {
  const told = join(folder, 'resident');
  const tell = `import { writeFileSync } from 'node:fs';
    process.on('exit', () => writeFileSync(${JSON.stringify(told)}, String(process.resourceUsage().maxRSS)));`;
  const hook = `data:text/javascript,${encodeURIComponent(tell)}`;
  const command = ['--import', hook, EXECUTABLE, ...args, '--store', join(folder, 'store')];
  const { status, stderr } = spawnSync(process.execPath, command, { encoding: 'utf8' });
  if (status !== 0) expect.fail(`${args[0]}: exit ${status}: ${stderr}`);
  return Number(readFileSync(told, 'utf8')) / 1024;
}

test('8 GiB are saved and restored within 512 MB', async (context) => {
  const folder = await makeFolder();
  const { bavail, bsize } = statfsSync(folder);
  if (bavail * bsize < DISK_BYTES) return context.skip(`needs 20 GB of disk, there are ${bavail * bsize}`);
  const path = join(folder, 'large.bin');
  await writeSparse(path);
  residentMegabytes(folder, 'init', join(folder, 'store'));
  expect(residentMegabytes(folder, 'save', path, '--run', 'r')).toBeLessThan(RESIDENT_MB_MAX);
  const out = join(folder, 'out');
  // Restoring compares the digest of the whole file with the one that was saved.
  expect(residentMegabytes(folder, 'restore', 'r@latest', '--out', out)).toBeLessThan(RESIDENT_MB_MAX);
});
