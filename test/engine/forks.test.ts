import { expect, test } from 'vitest';
import { AdamRun } from './adam-run.js';
import { bytesIn, makeStore } from './make-store.js';

test('eight forks of one checkpoint take less than 16 KB before they train, and each goes on by itself', async () => {
  const { store, storage } = await makeStore();
  const training = new AdamRun();
  await (await store.run('pretrain').save(training.state())).committed;
  const before = await bytesIn(storage);
  const names = Array.from({ length: 8 }, (_, index) => `lr-${index}`);
  for (const name of names) await store.fork('pretrain', name);
  expect((await bytesIn(storage)) - before).toBeLessThan(16_000);
  for (const name of names) {
    const state = training.advance().state();
    const { committed } = await store.run(name).save(state);
    await committed;
    expect((await store.show(name)).height).toBeGreaterThan(0);
    expect((await store.run(name).verify(state)).equal).toBe(true);
  }
});

test('stages of a pipeline follow one another in one lineage', async () => {
  const { store } = await makeStore();
  const training = new AdamRun();
  const stages = ['pretrain', 'sft', 'rl', 'distill'];
  for (const [index, stage] of stages.entries()) {
    if (index > 0) await store.fork(stages[index - 1], stage);
    await (await store.run(stage).save(training.advance().state())).committed;
  }
  const runs = (await store.log('distill')).map(({ run }) => run);
  expect([...new Set(runs)]).toEqual([...stages].reverse());
});
