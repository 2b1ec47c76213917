/** Names of weights are the same in every process. Real layers: test/interop/tfjs.interop.ts. */
import { describe, expect, test } from 'vitest';
import { captureState } from '../../src/tfjs/index.js';
import { type FakeLayer, layer, model, variable } from './fake-tfjs.js';

const namesOf = (layers: FakeLayer[]) => Object.keys(captureState({ model: model(layers) }).model);
const weights = { kernel: [1], bias: [2] };

describe('layers without a name', () => {
  test('are counted in their model, whatever number TensorFlow.js gave them', () => {
    expect(
      namesOf([
        layer('conv2d_Conv2D7', weights),
        layer('dense_Dense11', weights),
        layer('dense_Dense12', weights),
      ]),
    ).toEqual([
      'conv2d/kernel',
      'conv2d/bias',
      'dense/kernel',
      'dense/bias',
      'dense_1/kernel',
      'dense_1/bias',
    ]);
  });

  test('are not counted if they have no weights', () => {
    const before = namesOf([layer('dense_Dense1', weights), layer('dense_Dense2', weights)]);
    expect(
      namesOf([
        layer('dense_Dense3', weights),
        layer('dropout_Dropout1'),
        layer('dense_Dense5'),
        layer('dense_Dense9', weights),
      ]),
    ).toEqual(before);
  });

  test('are those of classes whose names end in digits, too', () => {
    expect(
      namesOf([layer('block2_Block23', { kernel: [1] }), layer('p_re_lu_PReLU1', { alpha: [1] })]),
    ).toEqual(['block2/kernel', 'p_re_lu/alpha']);
  });

  test('leave alone the names that people gave', () => {
    expect(namesOf([layer('dense_Dense1', { kernel: [1] }), layer('dense', { kernel: [1] })])).toEqual([
      'dense_1/kernel',
      'dense/kernel',
    ]);
  });

  test('inside wrappers have stable names, too', () => {
    const wrapped = layer('bidirectional_Bidirectional3', {
      'forward_lstm_LSTM8/kernel': [1],
      'backward_lstm_LSTM8/kernel': [1],
    });
    expect(namesOf([wrapped])).toEqual([
      'bidirectional/forward_lstm/kernel',
      'bidirectional/backward_lstm/kernel',
    ]);
  });
});

describe('names that were given', () => {
  test('are kept, whatever TensorFlow.js adds to them', () => {
    const first = [layer('hidden', { kernel: [1] }), layer('out_2', { kernel: [1] })];
    const second = [layer('hidden', { kernel: [1] }), layer('out_2', { kernel: [1] })];
    expect(second[0].weights[0].name).toMatch(/^hidden\/kernel_\d+$/);
    expect(namesOf(second)).toEqual(namesOf(first));
    expect(namesOf(first)).toEqual(['hidden/kernel', 'out_2/kernel']);
  });

  test('of variables stand beside those of layers', () => {
    const state = captureState({
      model: model([layer('hidden', { kernel: [1] })]),
      variables: { scale: variable('s', [3]) },
    });
    expect(Object.keys(state.model)).toEqual(['hidden/kernel', 'scale']);
  });

  test('that two variables have are refused', () => {
    const training = {
      model: model([layer('hidden', { kernel: [1] })]),
      variables: { 'hidden/kernel': variable('s', [3]) },
    };
    expect(() => captureState(training)).toThrow(
      expect.objectContaining({ kind: 'invalid', object: 'hidden/kernel' }),
    );
  });
});

describe('a model inside a model', () => {
  const inner = () =>
    model([layer('hidden', { kernel: [1] }), layer('dense_Dense4', { kernel: [2] })], 'sequential_9');

  test('puts its name in front of those of its layers', () => {
    expect(namesOf([layer('dense_Dense3', { kernel: [1] }), inner(), inner()])).toEqual([
      'dense/kernel',
      'sequential/hidden/kernel',
      'sequential/dense/kernel',
      'sequential_1/hidden/kernel',
      'sequential_1/dense/kernel',
    ]);
  });

  test('that is used twice is there once', () => {
    const shared = inner();
    expect(namesOf([shared, shared])).toEqual(['sequential/hidden/kernel', 'sequential/dense/kernel']);
  });

  test('and weights that no layer lists are not forgotten', () => {
    const outer = model([layer('hidden', { kernel: [1] })]);
    outer.weights.push(...layer('temperature_Temperature2', { value: [5] }).weights);
    expect(Object.keys(captureState({ model: outer }).model)).toEqual(['hidden/kernel', 'temperature/value']);
  });
});
