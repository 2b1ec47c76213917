/** Bytes of one save on synthetic changes of known kind: reinforcement learning in bf16, touched embedding rows, noise. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createStore, MemoryStorage, type StateValue } from '../../src/index.js';
import { normals, randomSource, toBf16 } from './laws.js';

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

  it('an embedding with Adam moments of which 2.5 % of the rows were touched is stored at 40x or better', async () => {
    const [rows, width] = [16_384, 64];
    const count = rows * width;
    const base = {
      w: normals(count, 0.02, 3),
      m: normals(count, 1e-3, 4),
      v: normals(count, 1e-6, 5).map(Math.abs),
    };
    const next = { w: base.w.slice(), m: base.m.slice(), v: base.v.slice() };
    const random = randomSource(6);
    const gradient = normals(count, 1e-3, 7);
    for (let row = 0; row < rows; row++) {
      if (random() >= 0.025) continue;
      for (let at = row * width; at < (row + 1) * width; at++) {
        next.m[at] = 0.9 * next.m[at] + 0.1 * gradient[at];
        next.v[at] = 0.999 * next.v[at] + 0.001 * gradient[at] ** 2;
        next.w[at] -= (1e-3 * next.m[at]) / (Math.sqrt(next.v[at]) + 1e-8);
      }
    }
    const ratio = (3 * 4 * count) / (await increment({ model: base }, { model: next }));
    console.log(`embedding rows: ${ratio.toFixed(1)}x`);
    expect(ratio).toBeGreaterThanOrEqual(40);
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
