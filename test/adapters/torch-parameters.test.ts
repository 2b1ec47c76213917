import { expect, test } from 'vitest';
import { PyFloat, type PyValue } from './pickle-writer.js';
import { keysOf, segmentSound } from './sources.js';
import { floats, type TorchArchive, torchFile } from './torch-zip-writer.js';

type Shapes = Record<string, number[]>;

function stateDict(archive: TorchArchive, shapes: Shapes): PyValue {
  return new Map<PyValue, PyValue>(
    Object.entries(shapes).map(([name, shape]) => [name, archive.zeros(...shape)]),
  );
}

/** One momentum tensor for each shape, numbered on through the groups. */
function optimizer(archive: TorchArchive, groups: number[][][], more: Record<string, PyValue> = {}): PyValue {
  const state = new Map<PyValue, PyValue>();
  const paramGroups = groups.map((shapes) => {
    const params = shapes.map((shape) => {
      const number = state.size;
      state.set(number, { momentum_buffer: archive.zeros(...shape) });
      return number;
    });
    return { lr: new PyFloat(0.1), params, ...more };
  });
  return { state, param_groups: paramGroups };
}

async function momentumKeys(make: (archive: TorchArchive) => PyValue): Promise<string[]> {
  const segmentation = await segmentSound(torchFile(make));
  return keysOf(segmentation)
    .filter((key) => key.endsWith('.momentum_buffer'))
    .map((key) => key.replace('.momentum_buffer', ''));
}

const net: Shapes = { 'fc.weight': [3, 2], 'fc.bias': [3], 'head.weight': [4, 3], 'head.bias': [4] };

test('decay and no-decay groups are matched one by one', async () => {
  const keys = await momentumKeys((archive) => ({
    model: stateDict(archive, net),
    optimizer: optimizer(archive, [
      [
        [3, 2],
        [4, 3],
      ],
      [[3], [4]],
    ]),
  }));
  expect(keys).toEqual(
    ['fc.weight', 'head.weight', 'fc.bias', 'head.bias'].map((name) => `optimizer.state.${name}`),
  );
});

test('buffers are skipped, by name where shapes cannot tell', async () => {
  const norm: Shapes = {
    'bn.weight': [4],
    'bn.bias': [4],
    'bn.running_mean': [4],
    'bn.running_var': [4],
    'fc.weight': [2, 4],
  };
  const keys = await momentumKeys((archive) => ({
    model: stateDict(archive, norm),
    optimizer: optimizer(archive, [[[4], [4], [2, 4]]]),
  }));
  expect(keys).toEqual(['optimizer.state.bn.weight', 'optimizer.state.bn.bias', 'optimizer.state.fc.weight']);
});

test('a frozen parameter that could be one of two leaves the numbers', async () => {
  const layers: Shapes = { 'a.weight': [2, 2], 'b.weight': [2, 2], 'c.weight': [2, 2] };
  const keys = await momentumKeys((archive) => ({
    model: stateDict(archive, layers),
    optimizer: optimizer(archive, [
      [
        [2, 2],
        [2, 2],
      ],
    ]),
  }));
  expect(keys).toEqual(['optimizer.state.0', 'optimizer.state.1']);
});

test('a frozen parameter of a shape of its own is skipped', async () => {
  const keys = await momentumKeys((archive) => ({
    model: stateDict(archive, { embedding: [9, 2], ...net }),
    optimizer: optimizer(archive, [[[3, 2], [3], [4, 3], [4]]]),
  }));
  expect(keys).toEqual(Object.keys(net).map((name) => `optimizer.state.${name}`));
});

test('layer-wise groups of equal shapes follow the order of the model', async () => {
  const layers: Shapes = { 'a.weight': [2, 2], 'b.weight': [2, 2] };
  const keys = await momentumKeys((archive) => ({
    model: stateDict(archive, layers),
    optimizer: optimizer(archive, [[[2, 2]], [[2, 2]]]),
  }));
  expect(keys).toEqual(['optimizer.state.a.weight', 'optimizer.state.b.weight']);
});

test('tied parameters count once', async () => {
  const keys = await momentumKeys((archive) => {
    const shared = floats(1, 2, 3, 4);
    const tied = {
      'tok.weight': archive.tensor(shared, [2, 2]),
      'head.weight': archive.tensor(shared, [2, 2]),
    };
    return { model: tied, optimizer: optimizer(archive, [[[2, 2]]]) };
  });
  expect(keys).toEqual(['optimizer.state.tok.weight']);
});

test('several optimizers find their own models, whatever the keys', async () => {
  const keys = await momentumKeys((archive) => ({
    G: stateDict(archive, { 'up.weight': [5, 2], 'up.bias': [5] }),
    D: stateDict(archive, { 'down.weight': [1, 5] }),
    opts: [optimizer(archive, [[[5, 2], [5]]]), optimizer(archive, [[[1, 5]]])],
  }));
  expect(keys).toEqual(['opts.0.state.up.weight', 'opts.0.state.up.bias', 'opts.1.state.down.weight']);
});

test('two models that both fit leave the numbers, two copies of one do not', async () => {
  const withModels = (models: (archive: TorchArchive) => Record<string, PyValue>) =>
    momentumKeys((archive) => ({ ...models(archive), optimizer: optimizer(archive, [[[2]]]) }));
  const twins = await withModels((archive) => ({
    model: stateDict(archive, { w: [2] }),
    ema: stateDict(archive, { w: [2] }),
  }));
  expect(twins).toEqual(['optimizer.state.w']);
  const rivals = await withModels((archive) => ({
    actor: stateDict(archive, { a: [2] }),
    critic: stateDict(archive, { c: [2] }),
  }));
  expect(rivals).toEqual(['optimizer.state.0']);
});

test('an optimizer made from named parameters says the names itself', async () => {
  const keys = await momentumKeys((archive) => ({
    optimizer: optimizer(archive, [[[2], [2]]], { param_names: ['x', 'y'] }),
  }));
  expect(keys).toEqual(['optimizer.state.x', 'optimizer.state.y']);
});

test('a file that is an optimizer is called one, its numbers stay without a model', async () => {
  const keys = await momentumKeys((archive) => optimizer(archive, [[[2], [3]]]));
  expect(keys).toEqual(['optimizer.state.0', 'optimizer.state.1']);
});

test('state of other shapes than any parameter leaves the numbers', async () => {
  const keys = await momentumKeys((archive) => ({
    model: stateDict(archive, net),
    optimizer: optimizer(archive, [[[7], [3], [4, 3], [4]]]),
  }));
  expect(keys[0]).toBe('optimizer.state.0');
});
