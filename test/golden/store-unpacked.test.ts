/** The store in fixtures/store-unpacked was written by the first version that knew unpacked files. It is never made again. */
import { cpSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { openStore } from '../../src/index.js';
import { readTree } from '../engine/folders.js';
import { scratchFolder } from '../reliability/scratch-folder.js';

const FIXTURES = fileURLToPath(new URL('../../fixtures/', import.meta.url));

test('a store with unpacked files is sound, and gives them back byte for byte', async () => {
  const folder = scratchFolder();
  cpSync(join(FIXTURES, 'store-unpacked'), join(folder, 'store'), { recursive: true });
  const store = await openStore(join(folder, 'store'));
  expect((await store.check({ readData: 100 })).damaged).toEqual([]);
  for (const step of [20, 21]) {
    const out = join(folder, String(step));
    await store.restoreFiles(`orbax@step:${step}`, { out });
    expect(await readTree(join(out, `step-${step}`))).toEqual(
      await readTree(join(FIXTURES, `orbax/step-${step}`)),
    );
  }
  await store.close();
});

test('its manifests have version 3, which older readers refuse as unsupported', () => {
  const manifests = join(FIXTURES, 'store-unpacked/manifests');
  expect(new Set(readdirSync(manifests).map((name) => readFileSync(join(manifests, name))[4]))).toEqual(
    new Set([3]),
  );
});
