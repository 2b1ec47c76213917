import { describe, expect, it } from 'vitest';
import { createStore, MemoryStorage, openStore } from '../../src/index.js';
import { FaultyStorage } from '../contract/faulty-storage.js';

describe('creating a store', () => {
  it.each(['before', 'after'] as const)(
    'that was cut off %s any of its writes can be done again, and the store then works',
    async (when) => {
      const counting = new FaultyStorage(new MemoryStorage());
      await createStore(counting);
      for (let at = 1; at <= counting.calls.length; at++) {
        const storage = new MemoryStorage();
        await expect(createStore(new FaultyStorage(storage, { at, when }))).rejects.toThrow();
        const store = await createStore(storage).catch(() => openStore(storage));
        await (await store.run('r').save({ progress: { step: 1 } })).committed;
        expect(await store.list()).toHaveLength(1);
      }
    },
  );

  it('refuses a place that has one', async () => {
    const storage = new MemoryStorage();
    await createStore(storage);
    await expect(createStore(storage)).rejects.toMatchObject({ kind: 'conflict', code: 'store-exists' });
  });

  it('refuses chunk sizes out of bounds', async () => {
    for (const chunkElements of [0, 1023, 1.5, 2 ** 20 + 1, Number.NaN]) {
      await expect(createStore(new MemoryStorage(), { chunkElements })).rejects.toMatchObject({
        kind: 'invalid',
      });
    }
  });
});
