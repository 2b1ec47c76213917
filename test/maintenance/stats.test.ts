import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createStore, MemoryStorage } from '../../src/index.js';
import { makeFolder, readTree } from '../engine/folders.js';
import { bytesIn, CHUNK_ELEMENTS, makeStore } from '../engine/make-store.js';
import { trainingState } from '../engine/training-state.js';

async function chainOf(count: number) {
  const made = await makeStore(new MemoryStorage());
  const run = made.store.run('a');
  const results = [];
  for (let step = 0; step < count; step++)
    results.push(await (await run.save(trainingState(step))).committed);
  return { ...made, results };
}

test('an empty store has its config and its root', async () => {
  const { store, storage } = await makeStore();
  expect(await store.stats()).toEqual({
    checkpoints: 0,
    logicalBytes: 0,
    storedBytes: await bytesIn(storage),
    reclaimableBytes: 0,
    chunks: 0,
    packs: 0,
    maxHeight: 0,
    restoreFactor: 1,
  });
});

test('stored bytes are the sum of all objects, and what saves say that they added', async () => {
  const { store, storage } = await makeStore();
  for (let step = 0; step < 4; step++) {
    const [before, { storedBytes: rootBefore }] = [await bytesIn(storage), await rootOf(storage)];
    const saved = await (await store.run('a').save(trainingState(step))).committed;
    const grown = (await bytesIn(storage)) - before;
    expect(saved.storedBytes).toBe(grown + rootBefore);
  }
  const stats = await store.stats();
  const infos = await store.list();
  expect(stats.storedBytes).toBe(await bytesIn(storage));
  expect(stats.logicalBytes).toBe(infos.reduce((sum, info) => sum + info.logicalBytes, 0));
  expect(stats).toMatchObject({ checkpoints: 4, reclaimableBytes: 0, packs: 4, maxHeight: infos[3].height });
});

test('the zeros in front of the records of a full pack are not reclaimable', async () => {
  const store = await createStore(new MemoryStorage());
  const weights = new Uint8Array(34 * 2 ** 20);
  for (let at = 0; at < weights.length; at += 65_536)
    crypto.getRandomValues(weights.subarray(at, at + 65_536));
  const state = { weights: { dtype: 'u8' as const, shape: [weights.length], data: weights } };
  await (await store.run('a').save(state)).committed;
  expect(await store.stats()).toMatchObject({ packs: 2, reclaimableBytes: 0 });
  await store.close();
});

/** The root is replaced in memory storage: a save's own root comes for the one before. */
async function rootOf(storage: { getVersioned(key: string): Promise<{ bytes: Uint8Array } | undefined> }) {
  return { storedBytes: (await storage.getVersioned('root'))?.bytes.length ?? 0 };
}

test('what gc would delete is reclaimable, and gone after it', async () => {
  const { store, storage } = await chainOf(4);
  await (await store.run('b').save(trainingState(0, 77))).committed;
  await store.forget({ refs: ['b'] });
  const before = await store.stats();
  const planned = await store.gc({ dryRun: true });
  expect(before.reclaimableBytes).toBe(planned.bytes);
  await store.gc();
  const after = await store.stats();
  expect(after.reclaimableBytes).toBe(0);
  expect(after.storedBytes).toBe(await bytesIn(storage));
  expect(Math.abs(before.storedBytes - before.reclaimableBytes - after.storedBytes)).toBeLessThan(200);
});

test('records of live packs that nothing needs are reclaimable', async () => {
  const { store } = await chainOf(1);
  const run = store.run('b');
  const [first, second] = [trainingState(0, 5), trainingState(0, 6)];
  await (await run.save({ model: { kept: first.model.weight, dropped: second.model.weight } })).committed;
  await (await run.save({ model: { kept: first.model.weight } })).committed;
  const alone = await store.stats('b@latest~1');
  await store.forget({ refs: ['b@latest~1'] });
  await store.gc();
  const { reclaimableBytes } = await store.stats();
  expect(reclaimableBytes).toBe(alone.reclaimableBytes);
  expect(reclaimableBytes).toBeGreaterThan(10_000);
});

test('of one checkpoint: what it needs, and what it alone needs', async () => {
  const { store, results } = await chainOf(3);
  const first = await store.stats('a@step:0');
  const last = await store.stats('a@latest');
  expect(first).toMatchObject({ checkpoints: 1, packs: 1, maxHeight: 0, reclaimableBytes: 0 });
  expect(first.logicalBytes).toBe(results[0].logicalBytes);
  expect(last).toMatchObject({ checkpoints: 1, packs: 3, maxHeight: 2 });
  expect(last.chunks).toBeGreaterThan(first.chunks);
  expect(last.storedBytes).toBeLessThan((await store.stats()).storedBytes);
  expect(last.reclaimableBytes).toBeGreaterThan(results[2].storedBytes * 0.8);
  expect(last.reclaimableBytes).toBeLessThan(results[2].storedBytes);
});

test('a fork takes nothing for itself and leaves nothing to its source alone', async () => {
  const { store } = await chainOf(2);
  await store.fork('a', 'f');
  expect(await store.stats('f')).toMatchObject({ reclaimableBytes: 0 });
  expect(await store.stats('a')).toMatchObject({ reclaimableBytes: 0 });
  expect((await store.stats('f')).chunks).toBe((await store.stats('a')).chunks);
});

test('an unknown ref is not found', async () => {
  const { store } = await chainOf(1);
  await expect(store.stats('none')).rejects.toMatchObject({ kind: 'not-found' });
});

test('of a store in a directory: the sum of the sizes of all its files', async () => {
  const location = join(await makeFolder(), 'store');
  const store = await createStore(location, { chunkElements: CHUNK_ELEMENTS });
  for (let step = 0; step < 3; step++) await (await store.run('a').save(trainingState(step))).committed;
  await store.forget({ refs: ['a~1'] });
  const files = async (): Promise<number> =>
    Object.values(await readTree(location)).reduce((sum, bytes) => sum + bytes.length, 0);
  expect((await store.stats()).storedBytes).toBe(await files());
  expect(await store.check({ readData: 100 })).toMatchObject({ damaged: [] });
  await store.gc();
  expect((await store.stats()).storedBytes).toBe(await files());
  expect(await store.check()).toMatchObject({ damaged: [], unreferenced: 0, checkpoints: 2 });
});
