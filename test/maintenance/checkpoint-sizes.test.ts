import { expect, test } from 'vitest';
import { bytesIn, makeStore } from '../engine/make-store.js';
import { randomNumbers } from '../engine/training-state.js';

function noise(seed: number, length = 4096): Float32Array {
  const next = randomNumbers(seed);
  return Float32Array.from({ length }, () => next() - 0.5);
}

/** Three tensors: one that never changes, one that changes with the step, one that all steps from 2 on share. */
async function makeRuns() {
  const made = await makeStore();
  const run = made.store.run('a');
  for (const step of [1, 2, 3]) {
    const model = { frozen: noise(1), trained: noise(step + 10), late: noise(step === 1 ? 4 : 5) };
    await (await run.save({ model, progress: { step } }, { maxHeight: 0 })).committed;
  }
  await made.store.fork('a@step:1', 'b');
  return made;
}

test('new is what saves added; exclusive and reclaimable is what forgetting gives back', async () => {
  const { store, storage } = await makeRuns();
  const { checkpoints, runs } = await store.sizes();
  expect(checkpoints.map(({ run, step }) => [run, step])).toEqual([
    ['a', 1],
    ['a', 2],
    ['a', 3],
    ['b', 1],
  ]);
  const listed = await store.list();
  expect(checkpoints.map(({ newBytes }) => newBytes)).toEqual(listed.map(({ storedBytes }) => storedBytes));
  // The fork shares everything with step 1, so neither has anything for itself.
  expect(checkpoints.map(({ exclusiveBytes }) => exclusiveBytes > 0)).toEqual([false, true, true, false]);
  const [, , third] = checkpoints;
  const before = await bytesIn(storage);
  await store.forget({ refs: ['a@step:3'] });
  await store.gc();
  expect(before - (await bytesIn(storage))).toBeGreaterThanOrEqual(third.reclaimableBytes);
  expect(third.reclaimableBytes).toBeGreaterThan(12_000);
  expect(runs).toMatchObject([
    {
      run: 'a',
      checkpoints: 3,
      logicalBytes: listed.slice(0, 3).reduce((sum, { logicalBytes }) => sum + logicalBytes, 0),
    },
    { run: 'b', checkpoints: 1, exclusiveBytes: 0, reclaimableBytes: 0 },
  ]);
});

test('what the checkpoints of a run share is exclusive to the run', async () => {
  const { store } = await makeRuns();
  await store.forget({ refs: ['b'] });
  const { checkpoints, runs } = await store.sizes();
  const sum = checkpoints.reduce((total, { exclusiveBytes }) => total + exclusiveBytes, 0);
  expect(runs[0].exclusiveBytes).toBeGreaterThan(sum + 12_000);
});
