import { expect, test } from 'vitest';
import { type Segmentation, segmentFile } from '../../src/adapters/index.js';
import { PyCall, PyFloat, PyGlobal, PyTuple, type PyValue } from './pickle-writer.js';
import { describeRanges, elementBytes, inMemory, keysOf, namesOf, segmentSound } from './sources.js';
import {
  floats,
  StorageSpec,
  type TorchArchive,
  type TorchZipOptions,
  torchFile,
} from './torch-zip-writer.js';

interface State {
  step?: number;
  parameters?: string[];
  withState?: boolean;
}

/** A checkpoint as training scripts write it: parameters of 4 elements but `head.weight`, AdamW state for each. */
function checkpoint(archive: TorchArchive, options: State): PyValue {
  const { step = 10, parameters = ['a.weight', 'a.bias', 'head.weight'], withState = true } = options;
  const shapeOf = (name: string): number[] => (name === 'head.weight' ? [2, 4] : [4]);
  const model = new Map<PyValue, PyValue>(parameters.map((name) => [name, archive.zeros(...shapeOf(name))]));
  const state = new Map<PyValue, PyValue>();
  if (withState) {
    parameters.forEach((name, number) => {
      const slots = new Map<PyValue, PyValue>([['step', archive.tensor(floats(step), [])]]);
      for (const key of ['exp_avg', 'exp_avg_sq']) slots.set(key, archive.zeros(...shapeOf(name)));
      state.set(number, slots);
    });
  }
  const group = {
    lr: new PyFloat(0.001),
    betas: new PyTuple(new PyFloat(0.9)),
    params: parameters.map((_, i) => i),
  };
  return { step, model, optimizer: { state, param_groups: [group] }, loss: new PyFloat(2.5) };
}

function segmentState(options: State, zip: TorchZipOptions = {}): Promise<Segmentation> {
  return segmentSound(torchFile((archive) => checkpoint(archive, options), zip));
}

test('a checkpoint gives names as torch users know them, groups, progress, and keys by parameter', async () => {
  const segmentation = await segmentState({});
  expect(segmentation).toMatchObject({ format: 'torch-zip', step: 10, metrics: { loss: 2.5 } });
  expect(describeRanges(segmentation)).toEqual([
    'model.a.weight model f32 16',
    'model.a.bias model f32 16',
    'model.head.weight model f32 32',
    'optimizer.state.a.weight.step optimizer f32 4',
    'optimizer.state.a.weight.exp_avg optimizer f32 16',
    'optimizer.state.a.weight.exp_avg_sq optimizer f32 16',
    'optimizer.state.a.bias.step optimizer f32 4',
    'optimizer.state.a.bias.exp_avg optimizer f32 16',
    'optimizer.state.a.bias.exp_avg_sq optimizer f32 16',
    'optimizer.state.head.weight.step optimizer f32 4',
    'optimizer.state.head.weight.exp_avg optimizer f32 32',
    'optimizer.state.head.weight.exp_avg_sq optimizer f32 32',
  ]);
  expect(namesOf(segmentation)).toContain('optimizer.state.2.exp_avg_sq');
});

test('every range begins on a multiple of 64 and holds the bytes of its tensor', async () => {
  const source = torchFile((archive) => ({
    model: { w: archive.tensor(floats(1, 2, 3), [3]), b: archive.tensor(floats(4), [1]) },
  }));
  const segmentation = await segmentSound(source);
  expect(segmentation.ranges.every(({ offset }) => offset % 64 === 0)).toBe(true);
  const w = await elementBytes(source, segmentation, 'model.w');
  expect([...new Float32Array(w.buffer)]).toEqual([1, 2, 3]);
});

test('the archive name, the width of the step and the memo of a resumed run change no key', async () => {
  const keys = keysOf(await segmentState({}));
  expect(keysOf(await segmentState({}, { name: 'a-much-longer-name-than-before' }))).toEqual(keys);
  expect(keysOf(await segmentState({ step: 255 }))).toEqual(keys);
  expect(keysOf(await segmentState({ step: 256 }))).toEqual(keys);
  expect(keysOf(await segmentState({}, { shareTexts: false }))).toEqual(keys);
});

test('a parameter inserted in front renumbers the optimizer but keeps all keys', async () => {
  const before = keysOf(await segmentState({}));
  const after = await segmentState({ parameters: ['first.weight', 'a.weight', 'a.bias', 'head.weight'] });
  expect(keysOf(after)).toEqual(expect.arrayContaining(before));
  const moved = after.ranges.find(({ key }) => key === 'optimizer.state.head.weight.exp_avg');
  expect(moved?.tensors[0].name).toBe('optimizer.state.3.exp_avg');
});

test('a step beside the states of random generators alone is none; in a file that has all of a training it is', async () => {
  const stepIn = async (name: string, make: (archive: TorchArchive) => PyValue) =>
    (await segmentSound(torchFile(make, { name }))).step;
  const accelerate = (archive: TorchArchive) => ({ step: 3, torch_manual_seed: archive.zeros(5) });
  const megatron = (archive: TorchArchive) => ({
    iteration: 3,
    model: { w: archive.zeros(4) },
    rng_state: [{ torch_rng_state: archive.zeros(5) }],
  });
  expect(await stepIn('random_states_0', accelerate)).toBeUndefined();
  expect(await stepIn('model_optim_rng', megatron)).toBe(3);
});

test('before its first step an optimizer has no state', async () => {
  const segmentation = await segmentState({ withState: false, step: 0 });
  expect(keysOf(segmentation)).toEqual(['model.a.weight', 'model.a.bias', 'model.head.weight']);
  expect(segmentation.step).toBe(0);
});

test('tied and shared tensors are one range with all their names', async () => {
  const segmentation = await segmentSound(
    torchFile((archive) => {
      const shared = floats(1, 2, 3, 4);
      const model = {
        'embedding.weight': archive.tensor(shared, [2, 2]),
        'head.weight': archive.tensor(shared, [2, 2]),
      };
      return { model, ema: { 'embedding.weight': archive.tensor(shared, [4]) } };
    }),
  );
  expect(segmentation.ranges).toHaveLength(1);
  expect(segmentation.ranges[0].key).toBe('model.embedding.weight');
  expect(namesOf(segmentation)).toEqual([
    'model.embedding.weight',
    'model.head.weight',
    'ema.embedding.weight',
  ]);
});

test('views keep their offset and strides and give the right elements', async () => {
  const source = torchFile((archive) => {
    const base = floats(...Array.from({ length: 12 }, (_, index) => index));
    return {
      slice: archive.tensor(base, [3], 4),
      transposed: archive.tensor(base, [4, 3], 0, [1, 4]),
      expanded: archive.tensor(base, [3], 5, [0]),
      corner: archive.tensor(base, [0, 2], 99),
    };
  });
  const segmentation = await segmentSound(source);
  const elements = async (name: string) => [
    ...new Float32Array((await elementBytes(source, segmentation, name)).buffer),
  ];
  expect(await elements('slice')).toEqual([4, 5, 6]);
  expect(await elements('transposed')).toEqual([0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11]);
  expect(await elements('expanded')).toEqual([5, 5, 5]);
  expect(await elements('corner')).toEqual([]);
});

test('tensors of no and of one element', async () => {
  const segmentation = await segmentSound(
    torchFile((archive) => ({ none: archive.zeros(0, 3), one: archive.zeros(), last: archive.zeros(0) })),
  );
  expect(segmentation.ranges.map(({ length, tensors }) => [length, tensors[0].shape])).toEqual([
    [0, [0, 3]],
    [4, []],
    [0, [0]],
  ]);
});

test('storages beyond 4 GiB are found by their ZIP64 sizes and offsets', async () => {
  const source = torchFile((archive) => ({
    big: archive.zeros(3 * 2 ** 29),
    small: archive.tensor(floats(7), [1]),
  }));
  const segmentation = await segmentSound(source);
  const [big, small] = segmentation.ranges;
  expect(big.length).toBe(3 * 2 ** 31);
  expect(small.offset).toBeGreaterThan(2 ** 32);
  const bytes = await elementBytes(source, segmentation, 'small');
  expect(new Float32Array(bytes.buffer)[0]).toBe(7);
});

test('elements of big-endian files are bytes, with offsets and strides in bytes', async () => {
  const make = (archive: TorchArchive): PyValue => {
    const base = floats(...Array.from({ length: 9 }, (_, index) => index));
    return { w: archive.zeros(2, 3), step: archive.zeros(), t: archive.tensor(base, [2, 4], 1, [1, 2]) };
  };
  const source = torchFile(make, { byteOrder: 'big' });
  const segmentation = await segmentSound(source);
  expect(segmentation.ranges[0]).toMatchObject({ dtype: 'bytes', tensors: [{ shape: [2, 3, 4] }] });
  expect(segmentation.step).toBeUndefined();
  const little = await segmentSound(torchFile(make));
  expect(await elementBytes(source, segmentation, 't')).toEqual(await elementBytes(source, little, 't'));
});

test('types without a storage class of their own come with the tensor', async () => {
  const untyped = new StorageSpec('UntypedStorage', 1, new Uint8Array(6));
  const rebuild = (archive: TorchArchive, dtype: string, count: number): PyValue => {
    const args = [archive.reference(untyped), 0, new PyTuple(count), new PyTuple(1), false, null];
    const call = new PyTuple(...args, new PyGlobal('torch', dtype));
    return new PyCall(new PyGlobal('torch._utils', '_rebuild_tensor_v3'), call);
  };
  const one = async (...dtypes: [string, number][]) =>
    (
      await segmentSound(
        torchFile((archive) => dtypes.map(([dtype, count]) => rebuild(archive, dtype, count))),
      )
    ).ranges;
  expect(await one(['float8_e4m3fn', 6])).toMatchObject([{ dtype: 'f8e4m3', tensors: [{ shape: [6] }] }]);
  expect(await one(['uint16', 3])).toMatchObject([{ dtype: 'u16', tensors: [{ shape: [3] }] }]);
  expect(await one(['complex32', 1])).toMatchObject([{ dtype: 'bytes', tensors: [{ shape: [1, 4] }] }]);
  // A type of the future: the storage is kept, nothing is known of the tensor.
  expect(await one(['float6_of_2031', 6])).toMatchObject([{ dtype: 'bytes', tensors: [] }]);
  // Two views that disagree.
  expect(await one(['uint16', 3], ['uint32', 1])).toMatchObject([{ dtype: 'bytes', tensors: [{}, {}] }]);
});

test('what is no dense tensor leaves its storages as ranges with a key', async () => {
  const segmentation = await segmentSound(
    torchFile((archive) => {
      const indices = archive.zeros(2, 3);
      const values = archive.zeros(3);
      const sparse = new PyCall(
        new PyGlobal('torch._utils', '_rebuild_sparse_tensor'),
        new PyTuple(null, [indices, values]),
      );
      const quantised = new PyCall(
        new PyGlobal('torch._utils', '_rebuild_qtensor'),
        new PyTuple(archive.reference(floats(1))),
      );
      return { model: { sparse, quantised } };
    }),
  );
  expect(keysOf(segmentation)).toEqual(['model.sparse.1.0', 'model.sparse.1.1', 'model.quantised.0']);
  expect(segmentation.ranges[2].tensors).toEqual([]);
});

test('a pickled module gives the names of its state dict', async () => {
  const source = torchFile((archive) => {
    const module = (className: string, state: PyValue): PyCall =>
      new PyCall(new PyGlobal('my_code', className), new PyTuple(), state, true);
    const norm = module('Norm', {
      _parameters: { weight: archive.zeros(3), bias: null },
      _buffers: { running_mean: archive.zeros(3) },
      _modules: {},
    });
    return module('Net', { training: true, _parameters: {}, _buffers: {}, _modules: { norm, again: norm } });
  });
  const segmentation = await segmentSound(source);
  expect(keysOf(segmentation)).toEqual(['norm.weight', 'norm.running_mean']);
  expect(namesOf(segmentation)).toContain('again.weight');
  expect(segmentation.ranges[0].group).toBe('model');
});

test('nothing in a torch file refers to a second file or a program', async () => {
  const evil = new PyCall(new PyGlobal('os', 'system'), new PyTuple('echo pwned'));
  const segmentation = await segmentSound(torchFile((archive) => ({ model: { w: archive.zeros(2) }, evil })));
  expect(keysOf(segmentation)).toEqual(['model.w']);
});

test('other archives under a torch name are left alone', async () => {
  const bytes = await torchFile(() => null).bytes();
  const text = Buffer.from(bytes).toString('latin1').replaceAll('data.pkl', 'dota.pkl');
  const source = inMemory('x.pt', new Uint8Array(Buffer.from(text, 'latin1')));
  expect(await segmentFile(source)).toEqual({ segmentation: { format: 'zip', ranges: [] } });
});
