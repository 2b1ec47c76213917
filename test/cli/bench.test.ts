import { spawn } from 'node:child_process';
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test, vi } from 'vitest';
import { jsonResult, temporaryFolder } from './command-line.js';
import { run } from './in-process.js';

test('figures of saves and restores, and nothing left behind', async () => {
  const folder = await temporaryFolder();
  await mkdir(join(folder, 'beside'));
  const store = join(folder, 'beside', 'store');
  const outcome = await run(['bench', '--size', '600KB', '--json', '--store', store]);
  const figures = jsonResult(outcome);
  expect(outcome.code).toBe(0);
  expect(figures).toMatchObject({ folder: join(folder, 'beside'), bytes: 600_000 });
  for (const name of ['memcpy', 'write', 'firstSave', 'nextSave', 'restore'])
    expect(figures[name]).toBeGreaterThan(0);
  // The next save is one step of AdamW later, which the rule predicts.
  expect(figures.nextStoredBytes).toBeLessThan(0.5 * Number(figures.firstStoredBytes));
  expect(await readdir(join(folder, 'beside'))).toEqual([]);
});

test('stopped, it leaves nothing behind either', async () => {
  const folder = await temporaryFolder();
  const signal = AbortSignal.abort();
  const { code } = await run(['bench', '--size', '100KB', '--store', join(folder, 'store')], { signal });
  expect(code).toBe(130);
  expect(await readdir(folder)).toEqual([]);
});

test('interrupted as by Ctrl-C, a process leaves nothing behind', async () => {
  const folder = await temporaryFolder();
  const main = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
  const args = [main, 'bench', '--size', '48MiB', '--store', join(folder, 'store')];
  const child = spawn(process.execPath, args, { stdio: 'ignore' });
  const ended = new Promise((resolve) => child.on('exit', resolve));
  // The store is made after the raw file: from then on the first save is under way.
  await vi.waitUntil(
    async () =>
      (await readdir(folder, { recursive: true })).some((name) => /packs|thetalog\.json/.test(name)),
    {
      timeout: 30_000,
      interval: 20,
    },
  );
  child.kill('SIGINT');
  expect(await ended).toBe(130);
  expect(await readdir(folder)).toEqual([]);
}, 60_000);

test('a size is a number of bytes with a unit', async () => {
  for (const size of ['0', 'many', '3TB', '-1MiB'])
    expect((await run(['bench', '--size', size])).code, size).toBe(2);
});
