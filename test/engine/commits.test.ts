/** What stands after failures and races of saves. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  createStore,
  isThetalogError,
  MemoryStorage,
  openStore,
  type Storage,
  type Store,
} from '../../src/index.js';
import { FaultyStorage } from '../contract/faulty-storage.js';
import { CHUNK_ELEMENTS, makeStore, openAgain, sizesOf } from './make-store.js';
import { trainingState } from './training-state.js';

async function save(store: Store, run: string, step: number, seed = 1): Promise<string> {
  return (await (await store.run(run).save(trainingState(step, seed))).committed).id;
}

function isPage(key: string): boolean {
  return key.startsWith('pages/');
}

async function storeWithTwo(): Promise<MemoryStorage> {
  const storage = new MemoryStorage();
  const { store } = await makeStore(storage);
  for (const step of [0, 1]) await save(store, 'a', step);
  return storage;
}

async function expectRestorable(storage: Storage, steps: number[]): Promise<void> {
  const store = await openAgain(storage, 70);
  expect((await store.list({ run: 'a' })).map(({ step }) => step)).toEqual(steps);
  for (const step of steps) expect(await store.run('a').restore(`step:${step}`)).toEqual(trainingState(step));
  expect((await store.check({ readData: 100 })).damaged).toEqual([]);
}

describe('a mutating call of a save that fails', () => {
  test('at any place, before or after it took effect: old checkpoints stand, and a later save works', async () => {
    const counting = new FaultyStorage(await storeWithTwo());
    await save(await openAgain(counting), 'a', 2);
    expect(counting.calls.map(({ method }) => method)).toEqual([
      'putIfAbsent',
      'putIfAbsent',
      'putIfAbsent',
      'putIfAbsent',
      'putIfMatch',
      'delete',
    ]);
    for (let at = 1; at <= counting.calls.length; at++) {
      for (const when of ['before', 'after'] as const) {
        const storage = await storeWithTwo();
        const store = await openAgain(new FaultyStorage(storage, { at, when }));
        const outcome = await save(store, 'a', 2).then(
          () => 'saved',
          (error: unknown) => (isThetalogError(error, 'unavailable') ? 'failed' : String(error)),
        );
        const { method } = counting.calls[at - 1];
        const commits = method === 'delete' || (method === 'putIfMatch' && when === 'after');
        expect(outcome, `call ${at} ${when}`).toBe(commits ? 'saved' : 'failed');
        await expectRestorable(storage, commits ? [0, 1, 2] : [0, 1]);
        await save(store, 'a', 3);
        await expectRestorable(storage, commits ? [0, 1, 2, 3] : [0, 1, 3]);
      }
    }
  });

  test('a storage that goes away and stays away: nothing is visible', async () => {
    for (let at = 1; at <= 5; at++) {
      const storage = await storeWithTwo();
      const store = await openAgain(new FaultyStorage(storage, { at, when: 'before', sticky: true }));
      await expect(save(store, 'a', 2)).rejects.toMatchObject({ kind: 'unavailable' });
      await expectRestorable(storage, [0, 1]);
    }
  });

  test('the next save of the run is not held up by one that failed', async () => {
    const storage = await storeWithTwo();
    const run = (await openAgain(new FaultyStorage(storage, { at: 3, when: 'before' }))).run('a');
    const failing = await run.save(trainingState(2));
    const next = await run.save(trainingState(3));
    await expect(failing.committed).rejects.toMatchObject({ kind: 'unavailable' });
    await next.committed;
    await expectRestorable(storage, [0, 1, 3]);
  });
});

describe('lost answers of the root', () => {
  test.each([1, 2, 3])('answer %d of three saves is lost: each save stands once', async (at) => {
    const storage = await storeWithTwo();
    const matches = ({ method }: { method: string }): boolean => method === 'putIfMatch';
    const store = await openAgain(new FaultyStorage(storage, { at, when: 'after', matches }));
    for (const step of [2, 3, 4]) await save(store, 'a', step);
    await expectRestorable(storage, [0, 1, 2, 3, 4]);
  });

  test('somebody else commits between the lost answer and the look at the root', async () => {
    const storage = await storeWithTwo();
    const other = await openAgain(storage, 5);
    let overtaken = false;
    const lossy: Storage = Object.assign(Object.create(storage) as Storage, {
      putIfMatch: async (key: string, bytes: Uint8Array, version: string | undefined) => {
        const result = await storage.putIfMatch(key, bytes, version);
        if (overtaken) return result;
        overtaken = true;
        await save(other, 'b', 7);
        await other.tag('b', 'meanwhile');
        return undefined;
      },
    });
    await save(await openAgain(lossy), 'a', 2);
    expect(overtaken).toBe(true);
    await expectRestorable(storage, [0, 1, 2]);
    expect((await other.list({ run: 'b' })).map(({ tags }) => tags)).toEqual([['meanwhile']]);
  });
});

describe('a repair while a save is under way', () => {
  // Seen to fail when a save whose root was not taken looks for its id alone.
  test('that finds its manifest, as a page is lost: the save stands with its step and metrics', async () => {
    const storage = await storeWithTwo();
    const other = await openAgain(storage, 5);
    let recovered: (number | null)[] | undefined;
    const meanwhile: Storage = Object.assign(Object.create(storage) as Storage, {
      putIfMatch: async (key: string, bytes: Uint8Array, version: string | undefined) => {
        if (recovered === undefined) {
          for (const written of (await sizesOf(storage)).keys())
            if (isPage(written)) await storage.delete(written);
          await other.repair();
          recovered = (await other.list()).map(({ step }) => step);
        }
        return storage.putIfMatch(key, bytes, version);
      },
    });
    const id = await save(await openAgain(meanwhile), 'a', 2);
    expect(recovered).toEqual([null, null, null]);
    const store = await openAgain(storage, 6);
    expect(await store.show('a@step:2')).toMatchObject({ id, step: 2 });
    expect(await store.run('a').restore('step:2')).toEqual(trainingState(2));
  });
});

describe('two saves at once', () => {
  async function race(storage: Storage, same: boolean): Promise<void> {
    const stores = await Promise.all([openStore(storage), openStore(storage)]);
    const runs = same ? ['r', 'r'] : ['r', 's'];
    const saved = await Promise.all(
      stores.flatMap((store, index) =>
        [0, 1, 2].map(async (step) => ({
          run: runs[index],
          step,
          seed: index,
          id: await save(store, runs[index], step, index),
        })),
      ),
    );
    const store = await openStore(storage);
    expect((await store.list()).map(({ id }) => id).sort()).toEqual(saved.map(({ id }) => id).sort());
    for (const { run, step, seed, id } of saved)
      expect(await store.run(run).restore(id)).toEqual(trainingState(step, seed));
    expect((await store.check({ readData: 100 })).damaged).toEqual([]);
  }

  test.each([
    ['the same run', true],
    ['two runs', false],
  ])('of %s in memory: both stand', async (_title, same) => {
    const { storage } = await makeStore();
    await race(storage, same);
  });

  test('into one directory: both stand', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'thetalog-race-'));
    try {
      const location = join(folder, 'store');
      await createStore(location, { chunkElements: CHUNK_ELEMENTS });
      const [left, right] = [await openStore(location), await openStore(location)];
      await Promise.all([0, 1, 2].flatMap((step) => [save(left, 'a', step), save(right, 'a', step + 10)]));
      const steps = (await left.list({ run: 'a' })).map(({ step }) => step ?? -1);
      expect(steps.sort((a, b) => a - b)).toEqual([0, 1, 2, 10, 11, 12]);
      for (const step of steps)
        expect(await right.run('a').restore(`step:${step}`)).toEqual(trainingState(step));
      expect((await left.check({ readData: 100 })).damaged).toEqual([]);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});

describe('an aborted save', () => {
  test('leaves no checkpoint, and the next one works', async () => {
    const storage = await storeWithTwo();
    const store = await openAgain(storage);
    const controller = new AbortController();
    const { committed } = await store.run('a').save(trainingState(2), {
      signal: controller.signal,
      onProgress: () => controller.abort(),
    });
    await expect(committed).rejects.toMatchObject({ kind: 'aborted' });
    await expectRestorable(storage, [0, 1]);
    await save(store, 'a', 2);
    await expectRestorable(storage, [0, 1, 2]);
  });

  test('progress counts the logical bytes up to their total', async () => {
    const store = await openAgain(await storeWithTwo());
    const seen: { bytesRead: number; bytesTotal: number; phase: string }[] = [];
    const { committed } = await store
      .run('a')
      .save(trainingState(2), { onProgress: (progress) => seen.push(progress) });
    const { logicalBytes } = await committed;
    expect(seen.map(({ bytesRead }) => bytesRead)).toEqual(
      seen.map(({ bytesRead }) => bytesRead).sort((a, b) => a - b),
    );
    expect(seen.at(-1)).toMatchObject({ phase: 'save', bytesRead: logicalBytes, bytesTotal: logicalBytes });
  });
});

describe('damage while restoring', () => {
  test('a missing pack is corrupt, names it, and other checkpoints are untouched', async () => {
    const storage = await storeWithTwo();
    const store = await openAgain(storage);
    const keys = new Set((await sizesOf(storage)).keys());
    await save(store, 'b', 0, 33);
    const added = [...(await sizesOf(storage)).keys()].find(
      (key) => key.startsWith('packs/') && !keys.has(key),
    );
    await storage.delete(added ?? '');
    await expect(store.run('b').restore()).rejects.toMatchObject({ kind: 'corrupt', object: added });
    expect(await store.run('a').restore()).toEqual(trainingState(1));
  });

  test('a config with another chunk size is damaged, and a store moved under it never gives wrong values', async () => {
    const storage = new MemoryStorage();
    const model = Float32Array.from({ length: 1500 }, (_, index) => index);
    await (await (await makeStore(storage)).store.run('a').save({ model })).committed;
    const config = new TextDecoder().decode(await storage.get('thetalog.json'));
    const changed = config.replace(String(CHUNK_ELEMENTS), String(CHUNK_ELEMENTS + 1));
    await replaceConfig(storage, new TextEncoder().encode(changed));
    await expect(openAgain(storage)).rejects.toMatchObject({ kind: 'corrupt', code: 'bad-checksum' });
    const donor = new MemoryStorage();
    await createStore(donor, { chunkElements: CHUNK_ELEMENTS + 1 });
    await replaceConfig(storage, (await donor.get('thetalog.json')) ?? new Uint8Array());
    const store = await openAgain(storage);
    await expect(store.run('a').restore()).rejects.toMatchObject({ kind: 'corrupt', code: 'chunk-length' });
    expect((await store.check()).damaged).toMatchObject([{ code: 'chunk-length' }]);
  });

  async function replaceConfig(storage: MemoryStorage, config: Uint8Array): Promise<void> {
    await storage.delete('thetalog.json');
    await storage.putIfAbsent('thetalog.json', [config]);
  }
});
