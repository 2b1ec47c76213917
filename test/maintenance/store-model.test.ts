import fc from 'fast-check';
import { expect, test } from 'vitest';
import { MemoryStorage } from '../../src/index.js';
import { makeStore, openAgain } from '../engine/make-store.js';
import { expectHolds, type StoreModel, storeCommands } from './store-commands.js';

/** Enough for a few dozen sequences on a slow machine. */
const TIME_LIMIT_MS = 8_000;

test('a store behaves like a map of states under random saves, forgets, collections and compactions', async () => {
  let runs = 0;
  await fc.assert(
    fc.asyncProperty(storeCommands(), async (commands) => {
      const storage = new MemoryStorage();
      const { store } = await makeStore(storage);
      const model: StoreModel = { checkpoints: [], tags: new Map(), pins: new Set() };
      let seed = 1;
      const real = { store, reopen: () => openAgain(storage, ++seed) };
      await fc.asyncModelRun(() => ({ model, real }), commands);
      await expectHolds(model, real.store);
      runs += 1;
    }),
    { numRuns: 60, interruptAfterTimeLimit: TIME_LIMIT_MS, markInterruptAsFailure: false },
  );
  expect(runs).toBeGreaterThan(3);
});
