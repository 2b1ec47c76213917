import { beforeEach, describe, expect, test } from 'vitest';
import { MemoryStorage, openStore, type Store } from '../../src/index.js';
import { FaultyStorage } from '../contract/faulty-storage.js';
import { bytesIn, makeStore, openAgain, sizesOf, TestEnvironment } from '../engine/make-store.js';
import { trainingState } from '../engine/training-state.js';

const HOUR_MS = 3_600_000;

let storage: MemoryStorage;
let store: Store;
let environment: TestEnvironment;

beforeEach(async () => {
  storage = new MemoryStorage();
  ({ store, environment } = await makeStore(storage));
  for (let step = 0; step < 3; step++) await save('a', step);
  await save('b', 0, 40);
});

async function save(run: string, step: number, seed = 1): Promise<void> {
  await (await store.run(run).save(trainingState(step, seed))).committed;
}

async function expectSound(): Promise<void> {
  expect((await (await openAgain(storage, 90)).check({ readData: 100 })).damaged).toEqual([]);
}

describe('collection', () => {
  test('a store without garbage but replaced pages keeps every checkpoint', async () => {
    await store.gc();
    for (let step = 0; step < 3; step++)
      expect(await store.run('a').restore(`step:${step}`)).toEqual(trainingState(step));
    expect(await store.gc()).toMatchObject({ objects: 0, bytes: 0, skippedObjects: 0 });
    await expectSound();
  });

  test('deletes what is unreferenced and nothing else', async () => {
    await store.forget({ refs: ['b'] });
    const before = await bytesIn(storage);
    const result = await store.gc();
    expect(result).toMatchObject({ dryRun: false, storedBytesBefore: before });
    expect(before - result.bytes).toBe(result.storedBytesAfter);
    expect(result.bytes).toBeGreaterThan(30_000);
    expect((await store.check()).unreferenced).toBe(0);
    await expectSound();
    expect(await store.run('a').restore()).toEqual(trainingState(2));
  });

  test('a forgotten base stays as long as something is built on it', async () => {
    await store.forget({ refs: ['a@step:0'] });
    await store.gc();
    expect(await store.run('a').restore('step:1')).toEqual(trainingState(1));
    await store.forget({ refs: ['a', 'a~1', 'b'] });
    await store.gc();
    expect(await sizesOf(storage)).toEqual(
      new Map([
        ['thetalog.json', expect.any(Number)],
        ['root', expect.any(Number)],
      ]),
    );
  });

  test('a dry run says the same and writes nothing', async () => {
    await store.forget({ refs: ['b'] });
    const before = await sizesOf(storage);
    const planned = await store.gc({ dryRun: true });
    expect(planned).toMatchObject({ dryRun: true });
    expect(await sizesOf(storage)).toEqual(before);
    expect(await store.gc()).toMatchObject({ objects: planned.objects, bytes: planned.bytes });
  });

  test('objects of other names are left alone', async () => {
    const foreign = ['notes.txt', 'packs/readme', 'other/00000000000000ff-1'];
    for (const key of foreign) await storage.putIfAbsent(key, [new Uint8Array(9)]);
    await store.gc();
    for (const key of foreign) expect(await storage.get(key), key).toBeDefined();
  });

  test('damage stops collection before anything is deleted', async () => {
    const [manifest] = [...(await sizesOf(storage)).keys()].filter((key) => key.startsWith('manifests/'));
    await storage.delete(manifest);
    const before = await sizesOf(storage);
    await expect(store.gc()).rejects.toMatchObject({ kind: 'corrupt', object: manifest });
    expect(await sizesOf(storage)).toEqual(before);
  });
});

describe('writers that are under way', () => {
  test('what a writer that died left behind stays until its lease has run out', async () => {
    const dying = new FaultyStorage(storage, { at: 4, when: 'before', sticky: true });
    const { committed } = await (await openAgain(dying)).run('a').save(trainingState(3));
    await expect(committed).rejects.toMatchObject({ kind: 'unavailable' });
    await store.gc();
    const { skippedObjects } = await store.gc();
    expect(skippedObjects).toBe(2);
    environment.clock += HOUR_MS;
    expect(await store.gc()).toMatchObject({ objects: 3, skippedObjects: 0 });
    expect(await store.gc()).toMatchObject({ objects: 0 });
    await expectSound();
  });
});

describe('collection that fails half-way', () => {
  test('at any call: every checkpoint is there, and the next one finishes the work', async () => {
    await store.forget({ refs: ['b', 'a@step:2'] });
    const start = await copyOf(storage);
    const counting = new FaultyStorage(await copyOf(start));
    await (await openAgain(counting)).gc();
    for (let at = 1; at <= counting.calls.length; at++) {
      for (const when of ['before', 'after'] as const) {
        storage = await copyOf(start);
        await (await openAgain(new FaultyStorage(storage, { at, when }))).gc().catch(() => {});
        await expectSound();
        const again = await openStore(storage, { environment: new TestEnvironment(91) });
        await again.gc();
        expect(await again.run('a').restore()).toEqual(trainingState(1));
        expect((await again.check()).unreferenced, `call ${at} ${when}`).toBe(0);
        expect(await again.gc()).toMatchObject({ objects: 0 });
      }
    }
  });
});

async function copyOf(source: MemoryStorage): Promise<MemoryStorage> {
  const copy = new MemoryStorage();
  for await (const { key } of source.list('')) {
    if (key === 'root') continue;
    const bytes = await source.get(key);
    if (bytes !== undefined) await copy.putIfAbsent(key, [bytes]);
  }
  const root = await source.getVersioned('root');
  if (root !== undefined) await copy.putIfMatch('root', root.bytes, undefined);
  return copy;
}
