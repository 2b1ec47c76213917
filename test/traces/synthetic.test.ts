/** Bytes of one save on synthetic changes of known kind: reinforcement learning in bf16, touched embedding rows, noise. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createStore, MemoryStorage, type StateValue } from '../../src/index.js';
import { normals, randomSource, toBf16 } from './laws.js';
import { sparseAdamStep } from './sparse-adam.js';

async function increment(base: StateValue, next: StateValue): Promise<number> {
  const storage = new MemoryStorage();
  const store = await createStore(storage);
  const run = store.run('r');
  await (await run.save(base)).committed;
  const { storedBytes } = await (await run.save(next)).committed;
  return storedBytes;
}

describe('increments of known changes', () => {
  it('bf16 weights of which 1 % changed take at most 7 bits a changed element', async () => {
    const count = 2 ** 21;
    const master = normals(count, 0.02, 1);
    const random = randomSource(2);
    const moved = master.map((value) => value + (random() < 0.5 ? -1 : 1) * 2.2e-7);
    const [before, after] = [toBf16(master), toBf16(Float32Array.from(moved))];
    const changed = before.reduce((sum, value, index) => sum + (value === after[index] ? 0 : 1), 0);
    const tensor = (data: Uint16Array) => ({
      model: { w: { dtype: 'bf16' as const, shape: [count], data } },
    });
    const bits = (8 * (await increment(tensor(before), tensor(after)))) / changed;
    console.log(
      `bf16, ${((100 * changed) / count).toFixed(2)} % changed: ${bits.toFixed(2)} bits a changed element`,
    );
    expect(bits).toBeLessThanOrEqual(7);
  });

  it('an embedding under SparseAdam of which 2.5 % of the rows were touched is stored at 110x or better', async () => {
    const { base, next, bytes } = sparseAdamStep(16_384, 64);
    const ratio = bytes / (await increment(base, next));
    console.log(`embedding rows: ${ratio.toFixed(1)}x`);
    expect(ratio).toBeGreaterThanOrEqual(110);
  });

  it('without settings of the optimizer its rows are stored at 60x or better', async () => {
    const { base, next, bytes } = sparseAdamStep(16_384, 64);
    const bare = ({ model, optimizer }: ReturnType<typeof sparseAdamStep>['base']) => ({
      model,
      extra: { a: optimizer.state[0].exp_avg, b: optimizer.state[0].exp_avg_sq },
    });
    const ratio = bytes / (await increment(bare(base), bare(next)));
    console.log(`embedding rows, unknown optimizer: ${ratio.toFixed(1)}x`);
    expect(ratio).toBeGreaterThanOrEqual(60);
  });

  it('noise never takes more than raw and 16 bytes a chunk, metadata apart', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer(), fc.constantFrom(1, 4095, 4096, 65_537), async (seed, size) => {
        const random = randomSource(seed);
        const noise = Uint8Array.from({ length: size }, () => 256 * random());
        const storage = new MemoryStorage();
        const store = await createStore(storage, { chunkElements: 1024 });
        await (await store.run('r').save({ model: { noise } })).committed;
        const chunks = Math.ceil(size / 1024) + 1;
        const footer = 16 + 24 + 45 * chunks + 16;
        let packs = 0;
        for await (const object of storage.list('packs/')) packs += object.size;
        expect(packs).toBeLessThanOrEqual(size + 16 * chunks + footer + 64);
      }),
      { numRuns: 20 },
    );
  });
});
