import { beforeEach, describe, expect, test } from 'vitest';
import { keep, MemoryStorage, type Storage, type Store } from '../../src/index.js';
import { FaultyStorage } from '../contract/faulty-storage.js';
import { makeStore, openAgain, sizesOf } from '../engine/make-store.js';
import { trainingState } from '../engine/training-state.js';

let storage: MemoryStorage;
let store: Store;

beforeEach(async () => {
  storage = new MemoryStorage();
  ({ store } = await makeStore(storage));
  for (let step = 0; step < 5; step++) await (await store.run('a').save(trainingState(step))).committed;
  for (let step = 0; step < 3; step++) await (await store.run('b').save(trainingState(step, 9))).committed;
});

async function steps(run: string): Promise<(number | null)[]> {
  return (await store.list({ run })).map((info) => info.step);
}

describe('forget by policy', () => {
  test('drops what no policy keeps, in one run', async () => {
    const { decisions, dryRun } = await store.forget({ run: 'a', keep: [keep.last(1), keep.every(2)] });
    expect(dryRun).toBe(false);
    expect(decisions.map(({ step, forget }) => [step, forget])).toEqual([
      [0, false],
      [1, true],
      [2, false],
      [3, true],
      [4, false],
    ]);
    expect(decisions[1].reasons).toEqual(['no policy keeps it']);
    expect(await steps('a')).toEqual([0, 2, 4]);
    expect(await steps('b')).toEqual([0, 1, 2]);
  });

  test('without a run it applies to each run on its own', async () => {
    await store.forget({ keep: [keep.last(2)] });
    expect(await steps('a')).toEqual([3, 4]);
    expect(await steps('b')).toEqual([1, 2]);
  });

  test('tags and pins protect', async () => {
    await store.tag('a@step:1', 'good');
    await store.pin('a@step:2');
    const { decisions } = await store.forget({ run: 'a', keep: [keep.last(1)] });
    expect(decisions.filter(({ forget }) => !forget).map(({ step, reasons }) => [step, reasons])).toEqual([
      [1, ['tag good']],
      [2, ['pinned']],
      [4, ['last 1']],
    ]);
    expect(await steps('a')).toEqual([1, 2, 4]);
  });

  test('what stays is restorable, though built on what went', async () => {
    await store.forget({ run: 'a', keep: [keep.last(1)] });
    await store.gc();
    expect(await store.run('a').restore()).toEqual(trainingState(4));
    expect((await store.check({ readData: 100 })).damaged).toEqual([]);
  });

  test('an unknown run is not found, no policy is invalid', async () => {
    await expect(store.forget({ run: 'none', keep: [keep.last(1)] })).rejects.toMatchObject({
      kind: 'not-found',
    });
    await expect(store.forget({ run: 'a' })).rejects.toMatchObject({ kind: 'invalid', code: 'no-policy' });
    await expect(store.forget({})).rejects.toMatchObject({ kind: 'invalid' });
  });

  test('a dry run says the same and writes nothing', async () => {
    const before = await sizesOf(storage);
    const planned = await store.forget({ run: 'a', keep: [keep.last(1)], dryRun: true });
    expect(planned.dryRun).toBe(true);
    expect(await sizesOf(storage)).toEqual(before);
    const done = await store.forget({ run: 'a', keep: [keep.last(1)] });
    expect(done.decisions).toEqual(planned.decisions);
  });
});

describe('forget by name', () => {
  test('drops exactly those, each once', async () => {
    const { decisions } = await store.forget({ refs: ['a@step:1', 'a~3', 'b'] });
    expect(decisions.map(({ run, step }) => [run, step])).toEqual([
      ['a', 1],
      ['b', 2],
    ]);
    expect(await steps('a')).toEqual([0, 2, 3, 4]);
    expect(await steps('b')).toEqual([0, 1]);
  });

  test('a tagged or pinned one is a conflict and nothing is forgotten', async () => {
    await store.tag('a@step:1', 'good');
    await store.pin('a@step:2');
    await expect(store.forget({ refs: ['a@step:3', 'good'] })).rejects.toMatchObject({ kind: 'conflict' });
    await expect(store.forget({ refs: ['a@step:2'] })).rejects.toMatchObject({ kind: 'conflict' });
    expect(await steps('a')).toEqual([0, 1, 2, 3, 4]);
    await store.untag('good');
    await store.unpin('a@step:2');
    await store.forget({ refs: ['a@step:1', 'a@step:2'] });
    expect(await steps('a')).toEqual([0, 3, 4]);
  });

  test('a run without checkpoints is gone', async () => {
    await store.forget({ refs: ['b', 'b~1', 'b~2'] });
    await expect(store.list({ run: 'b' })).rejects.toMatchObject({ kind: 'not-found' });
  });

  test('lineage ends where a parent was forgotten', async () => {
    await store.forget({ refs: ['a@step:2'] });
    expect((await store.log('a')).map(({ step }) => step)).toEqual([4, 3]);
    const [, , third] = await store.list({ run: 'a' });
    expect(third.parent).toMatch(/^[0-9a-f]{32}$/);
    await expect(store.show('a~2')).rejects.toMatchObject({ kind: 'not-found' });
  });

  test('a lost answer of the root forgets once and succeeds', async () => {
    const faulty = new FaultyStorage(storage, {
      at: 1,
      when: 'after',
      matches: ({ method }) => method === 'putIfMatch',
    });
    const { decisions } = await (await openAgain(faulty)).forget({ refs: ['a', 'a~1'] });
    expect(decisions.map(({ step }) => step)).toEqual([4, 3]);
    expect(await steps('a')).toEqual([0, 1, 2]);
  });

  test('somebody else changes the root right after: it is still forgotten once', async () => {
    const other = await openAgain(storage, 6);
    let overtaken = false;
    const lossy: Storage = Object.assign(Object.create(storage) as Storage, {
      putIfMatch: async (key: string, bytes: Uint8Array, version: string | undefined) => {
        const result = await storage.putIfMatch(key, bytes, version);
        if (overtaken) return result;
        overtaken = true;
        await other.pin('b');
        return undefined;
      },
    });
    await (await openAgain(lossy)).forget({ refs: ['a'] });
    expect(await steps('a')).toEqual([0, 1, 2, 3]);
  });
});
