import { describe, expect, test } from 'vitest';
import { MemoryStorage, type StateValue } from '../../src/index.js';
import { bytesIn, makeStore, sizesOf, type TestStore } from './make-store.js';
import { randomNumbers, trainingState } from './training-state.js';

/** A chain as long as the restore budget allows, and a bit more. */
const SAVES = 12;

/** Remembers which parts of packs were read. */
class RangeLog extends MemoryStorage {
  readonly ranges: { key: string; offset: number; length: number }[] = [];

  override get(key: string, range?: { offset: number; length: number }): Promise<Uint8Array | undefined> {
    if (range !== undefined && key.startsWith('packs/')) this.ranges.push({ key, ...range });
    return super.get(key, range);
  }
}

async function save({ store }: TestStore, state: StateValue, run = 'r'): Promise<number> {
  return (await (await store.run(run).save(state)).committed).storedBytes;
}

function packsIn(sizes: ReadonlyMap<string, number>): number {
  return [...sizes].filter(([key]) => key.startsWith('packs/')).reduce((sum, [, size]) => sum + size, 0);
}

function noise(length: number, seed: number): Float32Array {
  const next = randomNumbers(seed);
  return Float32Array.from({ length }, () => next() - 0.5);
}

test('a chain grows to the restore budget, then starts again, and every checkpoint of it comes back exactly', async () => {
  const made = await makeStore();
  for (let step = 0; step < SAVES; step++) await save(made, trainingState(step));
  const heights = (await made.store.list()).map(({ height }) => height);
  expect(heights).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3]);
  for (let step = 0; step < SAVES; step++)
    expect(await made.store.run('r').restore(`step:${step}`)).toEqual(trainingState(step));
  expect((await made.store.check({ readData: 100 })).damaged).toEqual([]);
});

test('a restore through a chain reads no byte of a pack twice', async () => {
  const storage = new RangeLog();
  const made = await makeStore(storage);
  for (let step = 0; step < 5; step++) await save(made, trainingState(step));
  storage.ranges.length = 0;
  expect(await made.store.run('r').restore()).toEqual(trainingState(4));
  const sorted = storage.ranges.sort((a, b) => a.key.localeCompare(b.key) || a.offset - b.offset);
  expect(new Set(sorted.map(({ key }) => key)).size).toBe(5);
  for (const [at, { key, offset, length }] of sorted.entries()) {
    const next = sorted[at + 1];
    if (next?.key === key) expect(next.offset).toBeGreaterThanOrEqual(offset + length);
  }
});

describe('what is there already is not stored again', () => {
  test('the same state adds less than 2 KB, and no pack', async () => {
    const made = await makeStore();
    await save(made, trainingState(5));
    const before = await sizesOf(made.storage);
    const bytesBefore = await bytesIn(made.storage);
    await save(made, trainingState(5));
    expect((await bytesIn(made.storage)) - bytesBefore).toBeLessThan(2048);
    expect(packsIn(await sizesOf(made.storage))).toBe(packsIn(before));
  });

  test('a tensor that did not change costs nothing, one changed chunk costs that chunk', async () => {
    const made = await makeStore();
    const weight = noise(8 * 1024, 3);
    await save(made, { model: { weight } });
    const before = packsIn(await sizesOf(made.storage));
    const changed = weight.slice();
    for (let index = 2048; index < 3072; index++) changed[index] = Math.fround(changed[index] * 1.5);
    await save(made, { model: { weight: changed } });
    expect(packsIn(await sizesOf(made.storage)) - before).toBeLessThan(4096 + 300);
    expect(await made.store.run('r').restore()).toEqual({ model: { weight: changed } });
  });

  test('equal chunks of different tensors are stored once', async () => {
    const made = await makeStore();
    const weight = noise(4 * 1024, 3);
    await save(made, { model: { a: weight, b: weight.slice(), c: weight.slice(1024) } });
    const pack = packsIn(await sizesOf(made.storage));
    expect(pack).toBeGreaterThan(weight.byteLength * 0.7);
    expect(pack).toBeLessThan(weight.byteLength * 1.1);
  });

  test('tied arrays are stored once, name each other, and come back with both names', async () => {
    const made = await makeStore();
    const shared = noise(3000, 4);
    const small = Float32Array.of(1, 2, 3);
    const state = { model: { embed: shared, head: shared, b1: small, b2: small } };
    await save(made, state);
    expect(await made.store.run('r').restore()).toEqual(state);
    const { tensors } = await made.store.show('r');
    expect(tensors.map(({ name, aliases }) => [name, aliases])).toEqual([
      ['model.embed', ['model.head']],
      ['model.head', ['model.embed']],
      ['model.b1', ['model.b2']],
      ['model.b2', ['model.b1']],
    ]);
    expect(packsIn(await sizesOf(made.storage))).toBeLessThan(shared.byteLength * 1.1);
  });

  test('a fork stores nothing, and a save on it deltas against its source', async () => {
    const made = await makeStore();
    await save(made, trainingState(0));
    const before = packsIn(await sizesOf(made.storage));
    await made.store.fork('r', 'f');
    expect(packsIn(await sizesOf(made.storage))).toBe(before);
    await save(made, trainingState(1), 'f');
    const alone = await makeStore();
    await save(alone, trainingState(0));
    await save(alone, trainingState(1));
    expect(packsIn(await sizesOf(made.storage))).toBe(packsIn(await sizesOf(alone.storage)));
    expect(await made.store.run('f').restore()).toEqual(trainingState(1));
  });

  test('a given parent of another run is the base', async () => {
    const made = await makeStore();
    await save(made, trainingState(0));
    const { committed } = await made.store.run('tuned').save(trainingState(0), { parent: 'r' });
    expect((await committed).storedBytes).toBeLessThan(2048);
    const [base] = await made.store.list({ run: 'r' });
    expect(await made.store.list({ run: 'tuned' })).toMatchObject([{ parent: base.id }]);
  });
});

describe('small tensors', () => {
  const many = (step: number): StateValue => ({
    model: Object.fromEntries(
      Array.from({ length: 300 }, (_, index) => [`layer${index}.bias`, noise(10, index * 100 + step)]),
    ),
  });

  test('three hundred of them share a few chunks', async () => {
    const made = await makeStore();
    await save(made, many(0));
    expect((await made.store.stats()).chunks).toBeLessThan(12);
    expect(await made.store.run('r').restore()).toEqual(many(0));
  });

  test('one that is added or taken away leaves all others right', async () => {
    const made = await makeStore();
    const first = many(0) as { model: Record<string, StateValue> };
    const second = {
      model: { ...first.model, extra: Float32Array.of(7), 'layer0.bias': Float32Array.of(1) },
    };
    const { 'layer7.bias': _, ...rest } = first.model;
    for (const state of [first, second, { model: rest }]) await save(made, state);
    expect(await made.store.run('r').restore('latest')).toEqual({ model: rest });
    expect(await made.store.run('r').restore('latest~1')).toEqual(second);
    expect(await made.store.run('r').restore('latest~2')).toEqual(first);
  });
});

describe('a base that does not line up', () => {
  test.each<[string, StateValue, StateValue]>([
    ['another shape', { model: noise(5000, 1) }, { model: noise(6000, 1) }],
    ['another dtype', { model: noise(5000, 1) }, { model: Float64Array.from(noise(5000, 1)) }],
    ['fewer elements', { model: noise(5000, 1) }, { model: noise(2000, 1) }],
    ['other names', { model: { a: noise(5000, 1) } }, { model: { b: noise(5000, 2) } }],
    ['no tensors', { model: noise(5000, 1) }, { nothing: null }],
    ['tensors after none', { nothing: null }, { model: noise(5000, 1) }],
  ])('%s', async (_title, before, after) => {
    const made = await makeStore();
    await save(made, before);
    await save(made, after);
    expect(await made.store.run('r').restore('latest~1')).toEqual(before);
    expect(await made.store.run('r').restore('latest')).toEqual(after);
  });
});

test('many checkpoints of one run: pages merge, order and every state stay', async () => {
  const made = await makeStore();
  for (let step = 0; step < 70; step++)
    await save(made, { model: Float32Array.of(step), progress: { step } });
  const infos = await made.store.list({ run: 'r' });
  expect(infos.map(({ step }) => step)).toEqual(Array.from({ length: 70 }, (_, step) => step));
  for (const step of [0, 7, 8, 63, 64, 69])
    expect(await made.store.run('r').restore(`step:${step}`)).toMatchObject({ model: Float32Array.of(step) });
  expect((await made.store.list({ run: 'r', last: 3 })).map(({ step }) => step)).toEqual([67, 68, 69]);
});

test('the same saves give the same bytes', async () => {
  const contents: Map<string, number>[] = [];
  for (let time = 0; time < 2; time++) {
    const made = await makeStore();
    for (let step = 0; step < 3; step++) await save(made, trainingState(step));
    contents.push(await sizesOf(made.storage));
  }
  expect(contents[0]).toEqual(contents[1]);
});
