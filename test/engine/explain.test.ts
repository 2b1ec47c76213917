import { describe, expect, test } from 'vitest';
import { MemoryStorage, type SaveResult, type StateValue, type Store } from '../../src/index.js';
import { AdamRun } from './adam-run.js';
import { bytesIn, makeStore, sizesOf } from './make-store.js';
import { trainingState } from './training-state.js';

async function explained(store: Store, state: StateValue): Promise<SaveResult> {
  return (await store.run('r').save(state, { explain: true })).committed;
}

function totalOf({ explain }: SaveResult): number {
  const rows = [...(explain?.groups ?? []).map(({ storedBytes }) => storedBytes)];
  for (const { bytes } of explain?.metadata ?? []) rows.push(bytes);
  return rows.reduce((sum, bytes) => sum + bytes, 0);
}

describe('the explanation of a save', () => {
  test('accounts for every byte that it added, and for every byte that was saved', async () => {
    const storage = new MemoryStorage();
    const { store } = await makeStore(storage);
    for (const step of [0, 1, 1, 2]) {
      const before = await bytesIn(storage);
      const rootBefore = (await sizesOf(storage)).get('root') ?? 0;
      const result = await explained(store, trainingState(step));
      expect(totalOf(result)).toBe(result.storedBytes);
      expect((await bytesIn(storage)) - before + rootBefore).toBe(result.storedBytes);
      const raw = result.explain?.groups.reduce((sum, { rawBytes }) => sum + rawBytes, 0);
      expect(raw).toBe(result.logicalBytes);
    }
  });

  test('names slots, predictors and what the rules were given', async () => {
    const { store } = await makeStore();
    const run = new AdamRun({ elements: 3000 });
    await explained(store, run.state());
    const { explain } = await explained(store, run.advance().state());
    const rows = explain?.groups.map(({ group, slot, predictor }) => [group, slot, predictor]);
    expect(rows).toContainEqual(['model', 'weights', 'adam-weights']);
    expect(rows).toContainEqual(['optimizer', 'exp_avg_sq', 'adam-second-moment']);
    expect(explain?.groups.find(({ slot }) => slot === 'weights')).toMatchObject({
      dtype: 'f32',
      chunks: 3,
      elements: 3000,
      rawBytes: 12_000,
      settings: { lr: 1e-3, beta1: 0.9, beta2: 0.999, eps: 1e-8, weightDecay: 0.1, step: run.step },
    });
  });

  test('tells what the base has from what occurs twice', async () => {
    const { store } = await makeStore();
    const weight = Float32Array.from({ length: 1024 }, (_, at) => Math.sin(at));
    const { explain: first } = await explained(store, { model: { a: weight, b: weight.slice() } });
    expect(first?.groups.map(({ predictor, chunks }) => [predictor, chunks])).toEqual(
      expect.arrayContaining([
        ['none', 1],
        ['repeated', 1],
      ]),
    );
    const { explain: again } = await explained(store, { model: { a: weight, b: weight.slice() } });
    expect(again?.groups.find(({ group }) => group === 'model')).toMatchObject({
      predictor: 'unchanged',
      chunks: 2,
      storedBytes: 0,
      bitsPerElement: 0,
    });
  });

  test('is left out unless it is asked for', async () => {
    const { store } = await makeStore();
    const result = await (await store.run('r').save(trainingState(0))).committed;
    expect(result).not.toHaveProperty('explain');
  });
});
