import { describe, expect, test } from 'vitest';
import { parametersOfState } from '../../src/adapters/index.js';
import { flattenState, type ParameterFacts, type StateValue } from '../../src/tensor/index.js';

function f32(...shape: number[]) {
  const count = shape.reduce((product, size) => product * size, 1);
  return { dtype: 'f32' as const, shape, data: new Float32Array(count) };
}

function factsOf(state: StateValue): ParameterFacts[] {
  return parametersOfState(flattenState(state).tensors, state);
}

const model = () => ({ fc: { weight: f32(3, 2), bias: f32(3) }, out: { weight: f32(4, 3) } });
const adam = { lr: 0.1, betas: [0.9, 0.99], eps: 1e-8, weight_decay: 0.01, amsgrad: false, name: 'AdamW' };
const names = ['fc.weight', 'fc.bias', 'out.weight'];

test('names of nothing but dots take no more time than others', () => {
  const path = [...Array(20_000).fill('state'), 'm'];
  const tensors = Array.from({ length: 10 }, (_, at) => {
    return { path: [...path, String(at)], name: `t${at}`, dtype: 'f32' as const, shape: [1] };
  });
  const before = process.cpuUsage();
  parametersOfState(tensors, {});
  const { user, system } = process.cpuUsage(before);
  expect((user + system) / 1e6).toBeLessThan(1);
});

describe('as torch lays it out', () => {
  const shapes = [[3, 2], [3], [4, 3]];
  const state = Object.fromEntries(
    shapes.map((shape, at) => [at, { step: 7, exp_avg: f32(...shape), exp_avg_sq: f32(...shape) }]),
  );

  test('by number', () => {
    const facts = factsOf({
      model: model(),
      optimizer: { state, param_groups: [{ ...adam, params: [0, 1, 2] }] },
    });
    expect(facts.map(({ weights }) => weights)).toEqual(names.map((name) => `model.${name}`));
    expect(facts[1]).toEqual({
      weights: 'model.fc.bias',
      slots: { exp_avg: 'optimizer.state.1.exp_avg', exp_avg_sq: 'optimizer.state.1.exp_avg_sq' },
      optimizer: 'optimizer',
      group: 0,
      index: 1,
      name: 'fc.bias',
      shape: [3],
      settings: { lr: 0.1, beta1: 0.9, beta2: 0.99, eps: 1e-8, weight_decay: 0.01, amsgrad: false },
      step: 7,
    });
  });

  test('two groups, a step that is a tensor, another key', () => {
    const groups = [
      { ...adam, params: [0, 2] },
      { ...adam, weight_decay: 0, params: [1] },
    ];
    const stepped = {
      ...state,
      1: { step: { dtype: 'f32' as const, shape: [], data: new Float32Array([9]) }, exp_avg: f32(3) },
    };
    const facts = factsOf({ model: model(), trainer: { mine: { state: stepped, param_groups: groups } } });
    const found = Object.fromEntries(
      facts.map((fact) => [fact.name, [fact.group, fact.settings.weight_decay, fact.step]]),
    );
    expect(found).toEqual({ 'fc.weight': [0, 0.01, 7], 'fc.bias': [1, 0, 9], 'out.weight': [0, 0.01, 7] });
  });

  test('by name', () => {
    const named = {
      'fc.weight': { momentum_buffer: f32(3, 2) },
      'out.weight': { momentum_buffer: f32(4, 3) },
    };
    const groups = [{ lr: 0.1, momentum: 0.9, params: ['fc.weight', 'out.weight'] }];
    const facts = factsOf({ model: model(), optimizer: { state: named, param_groups: groups } });
    expect(facts.map(({ weights }) => weights)).toEqual(['model.fc.weight', 'model.out.weight']);
    expect(facts[0].slots).toEqual({ momentum_buffer: 'optimizer.state.fc.weight.momentum_buffer' });
  });
});

describe('mirrors of the model', () => {
  test('a tree for each moment', () => {
    const optimizer = {
      m: model(),
      v: model(),
      step: 12,
      learningRate: 0.5,
      beta1: 0.9,
      beta2: 0.999,
      epsilon: 1e-7,
    };
    const facts = factsOf({ model: model(), optimizer });
    expect(facts.map(({ weights }) => weights)).toEqual(names.map((name) => `model.${name}`));
    expect(facts[0].slots).toEqual({ exp_avg: 'optimizer.m.fc.weight', exp_avg_sq: 'optimizer.v.fc.weight' });
    expect(facts[0]).toMatchObject({ step: 12, settings: { lr: 0.5, beta1: 0.9, beta2: 0.999, eps: 1e-7 } });
  });

  test('moments for each parameter, settings and step beside it', () => {
    const optimizer = { fc: { weight: { exp_avg: f32(3, 2), exp_avg_sq: f32(3, 2) } } };
    const state = { model: model(), optimizer, config: { lr: 0.2, epochs: 3 }, progress: { step: 5 } };
    expect(factsOf(state)).toMatchObject([{ weights: 'model.fc.weight', step: 5, settings: { lr: 0.2 } }]);
    expect(factsOf(state)[0].settings).not.toHaveProperty('epochs');
  });

  test('names as tfjs gives them', () => {
    const weights = { 'dense/kernel': f32(3, 2), 'dense/bias': f32(3) };
    const optimizer = {
      iter: 4,
      config: { learningRate: 0.01, beta1: 0.9, beta2: 0.999 },
      'dense/kernel/m': f32(3, 2),
      'dense/kernel/v': f32(3, 2),
      'dense/bias/m': f32(3),
      'dense/bias/v': f32(3),
    };
    const facts = factsOf({ model: weights, optimizer });
    expect(facts.map(({ weights }) => weights)).toEqual(['model.dense/kernel', 'model.dense/bias']);
    expect(facts[0].slots).toEqual({
      exp_avg: 'optimizer.dense/kernel/m',
      exp_avg_sq: 'optimizer.dense/kernel/v',
    });
    expect(facts[0]).toMatchObject({ step: 4, settings: { lr: 0.01 } });
  });

  test('optax, momentum, several optimizers, a parameter called v', () => {
    const optax = factsOf({
      params: { w: f32(5) },
      opt_state: [{ count: 3, mu: { w: f32(5) }, nu: { w: f32(5) } }],
    });
    expect(optax).toMatchObject([{ weights: 'params.w', slots: { exp_avg: 'opt_state.0.mu.w' }, step: 3 }]);
    const sgd = factsOf({ model: model(), optimizer: { velocity: model(), lr: 0.1, momentum: 0.9 } });
    expect(sgd).toHaveLength(3);
    expect(sgd[0]).toMatchObject({
      settings: { momentum: 0.9 },
      slots: { momentum_buffer: 'optimizer.velocity.fc.weight' },
    });
    const two = factsOf({
      model: { q: f32(2), v: f32(2) },
      optimizer: { a: { m: { q: f32(2) } }, b: { v: { m: f32(2) } } },
    });
    expect(two.map(({ optimizer }) => optimizer)).toEqual(expect.arrayContaining(['optimizer.a']));
  });

  test('models with the same names, a moving average, models under keys of their own', () => {
    const one = (): StateValue => ({ w: f32(2) });
    const gan = factsOf({
      generator: one(),
      discriminator: one(),
      optimizers: { generator: { m: one() }, discriminator: { m: one() } },
    });
    expect(gan.map(({ weights }) => weights)).toEqual(['generator.w', 'discriminator.w']);
    const nested = factsOf({
      generator: { model: one(), optimizer: { state: { w: { m: f32(2) } } } },
      discriminator: { model: one(), optimizer: { state: { w: { m: f32(2) } } } },
    });
    expect(nested.map(({ weights }) => weights)).toEqual(['generator.model.w', 'discriminator.model.w']);
    const averaged = factsOf({ ema: one(), model: one(), optimizer: { m: one() } });
    expect(averaged).toMatchObject([{ weights: 'model.w' }]);
    const own = factsOf({
      gpt: one(),
      optimizer: { state: { 0: { exp_avg: f32(2) } }, param_groups: [{ params: [0] }] },
    });
    expect(own).toMatchObject([{ weights: 'gpt.w' }]);
  });

  test('nothing to find, and odd values', () => {
    expect(factsOf(null)).toEqual([]);
    expect(factsOf({ model: model() })).toEqual([]);
    expect(factsOf({ model: model(), optimizer: { lr: 1, m: [], state: 3, param_groups: 'x' } })).toEqual([]);
    const odd = factsOf({
      model: model(),
      optimizer: { state: { 0: { exp_avg: f32(9) } }, param_groups: [null, 3, { params: {} }] },
    });
    expect(odd).toMatchObject([{ weights: null, group: -1, settings: {} }]);
  });
});
