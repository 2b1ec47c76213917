/** What is captured of a training. The real library: test/interop/tfjs.interop.ts. */
import { describe, expect, test } from 'vitest';
import { captureState, captureStateAsync } from '../../src/tfjs/index.js';
import { alive, FakeAdam, FakeOptimizer, FakeTensor, layer, model, variable } from './fake-tfjs.js';

const kernel = (values: number[]) => model([layer('hidden', { kernel: values })]);

function trained(steps = 3) {
  const network = kernel([1, 2]);
  const optimizer = new FakeAdam();
  const step = () => optimizer.step([[network.weights[0].value, Float32Array.of(0.1, -0.2)]]);
  for (let count = 0; count < steps; count++) step();
  return { model: network, optimizer, step };
}

describe('captureState', () => {
  test('takes weights, moments, running powers, settings and the order of the variables', () => {
    const { model: network, optimizer } = trained();
    const {
      accBeta1,
      accBeta2,
      accumulatedFirstMoment: [first],
      accumulatedSecondMoment: [second],
    } = optimizer;
    expect(captureState({ model: network, optimizer })).toEqual({
      model: { 'hidden/kernel': { dtype: 'f32', shape: [2], data: network.weights[0].value.values } },
      optimizer: {
        className: 'Adam',
        config: { learningRate: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-7 },
        iterations: 3,
        parameters: ['hidden/kernel'],
        accBeta1: accBeta1.values[0],
        accBeta2: accBeta2.values[0],
        state: {
          'hidden/kernel': {
            m: { dtype: 'f32', shape: [2], data: first.variable.values },
            v: { dtype: 'f32', shape: [2], data: second.variable.values },
          },
        },
      },
    });
  });

  test('takes the running powers as they are, which are not powers', () => {
    const { model: network, optimizer } = trained(30);
    const { accBeta1 } = captureState({ model: network, optimizer }).optimizer as { accBeta1: number };
    expect(accBeta1).not.toBe(Math.fround(0.9 ** 31));
    expect(accBeta1).toBeCloseTo(0.9 ** 31, 7);
  });

  test('copies: the arrays of the backend may change afterwards', () => {
    const { model: network, optimizer } = trained();
    const state = captureState({ model: network, optimizer });
    const before = structuredClone(state);
    for (const { values } of alive) values.fill(7);
    expect(state).toEqual(before);
  });

  test('makes no tensors', () => {
    const { model: network, optimizer } = trained();
    const before = alive.size;
    captureState({ model: network, optimizer });
    expect(alive.size).toBe(before);
  });

  test('takes the optimizer of a compiled model, unless it is left out', () => {
    const { model: network, optimizer } = trained();
    const compiled = { ...network, optimizer };
    expect(captureState({ model: compiled }).optimizer).toMatchObject({ className: 'Adam' });
    expect(captureState({ model: compiled, optimizer: null })).not.toHaveProperty('optimizer');
  });

  test('knows variables that TensorFlow.js loaded under the names of another process', () => {
    const { model: network, optimizer } = trained();
    for (const kept of [...optimizer.accumulatedFirstMoment, ...optimizer.accumulatedSecondMoment])
      kept.originalName = kept.originalName.replace(network.weights[0].name, 'hidden/kernel');
    expect(captureState({ model: network, optimizer }).optimizer).toMatchObject({
      parameters: ['hidden/kernel'],
    });
  });

  test('keeps int32 and bool variables, NaN payloads and negative zeros', () => {
    const bits = new Float32Array(Uint32Array.of(0x7fc00001, 0x80000000, 1).buffer);
    const variables = {
      bits: variable('b', bits, [3, 1]),
      count: variable('c', Int32Array.of(-5), []),
      mask: variable('k', Uint8Array.of(1, 0)),
    };
    const { model: tensors } = captureState({ variables });
    expect(tensors).toMatchObject({
      bits: { shape: [3, 1] },
      count: { dtype: 'i32', shape: [] },
      mask: { dtype: 'bool' },
    });
    expect(new Uint32Array((tensors.bits.data as Float32Array).buffer)).toEqual(new Uint32Array(bits.buffer));
  });

  test.each([
    ['Momentum', { accumulations: 'momentum' }],
    ['Adagrad', { accumulatedGrads: 'accumulator' }],
    ['Adadelta', { accumulatedGrads: 'accum_grad', accumulatedUpdates: 'accum_var' }],
    [
      'RMSProp',
      { accumulatedMeanSquares: 'rms', accumulatedMoments: 'momentum', accumulatedMeanGrads: 'mg' },
    ],
  ])('finds what %s keeps', (className, fields) => {
    const weight = variable('w', [1]);
    const kept = Object.entries(fields).map(([field, suffix], at) => {
      return [field, [{ originalName: `${weight.name}/${suffix}`, variable: variable('kept', [at + 2]) }]];
    });
    const optimizer = new FakeOptimizer(className, { learningRate: 0.1 }, Object.fromEntries(kept));
    const state = captureState({ variables: { w: weight }, optimizer }).optimizer;
    for (const [at, name] of Object.values(fields).entries())
      expect(state).toMatchObject({ state: { w: { [name]: { data: Float32Array.of(at + 2) } } } });
  });
});

describe('captureStateAsync', () => {
  test('gives the state of the call, whatever is trained meanwhile', async () => {
    const { model: network, optimizer, step } = trained();
    const expected = captureState({ model: network, optimizer });
    const captured = captureStateAsync({ model: network, optimizer });
    step();
    optimizer.learningRate = 5;
    expect(await captured).toEqual(expected);
    expect(captureState({ model: network, optimizer })).not.toEqual(expected);
  });
});

describe('what cannot be captured is refused by name', () => {
  test('optimizers of other classes', () => {
    const optimizer = new FakeOptimizer('Lion', {});
    expect(() => captureState({ optimizer })).toThrow(
      expect.objectContaining({ kind: 'unsupported', message: expect.stringContaining('Lion') }),
    );
  });

  test('optimizers without the fields of this version', () => {
    const optimizer = new FakeOptimizer('Momentum', {}, { accumulated: [] });
    expect(() => captureState({ optimizer })).toThrow(
      expect.objectContaining({ kind: 'unsupported', message: expect.stringContaining('accumulations') }),
    );
  });

  test('an optimizer that trains something else, too', () => {
    const { model: network, optimizer } = trained();
    optimizer.accumulatedSecondMoment[0].originalName = 'elsewhere/v';
    expect(() => captureState({ model: network, optimizer })).toThrow(
      expect.objectContaining({ kind: 'invalid', object: 'elsewhere' }),
    );
  });

  test('models that are no layers models', () => {
    expect(() => captureState({ model: { predict: () => 1 } as never })).toThrow(
      expect.objectContaining({ kind: 'invalid', object: 'model' }),
    );
  });

  test('complex variables, and tensors that are no variables', () => {
    const complex = Object.assign(variable('z', [1]), { dtype: 'complex64' });
    expect(() => captureState({ variables: { z: complex } })).toThrow(
      expect.objectContaining({ kind: 'unsupported', object: 'z' }),
    );
    const plain = new FakeTensor(Float32Array.of(1), [1]);
    expect(() => captureState({ variables: { t: plain as never } })).toThrow(
      expect.objectContaining({ kind: 'invalid', object: 't' }),
    );
  });
});
