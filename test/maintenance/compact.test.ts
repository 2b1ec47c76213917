import { beforeEach, describe, expect, test } from 'vitest';
import { isThetalogError, MemoryStorage, type Store } from '../../src/index.js';
import { FaultyStorage } from '../contract/faulty-storage.js';
import { bytesIn, makeStore, openAgain, sizesOf } from '../engine/make-store.js';
import { trainingState } from '../engine/training-state.js';
import { HookedStorage } from './hooked-storage.js';

const KEPT = [3, 5, 7];
let storage: MemoryStorage;
let store: Store;

/** A run of eight checkpoints of which only three are left, and a run of one. */
beforeEach(async () => {
  ({ storage, store } = await sparseStore());
});

async function sparseStore(): Promise<{ storage: MemoryStorage; store: Store }> {
  const made = new MemoryStorage();
  const { store } = await makeStore(made);
  for (let step = 0; step < 8; step++) await (await store.run('a').save(trainingState(step))).committed;
  await (await store.run('b').save(trainingState(0, 30))).committed;
  const doomed = (await store.list({ run: 'a' })).filter(({ step }) => !KEPT.includes(step ?? -1));
  await store.forget({ refs: doomed.map(({ id }) => id) });
  await store.gc();
  return { storage: made, store };
}

async function expectWhole(at: MemoryStorage, extra: number[] = []): Promise<void> {
  const reader = await openAgain(at, 80);
  for (const step of [...KEPT, ...extra])
    expect(await reader.run('a').restore(`step:${step}`)).toEqual(trainingState(step));
  expect(await reader.run('b').restore()).toEqual(trainingState(0, 30));
  expect((await reader.check({ readData: 100 })).damaged).toEqual([]);
}

describe('compaction', () => {
  test('frees what forgotten checkpoints left behind; not one restored byte changes', async () => {
    const before = await bytesIn(storage);
    const result = await store.compact();
    expect(result.chunksEncoded + result.chunksCopied).toBeGreaterThan(0);
    expect(result.liveBytesAfter).toBeLessThan(result.liveBytesBefore);
    expect(result.maxHeightAfter).toBeLessThanOrEqual(result.maxHeightBefore);
    await store.gc();
    expect(await bytesIn(storage)).toBeLessThan(before);
    await expectWhole(storage);
    expect((await store.stats()).reclaimableBytes).toBeLessThan(1000);
  });

  test('a dry run says the same and writes nothing', async () => {
    const before = await sizesOf(storage);
    const planned = await store.compact({ dryRun: true });
    expect(await sizesOf(storage)).toEqual(before);
    expect(await store.compact()).toEqual({ ...planned, dryRun: false });
  });

  test('a second time there is nothing to do', async () => {
    await store.compact();
    await store.gc();
    const before = await sizesOf(storage);
    expect(await store.compact()).toMatchObject({ chunksEncoded: 0, chunksCopied: 0 });
    expect(await sizesOf(storage)).toEqual(before);
  });

  test('of one run leaves the records of the others where they are', async () => {
    const packs = async (): Promise<string[]> =>
      [...(await sizesOf(storage)).keys()].filter((key) => key.startsWith('packs/'));
    const before = await packs();
    await store.compact({ run: 'b' });
    await store.gc();
    expect(await packs()).toEqual(before);
    await expect(store.compact({ run: 'none' })).rejects.toMatchObject({ kind: 'not-found' });
  });
});

test('a compaction that fails at any call leaves everything restorable, and a later one works', async () => {
  const counting = new FaultyStorage((await sparseStore()).storage);
  await (await openAgain(counting)).compact();
  for (let at = 1; at <= counting.calls.length; at++) {
    const isRoot = counting.calls[at - 1].method === 'putIfMatch';
    for (const when of isRoot ? (['before', 'after'] as const) : (['before'] as const)) {
      const { storage } = await sparseStore();
      await (await openAgain(new FaultyStorage(storage, { at, when }))).compact().catch((error: unknown) => {
        if (!isThetalogError(error, 'unavailable')) throw error;
      });
      await expectWhole(storage);
      const again = await openAgain(storage, 82);
      await again.compact();
      await again.gc();
      await expectWhole(storage);
    }
  }
});

test('saves, forgets and collections in the middle of a compaction, at any call', async () => {
  const counting = new FaultyStorage((await sparseStore()).storage);
  await (await openAgain(counting)).compact();
  for (let at = 1; at <= counting.calls.length; at++) {
    const { storage } = await sparseStore();
    const hooked = new HookedStorage(storage, async ({ method, number }) => {
      if (method === 'get' || number !== at) return;
      const other = await openAgain(storage, 12);
      await (await other.run('a').save(trainingState(8))).committed;
      await other.forget({ refs: ['a@step:5'] });
      await other.gc();
    });
    await (await openAgain(hooked)).compact();
    const reader = await openAgain(storage, 83);
    expect((await reader.list({ run: 'a' })).map(({ step }) => step)).toEqual([3, 7, 8]);
    for (const step of [3, 7, 8])
      expect(await reader.run('a').restore(`step:${step}`)).toEqual(trainingState(step));
    expect((await reader.check({ readData: 100 })).damaged, `call ${at}`).toEqual([]);
  }
});
