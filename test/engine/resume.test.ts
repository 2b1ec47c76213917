import { describe, expect, test } from 'vitest';
import type { Run, StateValue, Storage } from '../../src/index.js';
import { makeStore, openAgain, sizesOf } from './make-store.js';

function stateAt(step: number) {
  return {
    model: { w: new Float32Array(5000).fill(step), small: Float32Array.of(step, -0, Number.NaN) },
    optimizer: { m: { dtype: 'f32' as const, shape: [50, 100], data: new Float32Array(5000).fill(-step) } },
    scheduler: { warmup: 10, last: step },
    rng: { words: Uint32Array.of(step, 2) },
    progress: { step, epoch: 0 },
  };
}

async function saveSteps(run: Run, ...steps: number[]): Promise<void> {
  for (const step of steps) await (await run.save(stateAt(step))).committed;
}

/** Flips a byte inside the chunks of every pack that is not known. */
async function damagePacks(storage: Storage, known: ReadonlySet<string>): Promise<void> {
  for (const key of (await sizesOf(storage)).keys()) {
    if (!key.startsWith('packs/') || known.has(key)) continue;
    const bytes = (await storage.get(key)) ?? new Uint8Array();
    bytes[Math.floor(bytes.length / 2)] ^= 1;
    await storage.delete(key);
    await storage.putIfAbsent(key, [bytes]);
  }
}

describe('resume', () => {
  test('a run without checkpoints has nothing to resume', async () => {
    const { store } = await makeStore();
    expect(await store.run('r').resume()).toBeUndefined();
  });

  test('the newest checkpoint comes back, in the arrays that are given', async () => {
    const { store } = await makeStore();
    await saveSteps(store.run('r'), 1, 2);
    const into = stateAt(0);
    const resumed = await store.run('r').resume({ into });
    expect(resumed?.checkpoint.step).toBe(2);
    expect(resumed?.skipped).toEqual([]);
    expect(into.model).toEqual(stateAt(2).model);
    expect(resumed?.state).toMatchObject({ scheduler: { last: 2 }, progress: { step: 2 } });
    expect(resumed?.state).toHaveProperty('model.w', into.model.w);
  });

  test('a damaged newest checkpoint is left out, and it is said why; the next save builds on the sound one', async () => {
    const { store, storage } = await makeStore();
    const run = store.run('r');
    await saveSteps(run, 1);
    const [sound] = await run.list();
    const known = new Set((await sizesOf(storage)).keys());
    await saveSteps(run, 2);
    await damagePacks(storage, known);
    const again = (await openAgain(storage)).run('r');
    const resumed = await again.resume({ into: stateAt(0) });
    expect(resumed?.checkpoint.id).toBe(sound.id);
    expect(resumed?.skipped).toMatchObject([{ step: 2, error: { kind: 'corrupt' } }]);
    await saveSteps(again, 3, 4);
    const [third, fourth] = (await again.list()).slice(-2);
    expect(third).toMatchObject({ step: 3, parent: sound.id });
    expect(fourth).toMatchObject({ step: 4, parent: third.id });
    expect((await again.verify(stateAt(4))).equal).toBe(true);
  });

  test('a checkpoint that was forgotten since is no parent any more', async () => {
    const { store } = await makeStore();
    const run = store.run('r');
    await saveSteps(run, 1, 2);
    await run.resume();
    await store.forget({ refs: ['r@step:2'] });
    await saveSteps(run, 3);
    const [first, last] = await run.list();
    expect(last).toMatchObject({ step: 3, parent: first.id });
  });

  test('all checkpoints damaged: corrupt, naming the object', async () => {
    const { store, storage } = await makeStore();
    await saveSteps(store.run('r'), 1);
    await damagePacks(storage, new Set());
    const again = await openAgain(storage);
    await expect(again.run('r').resume()).rejects.toMatchObject({ code: 'nothing-to-resume' });
  });

  test('a state that differs is refused with each tensor and group, and nothing is written', async () => {
    const { store } = await makeStore();
    await saveSteps(store.run('r'), 1);
    const { scheduler: _, ...rest } = stateAt(0);
    const into = {
      ...rest,
      model: { w: new Float32Array(4999), small: new Float64Array(3), more: new Float32Array(1) },
      loader: { position: 3 },
    };
    await expect(store.run('r').resume({ into })).rejects.toMatchObject({
      kind: 'conflict',
      code: 'state-differs',
      message: [
        'The state to restore into differs from the checkpoint:',
        'scheduler: is missing',
        'loader: is not in the checkpoint',
        'model.w: is f32 [4999] instead of f32 [5000]',
        'model.small: is f64 [3] instead of f32 [3]',
        'model.more: is not in the checkpoint',
      ].join('\n'),
    });
    expect(into.optimizer.m.data[0]).toBe(-0);
  });

  test('groups limit what must agree', async () => {
    const { store } = await makeStore();
    await saveSteps(store.run('r'), 1);
    const { model } = stateAt(0);
    const resumed = await store.run('r').resume({ into: { model }, groups: ['model'] });
    expect(resumed?.checkpoint.step).toBe(1);
    expect(model).toEqual(stateAt(1).model);
  });
});

describe('verify', () => {
  const changed: [string, (state: ReturnType<typeof stateAt>) => StateValue, object[]][] = [
    ['nothing', (state) => state, []],
    [
      'one element',
      (state) => {
        state.model.w[7] = 9;
        return state;
      },
      [{ name: 'model.w', kind: 'elements', message: '1 of 5000 elements differ' }],
    ],
    [
      'the sign of a zero',
      (state) => {
        state.model.small[1] = 0;
        return state;
      },
      [{ name: 'model.small', kind: 'elements', message: '1 of 3 elements differ' }],
    ],
    [
      'a value',
      (state) => ({ ...state, scheduler: { warmup: 10, last: 2 } }),
      [{ name: 'scheduler.last', kind: 'value', message: 'is 2 instead of 1' }],
    ],
    [
      'a group',
      ({ rng, ...state }) => ({ ...state, seed: rng }),
      [
        { name: 'rng.words', kind: 'missing', message: 'is missing' },
        { name: 'seed.words', kind: 'surplus', message: 'is not in the checkpoint' },
      ],
    ],
    [
      'a dtype and a shape',
      (state) => ({
        ...state,
        rng: { words: Int32Array.of(1, 2) },
        optimizer: { m: { dtype: 'f32', shape: [100, 50], data: state.optimizer.m.data } },
      }),
      [
        { name: 'optimizer.m', kind: 'shape', message: 'is [100, 50] instead of [50, 100]' },
        { name: 'rng.words', kind: 'dtype', message: 'is i32 instead of u32' },
      ],
    ],
  ];
  test.each(changed)('%s has changed', async (_name, change, differences) => {
    const { store } = await makeStore();
    await saveSteps(store.run('r'), 1);
    const found = await store.run('r').verify(change(stateAt(1)));
    expect(found).toMatchObject({ step: 1, equal: differences.length === 0 });
    expect(found.differences).toEqual(differences);
  });

  test('groups limit what is compared', async () => {
    const { store } = await makeStore();
    await saveSteps(store.run('r'), 1);
    const { model } = stateAt(1);
    const found = await store.run('r').verify({ model }, 'latest', { groups: ['model'] });
    expect(found).toMatchObject({ equal: true, differences: [], bytes: 20_012 });
  });
});
