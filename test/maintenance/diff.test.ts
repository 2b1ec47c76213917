import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { Elements, type ElementValue } from '../../src/cli/elements.js';
import {
  type Difference,
  type DiffOptions,
  type DType,
  MemoryStorage,
  type StateValue,
  type TensorDifference,
} from '../../src/index.js';
import { createStore } from '../../src/lifecycle/store.js';
import { DTYPES, dtypeInfo } from '../../src/tensor/index.js';
import { makeStore, openAgain } from '../engine/make-store.js';
import { randomNumbers } from '../engine/training-state.js';
import { HookedStorage } from './hooked-storage.js';

async function differenceOf(before: StateValue, after: StateValue): Promise<Difference> {
  const { store } = await makeStore();
  await (await store.run('r').save(before)).committed;
  await (await store.run('r').save(after)).committed;
  return store.diff('r~1', 'r');
}

async function tensorDifference(
  dtype: DType,
  before: ArrayBufferView,
  after: ArrayBufferView,
): Promise<TensorDifference> {
  const elements = dtype === 'c64' ? before.byteLength / 8 : (before as Uint8Array).length;
  const tensor = (data: ArrayBufferView): StateValue => ({
    model: { t: { dtype, shape: [elements], data } },
  });
  return (await differenceOf(tensor(before), tensor(after))).tensors[0];
}

describe('values', () => {
  test.each<[DType, ArrayBufferView, ArrayBufferView, number, number | null]>([
    ['f32', Float32Array.of(1, 2, 3), Float32Array.of(1, 2.5, 2), 2, 1],
    ['f64', Float64Array.of(0, 1e300), Float64Array.of(-0, 1e300), 1, 0],
    ['f32', Float32Array.of(Number.NaN, 1), Float32Array.of(5, 1.25), 2, 0.25],
    ['f32', Float32Array.of(Number.POSITIVE_INFINITY), Float32Array.of(0), 1, Number.POSITIVE_INFINITY],
    ['f16', Uint16Array.of(0x3c00, 0x0001), Uint16Array.of(0x4000, 0x0001), 1, 1],
    ['f16', Uint16Array.of(0x0001), Uint16Array.of(0x8001), 1, 2 ** -23],
    ['bf16', Uint16Array.of(0x3f80, 0x7fc0), Uint16Array.of(0xbf80, 0x7fc1), 2, 2],
    ['f8e4m3', Uint8Array.of(0x7e, 0x7f), Uint8Array.of(0x00, 0x00), 2, 448],
    ['f8e5m2', Uint8Array.of(0x7b), Uint8Array.of(0x00), 1, 57344],
    ['i8', Int8Array.of(-128, 5), Int8Array.of(127, 5), 1, 255],
    ['u8', Uint8Array.of(0), Uint8Array.of(255), 1, 255],
    ['i16', Int16Array.of(-1), Int16Array.of(1), 1, 2],
    ['u16', Uint16Array.of(0), Uint16Array.of(65535), 1, 65535],
    ['i32', Int32Array.of(-(2 ** 31)), Int32Array.of(2 ** 31 - 1), 1, 2 ** 32 - 1],
    ['u32', Uint32Array.of(0), Uint32Array.of(7), 1, 7],
    ['i64', BigInt64Array.of(-1n, 3n), BigInt64Array.of(1n, 3n), 1, 2],
    ['u64', BigUint64Array.of(2n ** 63n), BigUint64Array.of(2n ** 63n + 1n), 1, 1],
    ['bool', Uint8Array.of(0, 1), Uint8Array.of(1, 1), 1, null],
    ['bytes', Uint8Array.of(1), Uint8Array.of(2), 1, null],
    ['c64', Float32Array.of(1, 2), Float32Array.of(1, 3), 1, 1],
  ])('%s', async (dtype, before, after, changedElements, maxAbs) => {
    expect(await tensorDifference(dtype, before, after)).toMatchObject({
      change: 'changed',
      changedElements,
      maxAbs,
    });
  });

  test('large tensors are compared chunk by chunk to the last element', async () => {
    const next = randomNumbers(3);
    const before = Float32Array.from({ length: 5000 }, next);
    const after = before.slice();
    for (const index of [0, 1023, 1024, 4999]) after[index] += 1;
    const found = await tensorDifference('f32', before, after);
    expect(found).toMatchObject({ elements: 5000, changedElements: 4 });
    expect(found.maxAbs).toBeCloseTo(1, 5);
  });

  test('equal tensors are equal although packed with others at another place', async () => {
    const t = Float32Array.of(1, 2, 3);
    const { tensors } = await differenceOf({ model: { t } }, { model: { a: Float32Array.of(9), t } });
    expect(
      tensors.map(({ name, change, changedElements, maxAbs }) => [name, change, changedElements, maxAbs]),
    ).toEqual([
      ['model.a', 'added', null, null],
      ['model.t', 'equal', 0, 0],
    ]);
  });
});

test('a tensor that moved inside an equal chunk is compared by value', async () => {
  const [x, y] = [Float32Array.of(1, 2), Float32Array.of(3, 5)];
  const { tensors } = await differenceOf({ model: { a: x, t: y } }, { model: { t: x, z: y } });
  expect(tensors).toMatchObject([
    { name: 'model.t', change: 'changed', changedElements: 2, maxAbs: 3 },
    { name: 'model.z', change: 'added' },
    { name: 'model.a', change: 'removed' },
  ]);
});

test('no chunk that both have is read', async () => {
  const storage = new MemoryStorage();
  const { store } = await makeStore(storage);
  const next = randomNumbers(4);
  const weight = Float32Array.from({ length: 8 * 1024 }, next);
  const changed = weight.slice();
  changed[5000] = 2;
  for (const t of [weight, changed]) await (await store.run('r').save({ model: { t } })).committed;
  let reads = 0;
  const counting = new HookedStorage(storage, async ({ method, key }) => {
    reads += method === 'get' && key.startsWith('packs/') ? 1 : 0;
  });
  const { tensors } = await (await openAgain(counting)).diff('r~1', 'r');
  expect(tensors).toMatchObject([{ changedElements: 1 }]);
  // Three footers, which are the indexes of the two, and at most three records.
  expect(reads).toBeLessThanOrEqual(6);
});

test('tensors come in the order of the newer checkpoint, removed ones last', async () => {
  const { tensors } = await differenceOf(
    {
      model: {
        gone: Float32Array.of(1),
        kept: Float32Array.of(1),
        shape: Float32Array.of(1),
        dtype: Float32Array.of(1),
      },
    },
    {
      model: {
        fresh: Int8Array.of(1, 2),
        dtype: Int32Array.of(1),
        shape: Float32Array.of(1, 2),
        kept: Float32Array.of(1),
      },
    },
  );
  expect(tensors).toMatchObject([
    {
      name: 'model.fresh',
      change: 'added',
      dtype: [null, 'i8'],
      shape: [null, [2]],
      elements: 2,
      changedElements: null,
    },
    { name: 'model.dtype', change: 'changed', dtype: ['f32', 'i32'], changedElements: null, maxAbs: null },
    { name: 'model.shape', change: 'changed', shape: [[1], [2]], elements: 2, changedElements: null },
    { name: 'model.kept', change: 'equal', changedElements: 0, maxAbs: 0 },
    { name: 'model.gone', change: 'removed', dtype: ['f32', null], shape: [[1], null], elements: 1 },
  ]);
});

test('empty tensors and scalars are compared like all others', async () => {
  const state = (value: number): StateValue => ({
    model: {
      empty: new Float32Array(0),
      scalar: { dtype: 'f32', shape: [], data: Float32Array.of(value) },
    },
  });
  const { tensors } = await differenceOf(state(1), state(3));
  expect(tensors).toMatchObject([
    { name: 'model.empty', change: 'equal', elements: 0, changedElements: 0 },
    { name: 'model.scalar', change: 'changed', elements: 1, changedElements: 1, maxAbs: 2 },
  ]);
});

/** Values of a dtype from random bits, with NaN, infinities and -0 among them. */
function randomBytes(dtype: DType, elements: number, next: () => number): Uint8Array {
  const bytes = Uint8Array.from({ length: elements * dtypeInfo(dtype).bytes }, () => 256 * next());
  return dtype === 'bool' ? bytes.map((byte) => byte & 1) : bytes;
}

/** The same figures, by the plainest loop over decoded elements. */
function plainly(dtype: DType, a: Uint8Array, b: Uint8Array) {
  const [before, after] = [new Elements(dtype, a), new Elements(dtype, b)];
  const figures = { changedElements: 0, maxAbs: 0, newNan: 0, newInfinite: 0 };
  let [squares, squaresBefore] = [0, 0];
  const partsOf = (value: ElementValue): (number | bigint)[] =>
    typeof value === 'object' ? [...value] : [typeof value === 'boolean' ? Number(value) : value];
  const isNan = (parts: (number | bigint)[]): boolean => parts.some(Number.isNaN);
  const isInfinite = (parts: (number | bigint)[]): boolean =>
    !isNan(parts) && parts.some((part) => Math.abs(Number(part)) === Number.POSITIVE_INFINITY);
  for (let at = 0; at < before.count; at++) {
    const [x, y] = [partsOf(before.value(at)), partsOf(after.value(at))];
    const bytes = dtypeInfo(dtype).bytes;
    const bits = (side: Uint8Array): string => String(side.subarray(at * bytes, (at + 1) * bytes));
    for (const part of x.map(Number)) squaresBefore += Number.isFinite(part * part) ? part * part : 0;
    if (bits(a) === bits(b)) continue;
    figures.changedElements++;
    if (isNan(y) && !isNan(x)) figures.newNan++;
    if (isInfinite(y) && !isInfinite(x)) figures.newInfinite++;
    const parts = x.map((part, at) =>
      typeof part === 'bigint' ? Number((y[at] as bigint) - part) : (y[at] as number) - part,
    );
    if (isNan(parts)) continue;
    squares += Math.hypot(...parts) ** 2;
    figures.maxAbs = Math.max(figures.maxAbs, Math.hypot(...parts));
  }
  return { figures, l2: Math.sqrt(squares), l2Before: Math.sqrt(squaresBefore) };
}

function isNear(a: number | null | undefined, b: number): boolean {
  return a === b || Math.abs(Number(a) / b - 1) < 1e-9;
}

describe('figures are those of a plain loop over the elements', () => {
  test.each(DTYPES.filter((dtype) => dtype !== 'bytes' && dtype !== 'bool'))('%s', async (dtype) => {
    const next = randomNumbers(11);
    const elements = 9000;
    const width = dtypeInfo(dtype).bytes;
    const a = randomBytes(dtype, elements, next);
    const b = a.slice();
    const fresh = randomBytes(dtype, elements, next);
    // The first chunk stays, the others change in every third element.
    for (let at = 1024 + 5; at < elements; at += 3)
      b.set(fresh.subarray(at * width, (at + 1) * width), at * width);
    const state = (data: Uint8Array): StateValue => ({
      model: { t: { dtype, shape: [elements], data }, tied: { dtype, shape: [elements], data } },
    });
    const { store } = await makeStore();
    for (const data of [a, b]) await (await store.run('r').save(state(data))).committed;
    const { figures, l2, l2Before } = plainly(dtype, a, b);
    const { tensors } = await store.diff('r~1', 'r', { norms: true });
    expect(tensors).toMatchObject([figures, figures]);
    expect(isNear(tensors[0].l2, l2)).toBe(true);
    expect(isNear(tensors[0].l2Before, l2Before)).toBe(true);
    expect(tensors[1]).toEqual({ ...tensors[0], name: 'model.tied' });
    // Without norms the rest is the same, to the bit.
    const [{ l2Before: _, ...rest }] = tensors;
    expect((await store.diff('r~1', 'r')).tensors[0]).toEqual(rest);
  });
});

test('elements that become NaN or infinite are counted, those that were before are not', async () => {
  const [nan, inf] = [Number.NaN, Number.POSITIVE_INFINITY];
  const found = await tensorDifference(
    'f32',
    Float32Array.of(1, nan, inf, 2, inf, 3, 4),
    Float32Array.of(nan, nan, nan, inf, -inf, -inf, 7),
  );
  expect(found).toMatchObject({ newNan: 2, newInfinite: 2, changedElements: 6, maxAbs: inf, l2: inf });
});

test('only the tensors of a group, or those that match a glob', async () => {
  const state = (value: number): StateValue => ({
    model: { w: Float32Array.of(value), v: Float32Array.of(1) },
    optimizer: { w: Float32Array.of(value) },
  });
  const { store } = await makeStore();
  for (const value of [1, 2]) await (await store.run('r').save(state(value))).committed;
  const names = async (options: DiffOptions): Promise<string[]> =>
    (await store.diff('r~1', 'r', options)).tensors.map(({ name }) => name);
  expect(await names({ groups: ['optimizer'] })).toEqual(['optimizer.w']);
  expect(await names({ tensors: '*.w' })).toEqual(['model.w', 'optimizer.w']);
  expect(await names({ tensors: 'model.?', groups: ['model'] })).toEqual(['model.w', 'model.v']);
});

test('plain data is compared by path, and what is on record', async () => {
  const { plain } = await differenceOf(
    { progress: { step: 1 }, metrics: { loss: 2 }, config: { lr: 0.1, layers: ['a', 'b'], old: null } },
    { progress: { step: 2 }, metrics: { loss: 2 }, config: { lr: 0.2, layers: ['a', 'b', 'c'], seed: 7n } },
  );
  expect(plain).toEqual([
    { path: 'progress.step', change: 'changed', before: 1, after: 2 },
    { path: 'config.lr', change: 'changed', before: 0.1, after: 0.2 },
    { path: 'config.layers.2', change: 'added', before: null, after: 'c' },
    { path: 'config.seed', change: 'added', before: null, after: 7n },
    { path: 'config.old', change: 'removed', before: null, after: null },
  ]);
});

test('a transposed, a strided and an expanded tensor of a torch file are compared by value', async () => {
  const path = new URL('../../fixtures/torch/views.pth', import.meta.url);
  const { store } = await makeStore();
  await store.saveFiles([fileURLToPath(path)], { run: 'r' });
  const shown = await store.show('r');
  const state: { [name: string]: StateValue } = {};
  for (const { name } of shown.tensors) {
    const { dtype, shape, data } = await store.readTensor('r', name);
    data[0] ^= 1;
    state[name] = { dtype, shape, data };
  }
  await (await store.run('s').save(state)).committed;
  const { tensors } = await store.diff('r', 's');
  expect(tensors.length).toBe(shown.tensors.length);
  expect(tensors.map(({ changedElements }) => changedElements)).toEqual(tensors.map(() => 1));
  expect((await store.diff('r', 'r')).tensors.every(({ change }) => change === 'equal')).toBe(true);
});

test('files are compared by path and content', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'thetalog-diff-'));
  try {
    const { store } = await makeStore();
    const write = (name: string, text: string): Promise<void> => writeFile(join(folder, name), text);
    for (const name of ['same', 'other', 'gone']) await write(name, `content of ${name}`);
    await store.saveFiles([folder], { run: 'r' });
    await write('other', 'content of OTHER');
    await write('fresh', '');
    await rm(join(folder, 'gone'));
    await store.saveFiles([folder], { run: 'r' });
    const { files, a, b } = await store.diff('r~1', 'r');
    expect(files.map(({ path, change }) => [path.split('/').at(-1), change])).toEqual([
      ['fresh', 'added'],
      ['other', 'changed'],
      ['same', 'equal'],
      ['gone', 'removed'],
    ]);
    expect([a, b]).toEqual((await store.list()).map(({ id }) => id));
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('progress ends at the bytes of the tensors that both have, and an abort ends the comparison', async () => {
  const { store } = await makeStore();
  await (await store.run('r').save({ model: { t: new Float32Array(3000), a: Int8Array.of(1) } })).committed;
  await (await store.run('r').save({ model: { t: new Float32Array(3000).fill(1) } })).committed;
  const seen: number[] = [];
  await store.diff('r~1', 'r', {
    onProgress: ({ phase, bytesRead, bytesTotal }) => {
      expect([phase, bytesTotal]).toEqual(['diff', 12_000]);
      seen.push(bytesRead);
    },
  });
  expect(seen.at(-1)).toBe(12_000);
  await expect(store.diff('r~1', 'r', { signal: AbortSignal.abort() })).rejects.toMatchObject({
    kind: 'aborted',
  });
});

/** Seen to fail when the segments of both sides are joined, whatever of them is needed. */
test('an encoding that only the segments of one side list, in a pack that is gone, is not read', async () => {
  const large = await createStore(new MemoryStorage());
  const numbers = (seed: number, count: number): Uint32Array => {
    const next = randomNumbers(seed);
    return new Uint32Array(count).map(() => next() * 2 ** 32);
  };
  const run = large.run('r');
  // More than a pack holds, so that the weights are in another one.
  const moments = numbers(1, 9 * 2 ** 20);
  const near = moments.map((value, at) => (at % 64 === 0 ? value ^ 1 : value));
  const save = async (x: Uint32Array, y?: Uint32Array): Promise<void> => {
    await (await run.save({ ...(y && { optimizer: { y } }), model: { x } })).committed;
  };
  await save(new Uint32Array(moments.length), moments);
  await large.forget({ refs: ['r'], keepGroups: ['model'] });
  await large.gc();
  await save(near);
  await save(moments);
  const { tensors } = await large.diff('r@latest~2', 'r');
  expect(tensors.map(({ name, change }) => [name, change])).toEqual([['model.x', 'changed']]);
  await large.close();
});
