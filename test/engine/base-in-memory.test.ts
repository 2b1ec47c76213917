/** The state that a run saved last stays in memory: what the next save does with it, and that nothing can go wrong by it. */
import { describe, expect, it } from 'vitest';
import { MemoryStorage, type OpenOptions, type StateValue, type Store } from '../../src/index.js';
import { createStore } from '../../src/lifecycle/store.js';
import { CHUNK_ELEMENTS, TestEnvironment } from './make-store.js';
import { trainingState } from './training-state.js';

/** What may follow the footer of a pack. */
const PACK_END_BYTES_MAX = 64;

/** Counts the reads of records: of packs, but not of their footers. */
class CountingStorage extends MemoryStorage {
  packReads = 0;

  override async get(...[key, range]: Parameters<MemoryStorage['get']>): Promise<Uint8Array | undefined> {
    const size = (await super.get(key))?.length ?? 0;
    if (
      key.startsWith('packs/') &&
      range !== undefined &&
      range.offset + range.length < size - PACK_END_BYTES_MAX
    )
      this.packReads += 1;
    return super.get(key, range);
  }
}

async function newStore(options: OpenOptions = {}): Promise<{ storage: CountingStorage; store: Store }> {
  const storage = new CountingStorage();
  const environment = new TestEnvironment();
  const store = await createStore(storage, { chunkElements: CHUNK_ELEMENTS, environment, ...options });
  return { storage, store };
}

async function save(store: Store, state: StateValue, options = {}): Promise<number> {
  const { storedBytes } = await (await store.run('r').save(state, options)).committed;
  return storedBytes;
}

describe('the state saved last', () => {
  it('is what the next save is encoded against, without a look at the store', async () => {
    const { storage, store } = await newStore();
    await save(store, trainingState(1));
    storage.packReads = 0;
    for (let step = 2; step < 6; step++) await save(store, trainingState(step));
    expect(storage.packReads).toBe(0);
    expect(await store.run('r').restore('step:3')).toEqual(trainingState(3));
    expect(await store.run('r').restore()).toEqual(trainingState(5));
  });

  it.each([0, 20_000])('is read from the store as far as it is more than %i bytes', async (baseMemory) => {
    const [kept, read] = [await newStore(), await newStore({ baseMemory })];
    for (let step = 1; step < 5; step++) {
      const bytes = await save(read.store, trainingState(step));
      expect(bytes).toBe(await save(kept.store, trainingState(step)));
    }
    expect(read.storage.packReads).toBeGreaterThan(0);
    expect(await read.store.run('r').restore()).toEqual(trainingState(4));
  });

  it('may be changed by the caller once save has returned', async () => {
    const { store } = await newStore();
    const weights = Float32Array.from({ length: 5000 }, (_, at) => at / 7);
    const expected: Float32Array[] = [];
    const saves: Promise<unknown>[] = [];
    for (let step = 0; step < 6; step++) {
      weights.subarray(step * 700, step * 700 + 300).fill(step);
      expected.push(weights.slice());
      saves.push((await store.run('r').save({ weights, progress: { step } })).committed);
    }
    weights.fill(-1);
    await Promise.all(saves);
    for (const [step, state] of expected.entries()) {
      expect(await store.run('r').restore(`step:${step}`)).toEqual({ weights: state, progress: { step } });
    }
  });

  it.each([0, 20_000, Number.MAX_SAFE_INTEGER])(
    'takes the place of the one before when saved synchronously, with %i bytes to keep',
    async (baseMemory) => {
      const [staged, direct] = [await newStore({ baseMemory }), await newStore({ baseMemory })];
      for (const step of [1, 2, 3, 3, 4]) {
        const bytes = await save(staged.store, trainingState(step), { step });
        expect(await save(direct.store, trainingState(step), { step, synchronous: true })).toBe(bytes);
      }
      if (baseMemory > 20_000) expect(direct.storage.packReads).toBe(0);
      const aborted = { synchronous: true, signal: AbortSignal.abort() };
      await expect(direct.store.run('r').save(trainingState(5), aborted)).rejects.toMatchObject({
        kind: 'aborted',
      });
      await save(direct.store, trainingState(6), { synchronous: true });
      await save(direct.store, trainingState(7));
      for (const step of [1, 2, 3, 4, 6, 7])
        expect(await direct.store.run('r').restore(`step:${step}`)).toEqual(trainingState(step));
    },
  );

  it('is told apart where the caller has it when nothing of it was kept', async () => {
    const { storage, store } = await newStore({ baseMemory: 0 });
    const weights = Float32Array.from({ length: 5 * CHUNK_ELEMENTS }, (_, at) => at / 7);
    const step = { synchronous: true };
    const first = await save(store, { weights, more: weights.slice() }, step);
    storage.packReads = 0;
    expect(await save(store, { weights, more: weights.slice() }, step)).toBeLessThan(first / 4);
    expect(storage.packReads).toBe(0);
    for (const at of [0, weights.length - 1, CHUNK_ELEMENTS]) {
      weights[at] = -1;
      await save(store, { weights, more: weights.slice() }, step);
      expect(await store.run('r').restore()).toEqual({ weights, more: weights });
    }
  });

  it('does not count where the parent is another checkpoint', async () => {
    const { store } = await newStore();
    for (const step of [1, 2, 3]) await save(store, trainingState(step));
    await save(store, trainingState(4), { parent: 'r@step:1' });
    await save(store, trainingState(3), { parent: 'r@step:2' });
    expect(await store.run('r').restore('step:4')).toEqual(trainingState(4));
    expect(await store.run('r').restore()).toEqual(trainingState(3));
  });

  it('does not count where it was never stored', async () => {
    const { store } = await newStore();
    await save(store, trainingState(1));
    const signal = AbortSignal.abort();
    await expect(save(store, trainingState(2), { signal })).rejects.toMatchObject({ kind: 'aborted' });
    await save(store, trainingState(2));
    await save(store, trainingState(3));
    expect(await store.run('r').restore('step:2')).toEqual(trainingState(2));
    expect(await store.run('r').restore()).toEqual(trainingState(3));
  });

  it('may have had other tensors', async () => {
    const { store } = await newStore();
    const states: StateValue[] = [
      { a: Float32Array.of(...new Array(2000).keys()) },
      { a: Float32Array.of(...new Array(3000).keys()), b: Float64Array.of(1, 2) },
      { a: Float64Array.of(...new Array(3000).keys()) },
      {},
      { a: Float32Array.of(...new Array(2000).keys()) },
    ];
    for (const [step, state] of states.entries()) await save(store, state, { step });
    for (const [step, state] of states.entries())
      expect(await store.run('r').restore(`step:${step}`)).toEqual(state);
  });
});
