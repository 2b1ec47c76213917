/** Scratch files are gone when whoever made them is, even if he was killed. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { afterEach, expect, test, vi } from 'vitest';
import { ScratchFolder } from '../../src/checkpoints/scratch-folder.js';
import { makeFolder } from './folders.js';

afterEach(() => vi.unstubAllEnvs());

async function setUp(): Promise<{ place: string; folder: string; scratch: ScratchFolder }> {
  const place = await makeFolder();
  vi.stubEnv('TMPDIR', place);
  const scratch = new ScratchFolder();
  return { place, scratch, folder: basename(dirname(await scratch.makeFile())) };
}

/** The name that the folder would have if another process had made it. */
function ofProcess(folder: string, owner: number): string {
  return folder.replace(`-${process.pid}-`, `-${owner}-`);
}

async function endedProcess(): Promise<number> {
  const child = spawn(process.execPath, ['-e', '']);
  await once(child, 'exit');
  return child.pid ?? 0;
}

// Seen to fail when `makeFolder` removes nothing.
test('what a killed process left is removed by the next one', async () => {
  const { place, folder } = await setUp();
  const left = join(place, ofProcess(folder, await endedProcess()));
  mkdirSync(join(left, 'deep'), { recursive: true });
  await new ScratchFolder().makeFile();
  expect(existsSync(left)).toBe(false);
  expect(existsSync(join(place, folder))).toBe(true);
});

// Seen to fail when `isAlive` is always false, and when `machineKey` is always the same.
test('what a living process has stays, and what other machines and programs have', async () => {
  const { place, folder } = await setUp();
  const ended = await endedProcess();
  const elsewhere = ofProcess(folder, ended).replace(/^thetalog-./, (start) =>
    start.endsWith('0') ? 'thetalog-1' : 'thetalog-0',
  );
  const others = [
    ofProcess(folder, process.ppid),
    elsewhere,
    'thetalog-',
    `thetalog-bench-${ended}`,
    'other',
  ];
  for (const name of others) mkdirSync(join(place, name));
  await new ScratchFolder().makeFile();
  expect(readdirSync(place)).toEqual(expect.arrayContaining([folder, ...others]));
});

test('nothing is left by one that ends as it should', async () => {
  const { place, scratch } = await setUp();
  await scratch.makeFile();
  await scratch.remove();
  expect(readdirSync(place)).toEqual([]);
});
