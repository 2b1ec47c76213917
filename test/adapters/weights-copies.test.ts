/** What is made of weights, and optimizers that only names tell of: links through whole files. */
import { expect, test } from 'vitest';
import { linkParameters } from '../../src/adapters/index.js';
import type { PyValue } from './pickle-writer.js';
import { inMemory, segmentSound } from './sources.js';
import { StorageSpec, type TorchArchive, torchFile } from './torch-zip-writer.js';

type Header = Record<string, { dtype: string; shape: number[]; data_offsets: [number, number] }>;

/** A safetensors file of fp32 tensors, and counts of int32. */
function safetensors(shapes: Record<string, number[]>, counts: Record<string, number> = {}): Uint8Array {
  const header: Header = {};
  let end = 0;
  const add = (name: string, dtype: string, shape: number[]): void => {
    const begin = end;
    end += 4 * shape.reduce((product, size) => product * size, 1);
    header[name] = { dtype, shape, data_offsets: [begin, end] };
  };
  for (const [name, shape] of Object.entries(shapes)) add(name, 'F32', shape);
  for (const name of Object.keys(counts)) add(name, 'I32', []);
  const head = new TextEncoder().encode(JSON.stringify(header));
  const bytes = new Uint8Array(8 + head.length + end);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, head.length, true);
  bytes.set(head, 8);
  for (const [name, count] of Object.entries(counts))
    view.setInt32(8 + head.length + header[name].data_offsets[0], count, true);
  return bytes;
}

test('a flattened tree of optax has its moments, weights and count of steps', async () => {
  const shapes = { 'block.kernel': [8, 4], 'block.bias': [4] };
  const tree = Object.fromEntries(
    ['params', 'opt_state.1.0.mu', 'opt_state.1.0.nu'].flatMap((prefix) =>
      Object.entries(shapes).map(([name, shape]) => [`${prefix}.${name}`, shape]),
    ),
  );
  const bytes = safetensors(tree, { 'opt_state.1.0.count': 151 });
  const segmentation = await segmentSound(inMemory('state.safetensors', bytes));
  const { parameters } = linkParameters([{ path: 'state.safetensors', segmentation }]);
  const found = parameters.map(({ weights, slots, step }) => ({ weights, slots, step }));
  expect(found).toHaveLength(2);
  for (const name of Object.keys(shapes)) {
    expect(found).toContainEqual({
      weights: `params.${name}`,
      slots: { exp_avg: `opt_state.1.0.mu.${name}`, exp_avg_sq: `opt_state.1.0.nu.${name}` },
      step: 151,
    });
  }
});

test('a model in safetensors has no optimizer', async () => {
  const bytes = safetensors({ 'layer.weight': [8, 4], 'mu.v': [3] }, { count: 3 });
  const { parameters } = await segmentSound(inMemory('model.safetensors', bytes));
  expect(parameters).toEqual([]);
});

test('an average in the same file is found, and the weights keep their optimizer', async () => {
  const half = (count: number) => new StorageSpec('BFloat16Storage', 2, count * 2);
  const shapes: [string, number[]][] = [
    ['a.weight', [3, 2]],
    ['b.weight', [5, 2]],
  ];
  const all = (prefix: string, tensorOf: (shape: number[]) => PyValue): PyValue =>
    new Map<PyValue, PyValue>(shapes.map(([name, shape]) => [`${prefix}${name}`, tensorOf(shape)]));
  const file = torchFile((archive: TorchArchive) => ({
    model: all('', (shape) => archive.zeros(...shape)),
    ema: all('module.', (shape) => archive.zeros(...shape)),
    model_bf16: all('', (shape) => archive.tensor(half(shape[0] * shape[1]), shape)),
    optimizer: {
      state: new Map<PyValue, PyValue>(
        shapes.map(([, shape], at) => [at, { exp_avg: archive.zeros(...shape) }]),
      ),
      param_groups: [{ params: [0, 1] }],
    },
  }));
  const { parameters, copies } = linkParameters([{ path: 'a.pt', segmentation: await segmentSound(file) }]);
  expect(parameters.map(({ weights }) => weights)).toEqual(['model.a.weight', 'model.b.weight']);
  for (const [name] of shapes) {
    const from = { weights: `model.${name}`, weightsFile: 0, copyFile: 0 };
    expect(copies).toContainEqual({ kind: 'average', ...from, copy: `ema.module.${name}` });
    expect(copies).toContainEqual({ kind: 'cast', ...from, copy: `model_bf16.${name}` });
  }
  expect(copies).toHaveLength(4);
});

test('averages in a list are those of the parameters in order', async () => {
  const file = torchFile((archive: TorchArchive) => ({
    model: { 'a.weight': archive.zeros(3, 2), 'b.weight': archive.zeros(5, 2) },
    ema: { decay: 0, shadow_params: [archive.zeros(3, 2), archive.zeros(5, 2)] },
  }));
  const { copies } = linkParameters([{ path: 'a.pt', segmentation: await segmentSound(file) }]);
  const pairs = copies.map(({ kind, weights, copy }) => [kind, weights, copy]);
  expect(pairs).toEqual([
    ['average', 'model.a.weight', 'ema.shadow_params.0'],
    ['average', 'model.b.weight', 'ema.shadow_params.1'],
  ]);
});
