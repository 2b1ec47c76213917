import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
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

test('a size is a number of bytes with a unit', async () => {
  for (const size of ['0', 'many', '3TB', '-1MiB'])
    expect((await run(['bench', '--size', size])).code, size).toBe(2);
});
