/** Reading operations under which forgetting and collection take things away. */
import { beforeEach, describe, expect, test } from 'vitest';
import { isThetalogError, MemoryStorage, type Store } from '../../src/index.js';
import { makeStore, openAgain } from '../engine/make-store.js';
import { trainingState } from '../engine/training-state.js';
import { HookedStorage } from './hooked-storage.js';

let storage: MemoryStorage;
let other: Store;

beforeEach(async () => {
  storage = new MemoryStorage();
  const { store } = await makeStore(storage);
  for (let step = 0; step < 3; step++) await (await store.run('a').save(trainingState(step))).committed;
  await (await store.run('b').save(trainingState(0, 30))).committed;
  other = await openAgain(storage, 9);
});

/** Runs an operation that is interrupted once, at its `at`-th read, by forgetting run `b` and collecting it. */
async function interrupted<T>(at: number, operation: (store: Store) => Promise<T>): Promise<T> {
  const hooked = new HookedStorage(storage, async ({ method, number }) => {
    if (method !== 'get' || number !== at) return;
    await other.forget({ refs: ['b'] });
    await other.gc();
  });
  return operation(await openAgain(hooked));
}

const READS = [2, 3, 4, 6, 10, 14, 18, 25, 40];

describe('collection in the middle of', () => {
  test.each(READS)('a check, at read %d: no damage is reported', async (at) => {
    const report = await interrupted(at, (store) => store.check({ readData: 100 }));
    expect(report.damaged).toEqual([]);
  });

  test.each(READS)('stats, at read %d: they are those of before or after', async (at) => {
    const stats = await interrupted(at, (store) => store.stats());
    expect([3, 4]).toContain(stats.checkpoints);
  });

  test.each(READS)('a restore of what is taken, at read %d: whole or not found', async (at) => {
    const restored = await interrupted(at, (store) => store.run('b').restore()).catch((error: unknown) => {
      if (isThetalogError(error, 'not-found')) return undefined;
      throw error;
    });
    if (restored !== undefined) expect(restored).toEqual(trainingState(0, 30));
  });

  test.each(READS)('a difference, at read %d', async (at) => {
    const difference = await interrupted(at, (store) => store.diff('a~1', 'a'));
    expect(difference.tensors).toHaveLength(6);
  });
});

test('real damage is still reported after something was collected meanwhile', async () => {
  const hooked = new HookedStorage(storage, async ({ method, number }) => {
    if (method !== 'get' || number !== 3) return;
    await other.forget({ refs: ['b'] });
    await other.gc();
    for await (const { key } of storage.list('packs/')) await storage.delete(key);
  });
  const { damaged, checkpoints } = await (await openAgain(hooked)).check();
  expect(checkpoints).toBe(3);
  expect(damaged.map(({ code }) => code)).toEqual(['missing-object', 'missing-object', 'missing-object']);
});
