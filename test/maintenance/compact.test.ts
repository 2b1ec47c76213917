import { beforeEach, describe, expect, test } from 'vitest';
import { isThetalogError, MemoryStorage, type Store } from '../../src/index.js';
import { FaultyStorage } from '../contract/faulty-storage.js';
import { AdamRun } from '../engine/adam-run.js';
import { bytesIn, makeStore, openAgain, sizesOf } from '../engine/make-store.js';
import { trainingState } from '../engine/training-state.js';
import { HookedStorage, MUTATING } from './hooked-storage.js';

const KEPT = [3, 5, 7];
let storage: MemoryStorage;
let store: Store;

/** A run of eight checkpoints of which only three are left, and a run of one. */
beforeEach(async () => {
  ({ storage, store } = await sparseStore());
});

let pristine: MemoryStorage | undefined;

/** Returns a copy of one and the same store: the cases of a fault are many. */
async function sparseStore(): Promise<{ storage: MemoryStorage; store: Store }> {
  pristine ??= await makeSparse();
  const copy = new MemoryStorage();
  for await (const { key } of pristine.list('')) {
    if (key === 'root') {
      const root = await pristine.getVersioned(key);
      if (root !== undefined) await copy.putIfMatch(key, root.bytes, undefined);
    } else await copy.putIfAbsent(key, [(await pristine.get(key)) ?? new Uint8Array(0)]);
  }
  return { storage: copy, store: await openAgain(copy, 3) };
}

async function makeSparse(): Promise<MemoryStorage> {
  const made = new MemoryStorage();
  const { store } = await makeStore(made);
  for (let step = 0; step < 8; step++) await (await store.run('a').save(trainingState(step))).committed;
  await (await store.run('b').save(trainingState(0, 30))).committed;
  const doomed = (await store.list({ run: 'a' })).filter(({ step }) => !KEPT.includes(step ?? -1));
  await store.forget({ refs: doomed.map(({ id }) => id) });
  await store.gc();
  return made;
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

describe('compaction and the time to restore', () => {
  const factorOf = async (ref: string): Promise<number> => (await store.stats(ref)).restoreFactor;

  /** A chain of one run that is longer than the restore budget, all of it live. */
  async function longChain(): Promise<void> {
    storage = new MemoryStorage();
    ({ store } = await makeStore(storage));
    const run = new AdamRun({ elements: 3000 });
    for (let save = 0; save < 12; save++) {
      await (await store.run('a').save(run.state())).committed;
      run.advance();
    }
  }

  test('the latest of each run, what is tagged and what is pinned are in full, and the store grew by no more', async () => {
    await longChain();
    const ids = (await store.list({ run: 'a' })).map(({ id }) => id);
    await store.tag(ids[4], 'release');
    await store.pin(ids[6]);
    const states = await Promise.all(ids.map((id) => store.run('a').restore(id)));
    const before = await bytesIn(storage);
    const result = await store.compact();
    expect(result.shorteningBytes).toBeGreaterThan(0);
    expect(result.liveBytesAfter).toBeLessThanOrEqual(result.liveBytesBefore + result.shorteningBytes);
    await store.gc();
    expect(await bytesIn(storage)).toBeLessThan(before + result.shorteningBytes + 2000);
    for (const ref of ['a', 'release', ids[6]]) expect(await factorOf(ref)).toBeLessThanOrEqual(1.15);
    expect((await store.stats()).restoreFactor).toBeLessThanOrEqual(8);
    for (const [at, id] of ids.entries()) expect(await store.run('a').restore(id)).toEqual(states[at]);
    expect((await store.check({ readData: 100 })).damaged).toEqual([]);
    expect(await store.compact()).toMatchObject({ chunksEncoded: 0, chunksCopied: 0 });
  });

  test('nothing grows where no full heads are wanted', async () => {
    await longChain();
    const result = await store.compact({ fullHeads: false });
    expect(result.shorteningBytes).toBe(0);
    expect(result.liveBytesAfter).toBeLessThanOrEqual(result.liveBytesBefore);
  });

  test.each([4, 2, 1])('all others get within a restore factor of %d', async (maxRestoreFactor) => {
    await longChain();
    const result = await store.compact({ maxRestoreFactor });
    expect(result.restoreFactorBefore).toBeGreaterThan(5);
    expect(result.restoreFactorAfter).toBeLessThan(maxRestoreFactor + 1e-6);
    await store.gc();
    expect((await store.stats()).restoreFactor).toBe(result.restoreFactorAfter);
    expect((await store.check({ readData: 100 })).damaged).toEqual([]);
    expect(await store.compact({ maxRestoreFactor })).toMatchObject({ chunksEncoded: 0, chunksCopied: 0 });
  });

  test.each([3, 1, 0])('no chain is longer than %d where that is asked for', async (maxHeight) => {
    await longChain();
    const states = await Promise.all([0, 5, 11].map((step) => store.run('a').restore(`latest~${step}`)));
    const planned = await store.compact({ maxHeight, dryRun: true });
    const result = await store.compact({ maxHeight });
    expect(result).toEqual({ ...planned, dryRun: false });
    expect(result.maxHeightBefore).toBeGreaterThan(3);
    expect(result.maxHeightAfter).toBeLessThanOrEqual(maxHeight);
    expect(result.reasons.map(({ reason }) => reason)).toContain('max-height');
    await store.gc();
    expect((await store.stats()).maxHeight).toBe(result.maxHeightAfter);
    expect((await store.check({ readData: 100 })).damaged).toEqual([]);
    for (const [at, step] of [0, 5, 11].entries())
      expect(await store.run('a').restore(`latest~${step}`)).toEqual(states[at]);
    expect(await store.compact({ maxHeight })).toMatchObject({ chunksEncoded: 0, chunksCopied: 0 });
  });

  test('the plan says for which reason how many bytes move, and which checkpoints that changes', async () => {
    await longChain();
    const { reasons, changed, chunksEncoded, chunksCopied, liveBytesBefore, liveBytesAfter } =
      await store.compact({ dryRun: true, maxRestoreFactor: 2 });
    const sum = (key: 'chunks' | 'bytesBefore' | 'bytesAfter'): number =>
      reasons.reduce((total, reason) => total + reason[key], 0);
    expect(reasons.map(({ reason }) => reason)).toEqual(expect.arrayContaining(['head', 'restore-budget']));
    expect(sum('chunks')).toBe(chunksEncoded + chunksCopied);
    expect(liveBytesAfter - liveBytesBefore).toBeLessThanOrEqual(sum('bytesAfter') - sum('bytesBefore'));
    expect(changed.at(-1)).toMatchObject({ run: 'a', restoreFactorAfter: 1 });
    for (const { restoreFactorBefore, restoreFactorAfter } of changed)
      expect(restoreFactorAfter).toBeLessThanOrEqual(Math.max(2, restoreFactorBefore));
  });

  test('of every second checkpoint of a run one step apart, ghosts stay where rules on them are smaller', async () => {
    await longChain();
    const odd = (await store.list({ run: 'a' })).filter((_, at) => at % 2 === 1);
    await store.forget({ refs: odd.map(({ id }) => id) });
    const result = await store.compact();
    expect(result.liveBytesAfter).toBeLessThanOrEqual(result.liveBytesBefore + result.shorteningBytes);
    await store.gc();
    expect((await store.check({ readData: 100 })).damaged).toEqual([]);
  });

  test('an early checkpoint in full on which nothing is built becomes differences from the latest', async () => {
    await longChain();
    const ids = (await store.list({ run: 'a' })).map(({ id }) => id);
    const kept = [ids[0], ids[11]];
    const states = await Promise.all(kept.map((id) => store.run('a').restore(id)));
    await store.forget({ refs: ids.slice(1, 11) });
    const result = await store.compact();
    const pivot = result.reasons.find(({ reason }) => reason === 'pivot');
    expect(pivot?.bytesAfter).toBeLessThan(0.9 * (pivot?.bytesBefore ?? 0));
    await store.gc();
    expect(await factorOf('a')).toBe(1);
    expect(await factorOf(kept[0])).toBeGreaterThan(1);
    expect(await factorOf(kept[0])).toBeLessThanOrEqual(1.8);
    for (const [at, id] of kept.entries()) expect(await store.run('a').restore(id)).toEqual(states[at]);
    expect((await store.check({ readData: 100 })).damaged).toEqual([]);
    expect(await store.compact()).toMatchObject({ chunksEncoded: 0, chunksCopied: 0 });
  });

  test.each([
    ['that is tagged', {}, true],
    ['where chains shall not be', { maxHeight: 0 }, false],
    ['where restores may not take longer', { maxRestoreFactor: 1.5 }, false],
  ])('an early checkpoint %s stays in full', async (_, options, isTagged) => {
    await longChain();
    const ids = (await store.list({ run: 'a' })).map(({ id }) => id);
    if (isTagged) await store.tag(ids[0], 'start');
    await store.forget({ refs: ids.slice(1, 11) });
    const { reasons } = await store.compact(options);
    expect(reasons.map(({ reason }) => reason)).not.toContain('pivot');
    expect(await factorOf(ids[0])).toBe(1);
  });

  test('a copy that is computed from weights of the same checkpoint stays a copy', async () => {
    storage = new MemoryStorage();
    ({ store } = await makeStore(storage));
    const master = Float32Array.from({ length: 4096 }, (_, at) => Math.sin(at) * 0.1);
    for (let save = 0; save < 3; save++) {
      const moved = master.map((value) => value * (1 + save * 1e-3));
      const words = new Uint32Array(moved.buffer);
      const copy = Uint16Array.from(words, (word) => (word + 0x7fff + ((word >>> 16) & 1)) >>> 16);
      const state = {
        model: { w: { dtype: 'bf16' as const, shape: [4096], data: copy } },
        master: { w: moved },
      };
      await (await store.run('a').save(state)).committed;
    }
    await store.compact();
    const { maxHeight, restoreFactor } = await store.stats('a');
    expect(restoreFactor).toBeLessThanOrEqual(1.15);
    expect(maxHeight).toBeLessThanOrEqual(1);
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
      if (!MUTATING.has(method) || number !== at) return;
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
