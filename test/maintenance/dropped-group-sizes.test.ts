/**
 * What dropping the moments of old checkpoints saves, after compact and gc. Seen to fail when compaction stores heads in full
 * whatever was dropped (saves one step apart, bf16 gradients, 4 whole: 426 bytes more), when the restore budget is measured against
 * the weights alone (the same and 1 whole: 22 to 29 % more), and when no chunk is taken off ghosts (saves ten steps apart, bf16
 * gradients, stay at 47 %).
 */
import { expect, test } from 'vitest';
import { keep, MemoryStorage, type StateValue } from '../../src/index.js';
import { AdamRun } from '../engine/adam-run.js';
import { bytesIn, makeStore } from '../engine/make-store.js';

const SAVES = 50;

interface Run {
  stepsApart: number;
  bf16Gradients: boolean;
  /** Checkpoints that stay whole. */
  whole: number;
}

interface Sizes {
  before: number;
  after: number;
}

/** Saves a run, drops the moments of old checkpoints, and checks that all weights come back. */
async function dropMoments({ stepsApart, bf16Gradients, whole }: Run): Promise<Sizes> {
  const storage = new MemoryStorage();
  const { store } = await makeStore(storage, { chunkElements: 8192 });
  const run = store.run('r');
  const training = new AdamRun({ elements: 8192, bf16Gradients });
  const states: { [key: string]: StateValue }[] = [];
  for (let save = 0; save < SAVES; save++) {
    const state = training.advance(stepsApart).state() as { [key: string]: StateValue };
    states.push(state);
    await (await run.save(state)).committed;
  }
  const before = await bytesIn(storage);
  await store.forget({ run: 'r', keep: [keep.last(whole), keep.groups(['model']).last(SAVES)] });
  await store.compact();
  await store.gc();
  const after = await bytesIn(storage);
  for (const [save, { model }] of states.entries()) {
    const back = await run.restore(`latest~${SAVES - 1 - save}`, { groups: ['model'] });
    expect(back).toMatchObject({ model });
  }
  expect(await run.restore(`latest~${whole - 1}`)).toEqual(states[SAVES - whole]);
  expect((await store.check({ readData: 100 })).damaged).toEqual([]);
  return { before, after };
}

test.each([
  { stepsApart: 10, bf16Gradients: false, whole: 1 },
  { stepsApart: 10, bf16Gradients: true, whole: 3 },
])('50 saves $stepsApart steps apart, of which $whole keep their moments, take at most 40 %', async (run) => {
  const { before, after } = await dropMoments(run);
  expect(after / before).toBeLessThan(0.4);
});

test.each([
  { stepsApart: 1, bf16Gradients: false, whole: 1 },
  { stepsApart: 1, bf16Gradients: true, whole: 1 },
  { stepsApart: 1, bf16Gradients: true, whole: 4 },
])(
  '50 saves of every step never take more, with bf16 gradients: $bf16Gradients, whole: $whole',
  async (run) => {
    const { before, after } = await dropMoments(run);
    expect(after).toBeLessThanOrEqual(before);
  },
);
