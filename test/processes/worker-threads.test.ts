import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { beforeAll, expect, test } from 'vitest';
import type * as Thetalog from '../../src/index.js';
import { safetensors } from '../engine/folders.js';
import { randomNumbers } from '../engine/training-state.js';

/** Threads run what was built: the sources alone cannot start them. */
const BUILT = pathToFileURL(join(import.meta.dirname, '../../dist/index.js')).href;
const { createStore, openStore } = (await import(BUILT)) as typeof Thetalog;

/** Two steps of two tensors are just enough that threads are started for them. */
const ELEMENTS = 1.25 * 2 ** 20;

/** A store of two steps and, beside it, the files of the second one. */
let folder: string;
let path: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'thetalog-threads-'));
  path = await storeOfTwoSteps();
  return () => rm(folder, { recursive: true, force: true });
}, 60_000);

function weights(step: number, seed: number): Float32Array {
  const next = randomNumbers(seed);
  const values = new Float32Array(ELEMENTS);
  for (let at = 0; at < ELEMENTS; at++) {
    const start = next() - 0.5;
    values[at] = start * (1 + step * 1e-4 * next());
  }
  return values;
}

async function storeOfTwoSteps(): Promise<string> {
  const location = join(folder, 'store');
  const store = await createStore(location, { chunkElements: 65_536, workers: 0 });
  for (const step of [1, 2]) {
    const [a, b] = [weights(step, 1), weights(step, 2)];
    await writeFile(join(folder, 'one.safetensors'), safetensors({ a, tied: b }));
    await writeFile(join(folder, 'two.safetensors'), safetensors({ tied: b }));
    const files = ['one', 'two'].map((name) => join(folder, `${name}.safetensors`));
    await store.saveFiles(files, { run: 'r', step });
  }
  await store.close();
  return location;
}

/** Flips a bit in the middle of a pack; returns its key and what undoes it. */
async function damagePack(): Promise<{ key: string; heal: () => Promise<void> }> {
  const [pack] = await readdir(join(path, 'packs'));
  const file = join(path, 'packs', pack);
  const original = await readFile(file);
  const damaged = Uint8Array.from(original);
  damaged[damaged.length >> 1] ^= 1;
  await writeFile(file, damaged);
  return { key: `packs/${pack}`, heal: () => writeFile(file, original) };
}

test('restores come out the same with any number of threads, tensors in two files included', async () => {
  for (const workers of [0, 1, 2]) {
    const store = await openStore(path, { workers });
    const out = join(folder, `out-${workers}`);
    await store.restoreFiles('r', { out });
    for (const name of ['one.safetensors', 'two.safetensors'])
      expect(Buffer.compare(await readFile(join(out, name)), await readFile(join(folder, name)))).toBe(0);
    const { data } = await store.readTensor('r', 'a');
    expect(Buffer.compare(data, new Uint8Array(weights(2, 1).buffer))).toBe(0);
    await store.close();
  }
}, 60_000);

test('damage found by a thread names the pack and the place, and leaves no file', async () => {
  const { key, heal } = await damagePack();
  const store = await openStore(path, { workers: 2 });
  const out = join(folder, 'damaged');
  const failing = store.restoreFiles('r', { out });
  await expect(failing).rejects.toMatchObject({ kind: 'corrupt', object: key, offset: expect.any(Number) });
  await expect(stat(out)).rejects.toMatchObject({ code: 'ENOENT' });
  await heal();
  await store.restoreFiles('r', { out });
  expect((await readdir(out)).sort()).toEqual(['one.safetensors', 'two.safetensors']);
  await store.close();
}, 60_000);

test('an abort while threads are at work leaves nothing behind', async () => {
  const store = await openStore(path, { workers: 2 });
  const controller = new AbortController();
  const out = join(folder, 'aborted');
  const restoring = store.restoreFiles('r', {
    out,
    signal: controller.signal,
    onProgress: () => controller.abort(),
  });
  await expect(restoring).rejects.toMatchObject({ kind: 'aborted' });
  await expect(stat(out)).rejects.toMatchObject({ code: 'ENOENT' });
  await store.close();
}, 60_000);
