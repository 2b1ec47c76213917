/**
 * Saves on an early checkpoint while a compaction makes its chunks deltas on a late one: whichever commits first, all
 * checkpoints are bit-exact, and no chain leads in a circle, also after the compaction that merges what both saw.
 *
 * Seen to fail when `pivotTasks` does not leave out what other chunks read; and when `lowestEncodings` keeps the encoding it
 * finds first.
 */
import { expect, test } from 'vitest';
import { MemoryStorage, type StateValue, type Store } from '../../src/index.js';
import { AdamRun } from '../engine/adam-run.js';
import { makeStore, openAgain } from '../engine/make-store.js';
import { HookedStorage, MUTATING } from '../maintenance/hooked-storage.js';
import { copyOf } from './stopped-writers.js';

const LATER_STEPS = 8;
let pristine: MemoryStorage | undefined;
let parent = '';

/** Returns a store of one run: the first checkpoint in full, and a late one whose chain to it is forgotten. */
async function store(): Promise<MemoryStorage> {
  pristine ??= await makePristine();
  return copyOf(pristine);
}

async function makePristine(): Promise<MemoryStorage> {
  const storage = new MemoryStorage();
  const { store } = await makeStore(storage);
  const run = new AdamRun({ elements: 2000 });
  for (let save = 0; save <= LATER_STEPS; save++) {
    await (await store.run('a').save(run.state())).committed;
    run.advance();
  }
  const ids = (await store.list({ run: 'a' })).map(({ id }) => id);
  parent = ids[0];
  await store.forget({ refs: ids.slice(1, -1) });
  await store.gc();
  return storage;
}

function stateAt(steps: number): StateValue {
  return new AdamRun({ elements: 2000 }).advance(steps).state();
}

async function save(at: Store): Promise<void> {
  await (await at.run('b').save(stateAt(1), { parent })).committed;
}

async function expectWhole(storage: MemoryStorage, message: string): Promise<void> {
  const reader = await openAgain(storage, 91);
  expect(await reader.run('a').restore(parent), message).toEqual(stateAt(0));
  expect(await reader.run('a').restore(), message).toEqual(stateAt(LATER_STEPS));
  expect(await reader.run('b').restore(), message).toEqual(stateAt(1));
  expect((await reader.check({ readData: 100 })).damaged, message).toEqual([]);
}

/** Runs one operation, and at its call with this number the other, to its end; then merges what they left. */
async function interleave(
  at: number,
  outer: (store: Store) => Promise<unknown>,
  inner: (store: Store) => Promise<unknown>,
): Promise<void> {
  const storage = await store();
  const hooked = new HookedStorage(storage, async ({ method, number }) => {
    if (MUTATING.has(method) && number === at) await inner(await openAgain(storage, 12));
  });
  await outer(await openAgain(hooked, 3));
  await expectWhole(storage, `call ${at}`);
  const merging = await openAgain(storage, 13);
  await merging.compact({ fullHeads: at % 2 === 0 });
  await merging.gc();
  await expectWhole(storage, `call ${at}, merged`);
}

async function callsOf(work: (store: Store) => Promise<unknown>): Promise<number> {
  const counting = new HookedStorage(await store(), async () => {});
  await work(await openAgain(counting, 3));
  return counting.count;
}

const compact = (at: Store): Promise<unknown> => at.compact();
const compactAndCollect = async (at: Store): Promise<void> => {
  const { reasons } = await at.compact();
  expect(reasons.map(({ reason }) => reason)).toContain('pivot');
  await at.gc();
};

test('a save on the early checkpoint at any call of a compaction that makes it a delta', async () => {
  const calls = await callsOf(compact);
  for (let at = 1; at <= calls; at++) await interleave(at, compact, save);
});

test('a compaction that makes the early checkpoint a delta, and gc, at any call of a save on it', async () => {
  const calls = await callsOf(save);
  for (let at = 1; at <= calls; at++) await interleave(at, save, compactAndCollect);
});

test('two compactions at once, at any call, and then a save on what they left', async () => {
  const calls = await callsOf(compact);
  for (let at = 1; at <= calls; at++)
    await interleave(
      at,
      async (outer) => {
        await outer.compact();
        await save(outer);
      },
      compact,
    );
});
