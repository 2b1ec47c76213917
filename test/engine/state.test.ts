import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { DType, Run, StateValue, Tensor } from '../../src/index.js';
import { DTYPES, dtypeInfo } from '../../src/tensor/index.js';
import { makeStore } from './make-store.js';
import { randomNumbers, trainingState } from './training-state.js';

async function roundTrip(state: StateValue): Promise<StateValue> {
  const { store } = await makeStore();
  await (await store.run('r').save(state)).committed;
  return store.run('r').restore();
}

function bytesOf(value: StateValue | undefined): number[] {
  const view = (ArrayBuffer.isView(value) ? value : (value as Tensor).data) as Uint8Array;
  return [...new Uint8Array(view.buffer, view.byteOffset, view.byteLength)];
}

function field(value: StateValue, ...path: string[]): StateValue {
  return path.reduce((at, name) => (at as Record<string, StateValue>)[name], value);
}

describe('tensors come back bit for bit', () => {
  test.each(DTYPES.map((dtype) => [dtype]))('%s: every bit pattern, NaN payloads included', async (dtype) => {
    const next = randomNumbers(9);
    const elements = 3000;
    const data = Uint8Array.from({ length: elements * dtypeInfo(dtype).bytes }, () =>
      Math.floor(next() * 256),
    );
    const restored = await roundTrip({ model: { t: { dtype, shape: [3, 1000], data } } });
    const tensor = field(restored, 'model', 't') as Tensor;
    expect([tensor.dtype, tensor.shape]).toEqual([dtype, [3, 1000]]);
    expect(bytesOf(tensor)).toEqual([...data]);
  });

  test('special values of floats', async () => {
    const words = Uint32Array.of(0x80000000, 0x7f800001, 0xffc12345, 0x7f800000, 0xff800000, 1, 0x80000001);
    const restored = await roundTrip({ model: new Float32Array(words.buffer) });
    expect(bytesOf(field(restored, 'model'))).toEqual([...new Uint8Array(words.buffer)]);
  });

  test.each<[string, ArrayBufferView & StateValue]>([
    ['Int8Array', Int8Array.of(-1, 2)],
    ['Uint8Array', Uint8Array.of(1, 2)],
    ['Int16Array', Int16Array.of(-1, 2)],
    ['Uint16Array', Uint16Array.of(1, 2)],
    ['Int32Array', Int32Array.of(-1, 2)],
    ['Uint32Array', Uint32Array.of(1, 2)],
    ['BigInt64Array', BigInt64Array.of(-1n, 2n)],
    ['BigUint64Array', BigUint64Array.of(1n, 2n)],
    ['Float32Array', Float32Array.of(1.5, -0)],
    ['Float64Array', Float64Array.of(1e-310, -0)],
  ])('a bare %s comes back as one', async (_name, array) => {
    expect(await roundTrip({ model: { array } })).toEqual({ model: { array } });
  });

  test.each<[string, DType, number[]]>([
    ['a scalar', 'f32', []],
    ['no elements', 'f64', [0]],
    ['no elements in several dimensions', 'bf16', [4, 0, 3]],
    ['one element', 'i64', [1, 1, 1]],
    ['exactly one chunk', 'f32', [1024]],
    ['one more than a chunk', 'f32', [1025]],
    ['just too small for a stream of its own', 'u8', [4095]],
    ['just large enough for one', 'u8', [4096]],
  ])('%s', async (_title, dtype, shape) => {
    const length = shape.reduce((product, size) => product * size, dtypeInfo(dtype).bytes);
    const data = Uint8Array.from({ length }, (_, index) => index * 37);
    const tensor = field(await roundTrip({ t: { dtype, shape, data } }), 't') as Tensor;
    expect(tensor.shape).toEqual(shape);
    expect(bytesOf(tensor)).toEqual([...data]);
  });

  test('views into the middle of larger buffers', async () => {
    const buffer = Float32Array.from({ length: 100 }, (_, index) => index).buffer;
    const restored = await roundTrip({ a: new Float32Array(buffer, 40, 5), b: new Uint8Array(buffer, 3, 7) });
    expect(restored).toEqual({
      a: Float32Array.of(10, 11, 12, 13, 14),
      b: new Uint8Array(buffer, 3, 7).slice(),
    });
  });
});

describe('plain data comes back as it was', () => {
  test('all kinds, nested', async () => {
    const state = {
      nothing: null,
      flags: [true, false],
      numbers: [0, -0, 1.5, Number.NaN, Number.NEGATIVE_INFINITY, Number.MAX_VALUE, 5e-324],
      integers: [0n, -(2n ** 63n), 2n ** 63n - 1n],
      texts: ['', 'ä€😀', '\0', 'x'.repeat(70_000)],
      deep: [[[{ list: [], map: {} }]]],
    };
    const restored = await roundTrip(state);
    expect(restored).toEqual(state);
    expect(Object.is((field(restored, 'numbers') as number[])[1], -0)).toBe(true);
  });

  test('keys keep their order, and __proto__ is a key like any other', async () => {
    const state = JSON.parse('{"z": 1, "a": 2, "__proto__": {"constructor": 3}, "toString": null}');
    const restored = await roundTrip({ extra: state });
    const extra = field(restored, 'extra') as object;
    expect(Object.keys(extra)).toEqual(['z', 'a', '__proto__', 'toString']);
    expect(JSON.stringify(extra)).toBe(JSON.stringify(state));
    expect(Object.getPrototypeOf(extra)).toBe(Object.prototype);
  });

  test('any state', async () => {
    const leaf = fc.oneof(
      fc.constant(null),
      fc.boolean(),
      fc.double(),
      fc.string({ unit: 'grapheme' }),
      fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
      fc.float32Array({ maxLength: 9 }),
      fc.uint8Array({ maxLength: 9 }),
    );
    const { tree } = fc.letrec<{ tree: StateValue }>((tie) => ({
      tree: fc.oneof(
        { maxDepth: 4 },
        leaf,
        fc.array(tie('tree'), { maxLength: 4 }),
        fc.dictionary(fc.stringMatching(/^[a-z_]{1,9}$/), tie('tree'), { noNullPrototype: true, maxKeys: 4 }),
      ),
    }));
    await fc.assert(
      fc.asyncProperty(tree, async (state) => {
        expect(await roundTrip(state)).toEqual(state);
      }),
      { numRuns: 60 },
    );
  });
});

describe('groups', () => {
  test('top-level keys name them; others are extra', async () => {
    const { store } = await makeStore();
    await (await store.run('r').save({ ...trainingState(1), mine: Float32Array.of(1) })).committed;
    const shown = await store.show('r');
    expect(shown.groups).toEqual(['model', 'optimizer', 'extra']);
    expect(shown.tensors.find(({ name }) => name === 'optimizer.state.0.exp_avg')?.group).toBe('optimizer');
    expect(shown.tensors.find(({ name }) => name === 'mine')?.group).toBe('extra');
  });

  test('restoring some leaves the tensors of the others out and keeps all plain data', async () => {
    const { store } = await makeStore();
    const state = trainingState(1);
    await (await store.run('r').save(state)).committed;
    const restored = await store.run('r').restore('latest', { groups: ['model'] });
    expect(field(restored, 'model')).toEqual(state.model);
    expect(field(restored, 'optimizer')).toEqual({
      state: { 0: { step: 1 } },
      param_groups: state.optimizer.param_groups,
    });
    expect(field(restored, 'progress')).toEqual(state.progress);
  });
});

describe('what cannot be stored is invalid, naming its path', () => {
  const circular: Record<string, unknown> = {};
  circular.self = circular;
  test.each<[string, unknown, RegExp]>([
    ['undefined', { a: { b: undefined } }, /^a\.b$/],
    ['a function', { a: [1, () => 1] }, /^a\.1$/],
    ['a symbol', { s: Symbol('x') }, /^s$/],
    ['a Date', { when: new Date(0) }, /^when$/],
    ['a Map', { m: new Map() }, /^m$/],
    ['an instance of a class', { e: new Error('x') }, /^e$/],
    ['a bigint of 65 bits', { n: 2n ** 63n }, /^n$/],
    ['a lone surrogate', { t: '\ud800' }, /^t$/],
    ['a DataView', { d: new DataView(new ArrayBuffer(4)) }, /^d$/],
    ['a hole in a list', { h: new Array(2) }, /^h\.0$/],
    ['a cycle', circular, /^self\.self/],
    ['a tensor with too few bytes', { t: { dtype: 'f32', shape: [2], data: new Uint8Array(7) } }, /^t$/],
    [
      'a tensor of 65 dimensions',
      { t: { dtype: 'f32', shape: Array(65).fill(1), data: new Uint8Array(4) } },
      /^t$/,
    ],
    ['a tensor whose name is too long', { ['n'.repeat(2 ** 16 + 1)]: Float32Array.of(1) }, /^n{40}…$/],
    ['a tensor with a negative shape', { t: { dtype: 'f32', shape: [-1], data: new Uint8Array(4) } }, /^t$/],
    [
      'two tensors whose paths print alike',
      { 'a.b': Float32Array.of(1), a: { b: Float32Array.of(2) } },
      /^a\.b$/,
    ],
  ])('%s', async (_title, state, object) => {
    const { store } = await makeStore();
    const saving = store.run('r').save(state as StateValue);
    await expect(saving).rejects.toMatchObject({ kind: 'invalid', object: expect.stringMatching(object) });
    await expect(store.list()).resolves.toEqual([]);
  });
});

describe('saving is a snapshot', () => {
  test('the caller may change every tensor as soon as save() has resolved', async () => {
    const { store } = await makeStore();
    const run = store.run('r');
    const weight = Float32Array.from({ length: 5000 }, (_, index) => index);
    const small = Float32Array.of(1, 2, 3);
    const before = { model: { weight: weight.slice(), small: small.slice() } };
    const handle = await run.save({ model: { weight, small } });
    weight.fill(-1);
    small.fill(-1);
    await handle.committed;
    expect(await run.restore()).toEqual(before);
  });

  test('saves of one run commit in the order in which they were begun', async () => {
    const { store } = await makeStore();
    const run = store.run('r');
    const handles = await Promise.all([0, 1, 2, 3].map((step) => run.save(trainingState(step))));
    await Promise.all(handles.map(({ committed }) => committed));
    const infos = await run.list();
    expect(infos.map(({ step }) => step)).toEqual([0, 1, 2, 3]);
    expect(infos.slice(1).map(({ parent }) => parent)).toEqual(infos.slice(0, -1).map(({ id }) => id));
  });

  test('step, epoch and metrics go on record; options win over the state', async () => {
    const { store } = await makeStore();
    const run = store.run('r');
    await (await run.save(trainingState(12))).committed;
    await (
      await run.save(trainingState(13), { step: 99, epoch: 5, metrics: { loss: 0.5 }, meta: { host: 'x' } })
    ).committed;
    expect(await run.list()).toMatchObject([
      { step: 12, epoch: 1, metrics: { loss: 1 / 13 }, label: 'step-12', kind: 'state' },
      { step: 99, epoch: 5, metrics: { loss: 0.5 }, meta: { host: 'x' }, label: 'step-99' },
    ]);
  });

  test.each([
    [{ step: -1 }],
    [{ step: 1.5 }],
    [{ epoch: Number.NaN }],
    [{ metrics: { '': 1 } }],
    [{ meta: JSON.parse('{"__proto__": "x"}') }],
  ])('options %j are invalid', async (options) => {
    const { store } = await makeStore();
    await expect(store.run('r').save(trainingState(1), options)).rejects.toMatchObject({ kind: 'invalid' });
  });
});

/** A state with the same tensors, all zeros. */
function zeros(): Record<string, Record<string, StateValue>> {
  return {
    model: { w: { dtype: 'f32', shape: [2, 300], data: new Float32Array(600) }, b: new Int32Array(5) },
    optimizer: { m: { dtype: 'bf16', shape: [600], data: new DataView(new ArrayBuffer(1200)) } },
  };
}

async function savedState(): Promise<Run> {
  const { store } = await makeStore();
  const run = store.run('r');
  const weights = Float32Array.from({ length: 600 }, (_, at) => Math.sin(at));
  const state = {
    model: { w: { dtype: 'f32', shape: [2, 300], data: weights }, b: Int32Array.of(1, -2, 3, -4, 5) },
    optimizer: {
      m: { dtype: 'bf16', shape: [600], data: Uint16Array.from({ length: 600 }, (_, at) => at * 7) },
    },
    progress: { step: 3 },
  } satisfies StateValue;
  await (await run.save(state)).committed;
  return run;
}

describe('restoring into arrays that are there already', () => {
  test('fills them, and returns them with the plain data of the checkpoint', async () => {
    const run = await savedState();
    const into = zeros();
    const restored = await run.restore('latest', { into });
    const fresh = await run.restore();
    expect(field(restored, 'progress')).toEqual({ step: 3 });
    for (const path of [
      ['model', 'w'],
      ['model', 'b'],
      ['optimizer', 'm'],
    ]) {
      expect(bytesOf(field(into, ...path))).toEqual(bytesOf(field(fresh, ...path)));
    }
    expect((field(restored, 'model', 'w') as Tensor).data).toBe((field(into, 'model', 'w') as Tensor).data);
    expect(field(restored, 'model', 'b')).toBe(field(into, 'model', 'b'));
  });

  test('shared arrays and views of one buffer are filled in place', async () => {
    const run = await savedState();
    const shared = new SharedArrayBuffer(4000);
    const into = {
      model: {
        w: { dtype: 'f32', shape: [2, 300], data: new Float32Array(shared, 40, 600) },
        b: new Int32Array(shared, 2800, 5),
      },
    } satisfies StateValue;
    await run.restore('latest', { into, groups: ['model'] });
    const fresh = await run.restore();
    expect(bytesOf(into.model.w)).toEqual(bytesOf(field(fresh, 'model', 'w')));
    expect([...into.model.b]).toEqual([1, -2, 3, -4, 5]);
    expect([...new Uint8Array(shared, 0, 40), ...new Uint8Array(shared, 2440, 360)]).toEqual(
      Array(400).fill(0),
    );
  });

  test('whatever differs is named, and nothing is written', async () => {
    const run = await savedState();
    const into = zeros();
    into.model.w = { dtype: 'f32', shape: [300, 2], data: new Float32Array(600) };
    into.model.b = new Uint32Array(5);
    into.model.extra = new Uint8Array(1);
    delete into.optimizer.m;
    const error: unknown = await run.restore('latest', { into }).catch((thrown) => thrown);
    expect(error).toMatchObject({ kind: 'conflict', code: 'state-differs', object: 'model.w' });
    expect((error as Error).message.split('\n').slice(1)).toEqual([
      'model.w: is f32 [300, 2] instead of f32 [2, 300]',
      'model.b: is u32 [5] instead of i32 [5]',
      'optimizer.m: is missing',
      'model.extra: is not in the checkpoint',
    ]);
    expect(bytesOf(into.model.w)).toEqual(Array(2400).fill(0));
  });

  test('two tensors of the checkpoint cannot go into the same memory', async () => {
    const run = await savedState();
    const into = zeros();
    const data = new Float32Array(600);
    into.model = { w: { dtype: 'f32', shape: [2, 300], data }, b: new Int32Array(data.buffer, 2380, 5) };
    const error: unknown = await run.restore('latest', { into }).catch((thrown) => thrown);
    expect((error as Error).message).toContain(
      'model.b: shares memory with model.w, which is another tensor',
    );
  });
});
