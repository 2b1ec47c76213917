/** Saves into which forgetting and collection break at every call: whatever commits is restorable. */
import { describe, expect, test } from 'vitest';
import { isThetalogError, MemoryStorage, openStore, type Storage, type Store } from '../../src/index.js';
import { makeStore, openAgain, TestEnvironment } from '../engine/make-store.js';
import { trainingState } from '../engine/training-state.js';
import { type Call, HookedStorage, MUTATING } from './hooked-storage.js';

const WEEK_MS = 7 * 24 * 3_600_000;

async function storeWithChain(): Promise<{ storage: MemoryStorage; store: Store }> {
  const storage = new MemoryStorage();
  const { store } = await makeStore(storage);
  for (let step = 0; step < 3; step++) await (await store.run('a').save(trainingState(step))).committed;
  await (await store.run('b').save(trainingState(0, 30))).committed;
  return { storage, store };
}

/** Opens the store as a process whose clock is a week ahead, so that every lease has run out for it. */
async function collector(storage: Storage, seed = 7): Promise<Store> {
  const environment = new TestEnvironment(seed);
  environment.clock += WEEK_MS;
  return openStore(storage, { environment });
}

async function forgetSteps(other: Store, steps: number[]): Promise<void> {
  const infos = (await other.list()).filter(({ run, step }) => run === 'a' && steps.includes(step ?? -1));
  if (infos.length > 0) await other.forget({ refs: infos.map(({ id }) => id) });
  await other.gc();
}

/** Saves through a storage that calls `before` ahead of every mutating call; returns whether the save succeeded. */
async function saveDuring(
  storage: Storage,
  step: number,
  before: (call: Call) => Promise<void>,
): Promise<{ saved: boolean; calls: number; reads: number }> {
  const hooked = new HookedStorage(storage, before);
  const { committed } = await (await openAgain(hooked)).run('a').save(trainingState(step));
  try {
    await committed;
    return { saved: true, calls: hooked.count, reads: hooked.reads };
  } catch (error) {
    if (!isThetalogError(error, 'conflict', 'not-found')) throw error;
    return { saved: false, calls: hooked.count, reads: hooked.reads };
  }
}

async function expectConsistent(storage: Storage, saved: boolean, step: number): Promise<void> {
  const store = await openAgain(storage, 60);
  expect((await store.check({ readData: 100 })).damaged).toEqual([]);
  if (saved) expect(await store.run('a').restore(`step:${step}`)).toEqual(trainingState(step));
  await (await store.run('a').save(trainingState(step + 1))).committed;
  expect(await store.run('a').restore()).toEqual(trainingState(step + 1));
}

describe('a writer that slept while the store was collected', () => {
  const interruptions: [string, (storage: Storage) => Promise<void>][] = [
    ['gc', async (storage) => void (await (await collector(storage)).gc())],
    [
      'forget of its base and gc',
      async (storage) => {
        await forgetSteps(await collector(storage), [2]);
      },
    ],
    [
      'forget of its whole run and gc',
      async (storage) => {
        await forgetSteps(await collector(storage), [0, 1, 2]);
      },
    ],
    [
      'compact and gc',
      async (storage) => {
        const other = await collector(storage);
        await other.compact();
        await other.gc();
      },
    ],
  ];

  test.each(interruptions)('%s at one call: what commits is restorable', async (_title, interrupt) => {
    const { storage } = await storeWithChain();
    const { calls } = await saveDuring(storage, 3, async () => {});
    let committed = 0;
    for (let at = 1; at <= calls; at++) {
      const { storage } = await storeWithChain();
      const { saved } = await saveDuring(storage, 3, async ({ number, method }) => {
        if (number === at && MUTATING.has(method)) await interrupt(storage);
      });
      committed += saved ? 1 : 0;
      await expectConsistent(storage, saved, 3);
    }
    expect(committed).toBe(calls);
  });

  test.each(interruptions)(
    '%s at every call: it commits or gives up with a conflict',
    async (_title, interrupt) => {
      const { storage } = await storeWithChain();
      const { saved } = await saveDuring(storage, 3, async ({ method }) => {
        if (MUTATING.has(method)) await interrupt(storage);
      });
      await expectConsistent(storage, saved, 3);
    },
  );
});

test('the whole run is forgotten and collected at any read: the save starts over', async () => {
  const { storage } = await storeWithChain();
  const { reads } = await saveDuring(storage, 3, async () => {});
  for (let at = 1; at <= reads; at += 5) {
    const { storage } = await storeWithChain();
    const { saved } = await saveDuring(storage, 3, async ({ number, method }) => {
      if (number === at && method === 'get') await forgetSteps(await collector(storage), [0, 1, 2]);
    });
    expect(saved, `read ${at}`).toBe(true);
    await expectConsistent(storage, saved, 3);
  }
});

test('two collectors whose clocks disagree on a lease never delete what is then committed', async () => {
  const { storage } = await storeWithChain();
  let release = (): void => {};
  const mayCommit = new Promise<void>((resolve) => {
    release = resolve;
  });
  let collecting: Promise<unknown> = Promise.resolve();
  let committed: Promise<unknown> = Promise.resolve();
  const writer = new HookedStorage(storage, async ({ method }) => {
    if (method !== 'putIfMatch' || collecting !== initial) return;
    collecting = slowCollection();
    await mayCommit;
  });
  const initial = collecting;
  async function slowCollection(): Promise<void> {
    let deletions = 0;
    const slow = new HookedStorage(storage, async ({ method }) => {
      deletions += method === 'delete' ? 1 : 0;
      if (method !== 'delete' || deletions > 1) return;
      await (await openAgain(storage, 8)).gc();
      release();
      await committed.catch(() => {});
    });
    await (await collector(slow)).gc();
    release();
  }
  ({ committed } = await (await openAgain(writer)).run('a').save(trainingState(3)));
  const saved = await committed.then(
    () => true,
    () => false,
  );
  await collecting;
  await expectConsistent(storage, saved, 3);
});
