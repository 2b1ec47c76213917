import { existsSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { linkParameters, type Segmentation, segmentFile } from '../../src/adapters/index.js';
import type { ParameterFacts } from '../../src/tensor/index.js';
import { PyFloat, PyTuple, type PyValue } from './pickle-writer.js';
import { keysOf, onDisk, segmentSound } from './sources.js';
import { floats, StorageSpec, type TorchArchive, torchFile, zeros } from './torch-zip-writer.js';

const FIXTURES = new URL('../../fixtures/', import.meta.url).pathname;
const TRACES = new URL('../../../shared/traces/', import.meta.url).pathname;

async function factsOf(path: string): Promise<{ facts: ParameterFacts[]; segmentation: Segmentation }> {
  const segmentation = await segmentSound(onDisk(path));
  const facts = segmentation.parameters ?? [];
  const keys = new Set(keysOf(segmentation));
  for (const { weights, slots } of facts) {
    for (const key of [weights, ...Object.values(slots)]) expect(keys).toContain(key);
  }
  return { facts, segmentation };
}

async function factsIn(make: (archive: TorchArchive) => PyValue): Promise<ParameterFacts[]> {
  return (await segmentSound(torchFile(make))).parameters ?? [];
}

describe('files of torch', () => {
  test.skipIf(!existsSync(TRACES))('traces of torch 2.13 and 1.13', async () => {
    for (const job of ['gpt', 'gpt-torch1.13']) {
      const { facts, segmentation } = await factsOf(`${TRACES}${job}/step-700.pth`);
      const weights = segmentation.ranges.filter(({ group }) => group === 'model').map(({ key }) => key);
      expect(facts).toHaveLength(41);
      expect(new Set(facts.map((fact) => fact.weights))).toEqual(new Set(weights));
      for (const { weights: key, slots, name, step, settings, group } of facts) {
        expect(key).toBe(`model.${name}`);
        expect(slots).toEqual({
          exp_avg: `optimizer.state.${name}.exp_avg`,
          exp_avg_sq: `optimizer.state.${name}.exp_avg_sq`,
        });
        expect([step, group]).toEqual([700, 0]);
        expect(settings).toMatchObject({ beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay: 0.1 });
        expect(settings).toMatchObject({ lr: 0.00005191722151947222, amsgrad: false, maximize: false });
        expect(settings).not.toHaveProperty('betas');
      }
      expect(facts.map(({ index }) => index)).toEqual(facts.map((_, index) => index));
    }
  });

  test('a run, and tied weights, which count once', async () => {
    const run = (await factsOf(`${FIXTURES}run/step-100.pth`)).facts;
    expect(run).toHaveLength(29);
    expect(run.every(({ weights, step }) => weights !== null && step === 100)).toBe(true);
    const tied = (await factsOf(`${FIXTURES}tied/step-40.pth`)).facts;
    expect(tied).toHaveLength(16);
    expect(tied[0]).toMatchObject({ weights: 'model.tok.weight', shape: [128, 24], step: 40 });
  });

  test('two optimizers: amsgrad with three slots, momentum without a step', async () => {
    const { facts } = await factsOf(`${FIXTURES}torch/two-optimizers.pth`);
    const ofGenerator = facts.filter(({ optimizer }) => optimizer === 'optimizer_g.state.');
    const ofDiscriminator = facts.filter(({ optimizer }) => optimizer === 'optimizer_d.state.');
    expect([ofGenerator.length, ofDiscriminator.length]).toEqual([7, 7]);
    expect(Object.keys(ofGenerator[0].slots)).toEqual(['exp_avg', 'exp_avg_sq', 'max_exp_avg_sq']);
    expect(ofGenerator[0]).toMatchObject({ weights: 'generator.embed.weight', settings: { amsgrad: true } });
    expect(Object.keys(ofDiscriminator[0].slots)).toEqual(['momentum_buffer']);
    expect(ofDiscriminator[0]).toMatchObject({ weights: 'discriminator.embed.weight', step: null });
    expect(ofDiscriminator[0].settings).toMatchObject({ dampening: 0, nesterov: expect.any(Boolean) });
    expect(ofDiscriminator[0].settings.momentum).toBeGreaterThan(0);
  });

  test('the old format gives the same facts as the new one', async () => {
    const old = (await factsOf(`${FIXTURES}torch/legacy-11.pth`)).facts;
    expect(old).toHaveLength(7);
    expect(old).toEqual((await factsOf(`${FIXTURES}torch/protocol4.pth`)).facts);
  });

  test('a checkpoint before the first step has none', async () => {
    expect((await factsOf(`${FIXTURES}torch/step-0.pth`)).segmentation).not.toHaveProperty('parameters');
  });
});

describe('odd optimizers', () => {
  const net = (archive: TorchArchive): PyValue => ({
    'a.weight': archive.zeros(3, 2),
    'a.bias': archive.zeros(3),
  });
  const momentum = (archive: TorchArchive): Map<PyValue, PyValue> =>
    new Map<PyValue, PyValue>([
      [0, { momentum_buffer: archive.zeros(3, 2) }],
      [1, { momentum_buffer: archive.zeros(3) }],
    ]);
  const group = { lr: new PyFloat(0.1), momentum: new PyFloat(0.9), nesterov: true, dampening: 0 };

  test('stochastic gradient descent with momentum', async () => {
    const facts = await factsIn((archive) => ({
      model: net(archive),
      optimizer: { state: momentum(archive), param_groups: [{ ...group, foreach: null, params: [0, 1] }] },
    }));
    expect(facts).toEqual([
      {
        weights: 'model.a.weight',
        slots: { momentum_buffer: 'optimizer.state.a.weight.momentum_buffer' },
        optimizer: 'optimizer.state.',
        group: 0,
        index: 0,
        name: 'a.weight',
        shape: [3, 2],
        settings: { lr: 0.1, momentum: 0.9, nesterov: true, dampening: 0 },
        step: null,
      },
      expect.objectContaining({ weights: 'model.a.bias', index: 1, shape: [3] }),
    ]);
  });

  test('learning rate and step as tensors, state by name', async () => {
    const facts = await factsIn((archive) => ({
      model: net(archive),
      optimizer: {
        state: {
          'module.a.weight': { step: archive.tensor(floats(12), [1]), exp_avg: archive.zeros(3, 2) },
          'module.a.bias': { step: 13, exp_avg: archive.zeros(3) },
        },
        param_groups: [
          {
            lr: archive.tensor(floats(0.5), []),
            betas: new PyTuple(new PyFloat(0.8), new PyFloat(0.9)),
            params: ['module.a.weight', 'module.a.bias'],
          },
        ],
      },
    }));
    expect(facts.map(({ weights, step }) => [weights, step])).toEqual([
      ['model.a.weight', 12],
      ['model.a.bias', 13],
    ]);
    expect(facts[0].settings).toEqual({ lr: 0.5, beta1: 0.8, beta2: 0.9 });
  });

  test('slots that are views, strided or of another shape', async () => {
    const facts = await factsIn((archive) => {
      const flat = zeros(9);
      return {
        optimizer: {
          state: new Map<PyValue, PyValue>([
            [0, { exp_avg: archive.tensor(flat, [3, 2]) }],
            [1, { exp_avg: archive.tensor(flat, [3], 6) }],
            [2, { exp_avg: archive.tensor(zeros(6), [2, 3], 0, [1, 2]) }],
            [3, { exp_avg: archive.zeros(4, 2), exp_avg_sq_row: archive.zeros(4) }],
          ]),
          param_groups: [{ params: [0, 1, 2, 3] }],
        },
      };
    });
    expect(facts).toMatchObject([
      { index: 3, slots: { exp_avg: 'optimizer.state.3.exp_avg' }, weights: null },
    ]);
    expect(Object.keys(facts[0].slots)).toEqual(['exp_avg']);
  });

  test('whatever the groups hold, nothing is thrown and the slots stay', async () => {
    const odd: PyValue[] = [
      [],
      [null, 3, 'x', []],
      [{}],
      [{ params: null, lr: 'high', betas: new PyTuple() }],
      [{ params: [0, 0, 7, null, new PyFloat(1)], lr: new PyFloat(Number.NaN), betas: ['a', null] }],
      [{ params: [1, 'a', -5, 2 ** 40], __proto__: null, eps: { a: 1 } }],
      [
        new Map<PyValue, PyValue>([
          [1, 2],
          ['params', [0]],
          ['__proto__', 4],
          ['x'.repeat(900), 1],
        ]),
      ],
    ];
    for (const param_groups of odd) {
      const source = torchFile((archive) => ({ optimizer: { state: momentum(archive), param_groups } }));
      const { segmentation, problem } = await segmentFile(source);
      expect(problem).toBeUndefined();
      expect(segmentation.parameters).toHaveLength(2);
      for (const { settings } of segmentation.parameters ?? []) expect(settings).not.toHaveProperty('lr');
    }
  });

  test('an actor and a critic of one shape, and a moving average', async () => {
    const facts = await factsIn((archive) => ({
      actor_ema: { w: archive.zeros(2) },
      critic: { w: archive.zeros(2) },
      actor: { w: archive.zeros(2) },
      actor_opt: { state: { w: { exp_avg: archive.zeros(2) } }, param_groups: [{ params: ['w'] }] },
      opt: { state: { w: { exp_avg: archive.zeros(2) } }, param_groups: [{ params: ['w'] }] },
    }));
    expect(facts.map(({ weights }) => weights)).toEqual(['actor.w', 'critic.w']);
  });

  test('an odd step is none', async () => {
    for (const step of [-1, new PyFloat(0.5), 'x', null, new PyFloat(Number.NaN)]) {
      const facts = await factsIn((archive) => ({
        state: new Map<PyValue, PyValue>([[0, { step, exp_avg: archive.zeros(2) }]]),
        param_groups: [],
      }));
      expect(facts).toMatchObject([{ step: null, optimizer: 'optimizer.state.' }]);
    }
  });

  test('fp32 masters, in the state or in a list, are what the optimizer works on', async () => {
    const half = (count: number) => new StorageSpec('BFloat16Storage', 2, count * 2);
    const model = (archive: TorchArchive): PyValue => ({ 'a.weight': archive.tensor(half(6), [3, 2]) });
    const files = [
      torchFile((archive) => ({
        model: model(archive),
        optimizer: {
          state: new Map<PyValue, PyValue>([
            [0, { exp_avg: archive.zeros(3, 2), master_param: archive.zeros(3, 2) }],
          ]),
          param_groups: [{ params: [0] }],
        },
      })),
      torchFile((archive) => ({
        model: model(archive),
        optimizer: {
          optimizer: {
            state: new Map<PyValue, PyValue>([[0, { exp_avg: archive.zeros(3, 2) }]]),
            param_groups: [{ params: [0] }],
          },
          fp32_from_fp16_params: [[archive.zeros(3, 2)]],
        },
      })),
    ];
    const masters = ['optimizer.state.a.weight.master_param', 'optimizer.fp32_from_fp16_params.0.0'];
    for (const [at, source] of files.entries()) {
      const { parameters, copies } = linkParameters([
        { path: 'a.pt', segmentation: await segmentSound(source) },
      ]);
      expect(parameters).toMatchObject([{ weights: masters[at], name: 'a.weight' }]);
      expect(Object.keys(parameters[0].slots)).toEqual(['exp_avg']);
      expect(copies).toEqual([
        { kind: 'cast', weights: masters[at], weightsFile: 0, copy: 'model.a.weight', copyFile: 0 },
      ]);
    }
  });
});
