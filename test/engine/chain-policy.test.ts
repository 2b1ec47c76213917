import { describe, expect, test } from 'vitest';
import {
  type ChainOptions,
  createStore,
  MemoryStorage,
  type StateValue,
  type Store,
} from '../../src/index.js';
import { AdamRun } from './adam-run.js';
import { makeStore } from './make-store.js';
import { trainingState } from './training-state.js';

const SAVES = 20;
/** Large enough for metadata not to show. */
const CHUNK_ELEMENTS = 16_384;

interface Chain {
  store: Store;
  /** Logical over stored bytes of all saves together. */
  ratio: number;
  states: StateValue[];
}

/** Saves checkpoints some steps apart. */
async function chainOf(run: AdamRun, stepsApart: number, options: ChainOptions = {}): Promise<Chain> {
  const store = await createStore(new MemoryStorage(), { chunkElements: CHUNK_ELEMENTS });
  const states: StateValue[] = [];
  const sums = { logical: 0, stored: 0 };
  for (let save = 0; save < SAVES; save++) {
    const state = run.state();
    const saved = await (await store.run('r').save(state, options)).committed;
    sums.logical += saved.logicalBytes;
    sums.stored += saved.storedBytes;
    states.push(state);
    run.advance(stepsApart);
  }
  return { store, ratio: sums.logical / sums.stored, states };
}

async function factorsOf(store: Store): Promise<number[]> {
  const factors: number[] = [];
  for (const { id } of await store.list()) factors.push((await store.stats(id)).restoreFactor);
  return factors;
}

describe('twenty saves of AdamW', () => {
  test.each([
    ['one step apart', 1, false, 2.7],
    ['one step apart, gradients of 16 bits', 1, true, 4.1],
    ['ten steps apart', 10, false, 1.3],
  ])(
    '%s: small, and none takes more than 8 times the work of a full one',
    async (_title, apart, bf16, least) => {
      const { store, ratio, states } = await chainOf(new AdamRun({ bf16Gradients: bf16 }), apart);
      expect(ratio).toBeGreaterThanOrEqual(least);
      const factors = await factorsOf(store);
      expect(factors[0]).toBe(1);
      expect(Math.max(...factors)).toBeLessThanOrEqual(8);
      expect(Math.max(...factors)).toBeGreaterThan(7);
      const infos = await store.list();
      for (const at of [0, 8, 9, 17, 19])
        expect(await store.run('r').restore(infos[at].id)).toEqual(states[at]);
      expect((await store.check({ readData: 100 })).damaged).toEqual([]);
    },
  );
});

describe('limits', () => {
  test.each([1, 1.8, 2, 4])('a restore factor of %d is kept', async (maxRestoreFactor) => {
    const { store } = await chainOf(new AdamRun({ elements: 3000 }), 1, { maxRestoreFactor });
    expect(Math.max(...(await factorsOf(store)))).toBeLessThan(maxRestoreFactor + 1e-9);
  });

  test('where the budget is spent, the next save is a delta on the full chunks at the end of the chains', async () => {
    const limits = { maxRestoreFactor: 3 };
    const { store } = await makeStore();
    const saves = [];
    for (let step = 0; step < 5; step++)
      saves.push(await (await store.run('r').save(trainingState(step), limits)).committed);
    const full = (await (await store.run('f').save(trainingState(3, 50))).committed).storedBytes;
    expect((await store.list({ run: 'r' })).map(({ height }) => height)).toEqual([0, 1, 2, 1, 2]);
    expect(saves[3].storedBytes).toBeLessThan(full * 0.8);
  });

  test('a largest height of 0 stores everything in full', async () => {
    const { store } = await chainOf(new AdamRun({ elements: 3000 }), 1, { maxHeight: 0 });
    expect((await store.stats()).maxHeight).toBe(0);
  });

  test('impossible limits are refused', async () => {
    const { store } = await makeStore();
    for (const limits of [{ maxHeight: 17 }, { maxHeight: 1.5 }, { maxRestoreFactor: 0.5 }]) {
      const { committed } = await store.run('r').save(trainingState(0), limits);
      await expect(committed).rejects.toMatchObject({ kind: 'invalid' });
    }
  });
});
