/** The store in fixtures/store-v1 was written by the first release of format 1. It is never made again. */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openStore, type Store } from '../../src/index.js';

const FIXTURES = join(import.meta.dirname, '../../fixtures');
const scratch = mkdtempSync(join(tmpdir(), 'thetalog-golden-'));
let store: Store;

beforeAll(async () => {
  cpSync(join(FIXTURES, 'store-v1'), join(scratch, 'store'), { recursive: true });
  store = await openStore(join(scratch, 'store'));
});
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

describe('a store of format 1', () => {
  it('is sound in every byte', async () => {
    const { damaged, checkpoints, chunks } = await store.check({ readData: 100 });
    expect(damaged).toEqual([]);
    expect({ checkpoints, chunks }).toEqual({ checkpoints: 13, chunks: 89 });
  });

  it.each([
    ['torch@latest~5', 'torch/step-255.pth'],
    ['torch@latest~4', 'torch/step-256.pth'],
    ['torch@latest~3', 'torch/inserted-front.pth'],
    ['torch@step:10', 'torch/legacy-10.pth'],
    ['torch@latest~1', 'torch/dtypes.pth'],
    ['views', 'torch/views.pth'],
    ['bf16@step:100', 'bf16/step-100.safetensors'],
    ['bf16@step:101', 'bf16/step-101.safetensors'],
    ['bf16-lr2@step:101', 'bf16/step-101.safetensors'],
  ])('%s is %s, byte for byte', async (ref, original) => {
    const out = join(scratch, ref.replace(/\W/g, '-'));
    const { files } = await store.restoreFiles(ref, { out });
    expect(readFileSync(join(out, files[0])).equals(readFileSync(join(FIXTURES, original)))).toBe(true);
  });

  it('gives back opaque bytes', async () => {
    const out = join(scratch, 'opaque');
    await store.restoreFiles('opaque', { out });
    const expected = new Uint8Array(40_000).map((_, index) => (index * index) >>> 7);
    expect(readFileSync(join(out, 'notes.bin')).equals(expected)).toBe(true);
  });

  it.each([1, 2])('gives back the state of step %i', async (step) => {
    const weight = Float32Array.from({ length: 6000 }, (_, index) =>
      Math.fround(Math.sin(index) + step * 1e-4),
    );
    const tensor = { dtype: 'f32', shape: [60, 100], data: weight };
    expect(await store.run('state').restore(`step:${step}`)).toEqual({
      model: { weight: tensor, tied: tensor },
      optimizer: { step: new Int32Array([step]), moments: [new Float64Array([0.5, -0, Number.NaN])] },
      progress: { step, epoch: 0 },
      metrics: { loss: 1 / step },
      config: { name: 'golden', big: 2n ** 60n, none: null, list: [true, 'text', 1.5] },
    });
  });

  it('lists what is on record', async () => {
    const [first, pinned] = await store.list({ run: 'bf16' });
    expect(first).toMatchObject({ step: 100, meta: { host: 'a' }, height: 0, parent: null, pinned: false });
    expect(pinned).toMatchObject({ step: 101, height: 1, parent: first.id, pinned: true });
    expect(await store.list({ run: 'torch' })).toHaveLength(6);
  });

  it('takes another save', async () => {
    const path = join(scratch, 'more.bin');
    writeFileSync(path, 'more');
    const { id } = await store.saveFiles([path], { run: 'opaque' });
    expect((await store.show('opaque')).id).toBe(id);
  });
});
