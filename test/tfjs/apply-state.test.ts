/** What was captured comes back. The real library: test/interop/tfjs.interop.ts. */
import { describe, expect, test } from 'vitest';
import { createStore, MemoryStorage, type StateValue } from '../../src/index.js';
import { applyState, type CapturedOptimizer, captureState } from '../../src/tfjs/index.js';
import { normals } from '../traces/laws.js';
import { alive, FakeAdam, FakeOptimizer, layer, model, tf, valuesOf, variable } from './fake-tfjs.js';

const network = () =>
  model([layer('dense_Dense1', { kernel: [1, 2], bias: [3] }), layer('hidden', { kernel: [4] })]);

/** A training whose gradients depend on the step. */
function training(from = network(), optimizer = new FakeAdam()) {
  const step = () => {
    const gradients = from.weights.map(({ value }) => {
      return [
        value,
        Float32Array.from(value.values, (_, lane) => Math.sin(optimizer.iterations + lane)),
      ] as const;
    });
    optimizer.step(gradients);
  };
  const take = (steps: number) => {
    for (let count = 0; count < steps; count++) step();
  };
  return { model: from, optimizer, take };
}

describe('applyState', () => {
  test('goes on from a store with the same bits as what was never interrupted', async () => {
    const whole = training();
    whole.take(5);
    const run = (await createStore(new MemoryStorage())).run('r');
    await (await run.save({ ...captureState(whole), progress: { step: 5 } })).committed;
    whole.take(20);

    const resumed = await run.resume();
    const again = training();
    applyState(resumed?.state ?? null, { tf, ...again });
    again.take(20);
    expect(captureState(again)).toEqual(captureState(whole));
  });

  test('takes over the learning rate, and no other array than its own', () => {
    const saved = training(network(), new FakeAdam(0.5));
    saved.take(2);
    const state = captureState(saved);
    const again = training();
    applyState(state, { tf, ...again });
    expect(again.optimizer.learningRate).toBe(0.5);
    for (const { data } of Object.values(state.model)) (data as Float32Array).fill(9);
    expect(valuesOf(again.model)).toEqual(valuesOf(saved.model));
  });

  test('sets the rate of optimizers that keep a tensor of it by their method', () => {
    const rates: number[] = [];
    const sgd = (learningRate: number) =>
      new FakeOptimizer('SGD', { learningRate }, { setLearningRate: (rate: number) => rates.push(rate) });
    applyState(captureState({ optimizer: sgd(0.25) }), { tf, optimizer: sgd(0.5) });
    expect(rates).toEqual([0.25]);
  });

  test('leaves no tensor behind, also where an optimizer has taken steps', () => {
    const saved = training();
    saved.take(2);
    const state = captureState(saved);
    const again = training();
    again.take(1);
    const before = alive.size;
    applyState(state, { tf, ...again });
    expect(alive.size).toBe(before);
    expect(captureState(again)).toEqual(state);
  });

  test('takes an optimizer back to before its first step', () => {
    const again = training();
    const state = captureState(again);
    again.take(3);
    applyState(state, { tf, ...again });
    expect(captureState(again)).toEqual(state);
  });

  test('keeps the order in which the optimizer knows its variables', () => {
    const variables = { 2: variable('b', [1]), 1: variable('a', [2]) };
    const optimizer = new FakeAdam();
    optimizer.step([
      [variables[2], Float32Array.of(0.5)],
      [variables[1], Float32Array.of(0.25)],
    ]);
    const state = captureState({ variables, optimizer });
    const again = { variables: { 2: variable('b', [1]), 1: variable('a', [2]) }, optimizer: new FakeAdam() };
    applyState(state, { tf, ...again });
    expect(again.optimizer.accumulatedFirstMoment.map(({ originalName }) => originalName)).toEqual([
      `${again.variables[2].name}/m`,
      `${again.variables[1].name}/m`,
    ]);
  });

  test('restores the model alone where the optimizer is left out', () => {
    const saved = training();
    saved.take(2);
    const again = training();
    applyState(captureState(saved), { tf, model: again.model, optimizer: null });
    expect(valuesOf(again.model)).toEqual(valuesOf(saved.model));
    expect(again.optimizer.iterations).toBe(0);
  });
});

describe('a training that differs from the checkpoint', () => {
  const saved = training();
  saved.take(2);
  const state = captureState(saved);
  const optimizer = state.optimizer as CapturedOptimizer;

  /** Returns the differences named. */
  function differences(value: StateValue, other: Parameters<typeof applyState>[1]): string[] {
    const before = other.model === undefined ? [] : captureState({ ...other, optimizer: null });
    const tensors = alive.size;
    let lines: string[] = [];
    expect(() => applyState(value, other)).toThrow(
      expect.objectContaining({ kind: 'conflict', code: 'state-differs' }),
    );
    try {
      applyState(value, other);
    } catch (error) {
      lines = (error as Error).message.split('\n').slice(1);
    }
    expect(alive.size).toBe(tensors);
    if (other.model !== undefined) expect(captureState({ ...other, optimizer: null })).toEqual(before);
    return lines;
  }

  test('in names and shapes is refused, each difference named, before anything is written', () => {
    const other = model([
      layer('dense_Dense8', { kernel: [1, 2, 3], bias: [3] }),
      layer('out', { kernel: [4] }),
    ]);
    expect(differences(state, { tf, model: other, optimizer: null })).toEqual([
      'model.hidden/kernel: is missing',
      'model.dense/kernel: is f32 [3], f32 [2] in the checkpoint',
      'model.out/kernel: is not in the checkpoint',
    ]);
  });

  test('in what optimizer it has, and in its settings', () => {
    const { model: weights } = training();
    expect(differences(state, { tf, model: weights })).toEqual([
      'optimizer: is missing (null leaves it out)',
    ]);
    expect(differences(state, { tf, model: weights, optimizer: new FakeOptimizer('SGD', {}) })).toEqual([
      'optimizer: is SGD, Adam in the checkpoint',
    ]);
    expect(differences(state, { tf, model: weights, optimizer: new FakeAdam(1e-3, 0.99) })).toEqual([
      'optimizer.config.beta2: is 0.99, 0.999 in the checkpoint',
    ]);
    const { optimizer: _, ...bare } = state;
    expect(differences(bare, { tf, ...training() })).toEqual(['optimizer: is not in the checkpoint']);
  });

  test('in what the optimizer kept', () => {
    const { 'hidden/kernel': hidden, ...others } = optimizer.state;
    const swapped = { ...others, 'dense/kernel': hidden, 'hidden/kernel': { m: hidden.m }, more: {} };
    const broken = { ...optimizer, iterations: 'many', state: swapped } as StateValue;
    expect(differences({ ...state, optimizer: broken }, { tf, ...training() })).toEqual([
      'optimizer.state.more: is missing',
      'optimizer.state.dense/kernel.m: is f32 [2], f32 [1] in the checkpoint',
      'optimizer.state.dense/kernel.v: is f32 [2], f32 [1] in the checkpoint',
      'optimizer.state.hidden/kernel.v: is not in the checkpoint',
      'optimizer.iterations: is no number in the checkpoint',
    ]);
  });

  test('in everything, as a state that something else made', () => {
    expect(differences(null, { tf, model: network(), optimizer: null })).toHaveLength(3);
    expect(differences({ model: { 'dense/kernel': 1 } }, { tf, model: network() })[0]).toBe(
      'model.dense/kernel: is f32 [2], no tensor in the checkpoint',
    );
  });

  test('in more than twenty places is told of twenty', () => {
    const many = model([
      layer('wide', Object.fromEntries(Array.from({ length: 30 }, (_, at) => [`w${at}`, [1]]))),
    ]);
    const lines = differences(state, { tf, model: many, optimizer: null });
    expect(lines).toHaveLength(21);
    expect(lines[20]).toBe('and 13 more');
  });
});

test('a save one step after the last computes weights and second moments from the rule, in the order of TensorFlow.js', async () => {
  const LANES = 40_000;
  const weights = variable('w', normals(LANES, 0.05, 1));
  const optimizer = new FakeAdam();
  const run = (await createStore(new MemoryStorage())).run('r');
  const captured = () => captureState({ variables: { w: weights }, optimizer });
  const noise = (step: number) => normals(LANES, 1e-3, step);
  for (let step = 2; step < 32; step++) optimizer.step([[weights, noise(step)]]);
  await (await run.save(captured())).committed;
  optimizer.step([[weights, noise(32)]]);
  const { logicalBytes, storedBytes, explain } = await (await run.save(captured(), { explain: true }))
    .committed;
  const predictors = explain?.groups.map(({ slot, predictor }) => [slot, predictor]);
  expect(Object.fromEntries(predictors ?? [])).toMatchObject({
    weights: 'adam-weights',
    m: 'base',
    v: 'adam-second-moment',
  });
  expect(logicalBytes / storedBytes).toBeGreaterThan(3.4);
});
