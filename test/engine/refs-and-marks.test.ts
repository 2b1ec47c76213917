import { beforeEach, describe, expect, test } from 'vitest';
import { MemoryStorage, type Store } from '../../src/index.js';
import { FaultyStorage } from '../contract/faulty-storage.js';
import { makeStore, openAgain, sizesOf } from './make-store.js';

let storage: MemoryStorage;
let store: Store;
/** Ids of run `a`: steps 0, 10, 20, 20 with losses 3, 1, NaN, 1. */
let ids: string[];

beforeEach(async () => {
  storage = new MemoryStorage();
  ({ store } = await makeStore(storage));
  ids = [];
  for (const [step, loss] of [
    [0, 3],
    [10, 1],
    [20, Number.NaN],
    [20, 1],
  ]) {
    const state = { model: Float32Array.of(step), progress: { step }, metrics: { loss } };
    ids.push((await (await store.run('a').save(state)).committed).id);
  }
});

async function idOf(ref: string): Promise<string> {
  return (await store.show(ref)).id;
}

describe('refs', () => {
  test.each<[string, number]>([
    ['a', 3],
    ['a@latest', 3],
    ['a@step:0', 0],
    ['a@step:10', 1],
    ['a@step:20', 3],
    ['a@best:loss', 3],
    ['a@best:loss:min', 3],
    ['a@best:loss:max', 0],
    ['a~1', 2],
    ['a~', 2],
    ['a~3', 0],
    ['a@latest~1~1', 1],
    ['a@step:10~0', 1],
    ['a@best:loss:max~0', 0],
  ])('%s', async (ref, index) => {
    expect(await idOf(ref)).toBe(ids[index]);
  });

  test('ids, and prefixes of them from four digits on', async () => {
    expect(await idOf(ids[1])).toBe(ids[1]);
    expect(await idOf(ids[1].slice(0, 8))).toBe(ids[1]);
    expect(await idOf(`${ids[1].slice(0, 8)}~1`)).toBe(ids[0]);
    await expect(store.show(ids[1].slice(0, 3))).rejects.toMatchObject({ kind: 'not-found' });
  });

  test.each([
    'none',
    'none@latest',
    'a@step:11',
    'a@best:accuracy',
    'a@best:toString',
    'a~4',
    'a~1000000000',
    'ffffffffffff',
    '',
  ])('%j is not found', async (ref) => {
    await expect(store.show(ref)).rejects.toMatchObject({ kind: 'not-found', object: ref });
  });

  test.each(['a@', 'a@first', 'a@step:', 'a@step:-1', 'a@step:1.5', 'a@best:', 'a@latest@latest'])(
    '%j is invalid',
    async (ref) => {
      await expect(store.show(ref)).rejects.toMatchObject({ kind: 'invalid', code: 'bad-ref' });
    },
  );

  test('a run restores its own selectors, and any ref of the store', async () => {
    const state = await store.run('a').restore('step:10');
    expect(state).toMatchObject({ model: Float32Array.of(10) });
    expect(await store.run('other').restore('a@best:loss:max')).toMatchObject({ model: Float32Array.of(0) });
    await expect(store.run('other').restore()).rejects.toMatchObject({ kind: 'not-found' });
  });

  test.each(['', '.', '..', 'a/b', 'a b', 'ä', 'a@b', 'a~b', 'x'.repeat(129)])(
    'a run cannot be called %j',
    (name) => {
      expect(() => store.run(name)).toThrow(expect.objectContaining({ kind: 'invalid' }));
    },
  );
});

describe('tags', () => {
  test('name a checkpoint, stay with it, and can be taken away', async () => {
    expect((await store.tag('a@step:10', 'v1')).tags).toEqual(['v1']);
    await store.tag('a@step:10', 'v1');
    expect(await idOf('v1~1')).toBe(ids[0]);
    await expect(store.tag('a', 'v1')).rejects.toMatchObject({ kind: 'conflict', code: 'tag-exists' });
    await store.untag('v1');
    await expect(store.show('v1')).rejects.toMatchObject({ kind: 'not-found' });
    await expect(store.untag('v1')).rejects.toMatchObject({ kind: 'not-found' });
    await store.tag('a', 'v1');
    expect(await idOf('v1')).toBe(ids[3]);
  });

  test('cannot have the name of a run, nor an impossible one', async () => {
    await expect(store.tag('a', 'a')).rejects.toMatchObject({ kind: 'conflict' });
    await expect(store.tag('a', 'x y')).rejects.toMatchObject({ kind: 'invalid' });
    await expect(store.tag('none', 'v1')).rejects.toMatchObject({ kind: 'not-found' });
  });

  test('two tags at once both stand', async () => {
    const other = await openAgain(storage);
    await Promise.all([store.tag('a', 'x'), other.tag('a', 'y'), store.pin('a'), other.tag('a~1', 'z')]);
    const [, , third, fourth] = await store.list();
    expect(fourth).toMatchObject({ tags: expect.arrayContaining(['x', 'y']), pinned: true });
    expect(third.tags).toEqual(['z']);
  });
});

test('pins are put and taken away, twice without harm', async () => {
  expect((await store.pin('a')).pinned).toBe(true);
  expect((await store.pin('a')).pinned).toBe(true);
  expect((await store.unpin('a')).pinned).toBe(false);
  expect((await store.unpin('a')).pinned).toBe(false);
});

describe('forks', () => {
  test('start a run with a checkpoint that shares all with its source', async () => {
    const before = [...(await sizesOf(storage)).keys()];
    const fork = await store.fork('a@step:10', 'tuned');
    expect(fork).toMatchObject({ run: 'tuned', step: 10, parent: ids[1], storedBytes: 0, tags: [] });
    expect(fork.id).not.toBe(ids[1]);
    const added = [...(await sizesOf(storage)).keys()].filter((key) => !before.includes(key));
    expect(added.map((key) => key.split('/')[0])).toEqual(['pages']);
    expect(await store.run('tuned').restore()).toEqual(await store.run('a').restore('step:10'));
  });

  test('lineage goes on over runs', async () => {
    await store.fork('a@step:10', 'tuned');
    await (await store.run('tuned').save({ model: Float32Array.of(5) })).committed;
    const log = await store.log('tuned');
    expect(log.map(({ run, step }) => [run, step])).toEqual([
      ['tuned', null],
      ['tuned', 10],
      ['a', 10],
      ['a', 0],
    ]);
  });

  test('outlive their source', async () => {
    await store.fork('a', 'tuned');
    await store.forget({ refs: ids });
    await store.gc();
    expect(await store.run('tuned').restore()).toMatchObject({ model: Float32Array.of(20) });
    expect((await store.check({ readData: 100 })).damaged).toEqual([]);
  });

  test('into a run or tag that exists are a conflict', async () => {
    await store.tag('a', 'taken');
    for (const name of ['a', 'taken'])
      await expect(store.fork('a', name)).rejects.toMatchObject({ kind: 'conflict', object: name });
  });

  test('a lost answer of the root neither forks twice nor fails', async () => {
    const faulty = new FaultyStorage(storage, {
      at: 1,
      when: 'after',
      matches: ({ method }) => method === 'putIfMatch',
    });
    const { id } = await (await openAgain(faulty)).fork('a', 'tuned');
    expect((await store.list({ run: 'tuned' })).map((info) => info.id)).toEqual([id]);
  });
});
