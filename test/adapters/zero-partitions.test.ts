/** Flat partitions of DeepSpeed's ZeRO, and the weights that lie side by side in one buffer. */
import { expect, test } from 'vitest';
import { linkParameters, type Segmentation } from '../../src/adapters/index.js';
import { PyCall, PyFloat, PyGlobal, PyTuple, type PyValue } from './pickle-writer.js';
import { describeRanges, namesOf, segmentSound } from './sources.js';
import { StorageSpec, type TorchArchive, torchFile, zeros } from './torch-zip-writer.js';

const PADDING = 2;

function address(start: number, numel: number): PyCall {
  const fragment = new PyGlobal('deepspeed.utils.tensor_fragment', 'fragment_address');
  return new PyCall(fragment, new PyTuple(), { numel, start }, true);
}

/** The file of one process: as many elements as the mapping says, and padding. */
function partition(
  mapping: Record<string, PyValue>,
  elements: number,
  change: (zero: Record<string, PyValue>) => Record<string, PyValue> = (zero) => zero,
): Promise<Segmentation> {
  const make = (archive: TorchArchive): PyValue => {
    const state = { step: 4, exp_avg: archive.zeros(elements + PADDING) };
    const group = { lr: new PyFloat(0.001), params: [0] };
    return {
      optimizer_state_dict: change({
        base_optimizer_state: { state: new Map<PyValue, PyValue>([[0, state]]), param_groups: [group] },
        single_partition_of_fp32_groups: [archive.tensor(zeros(elements + PADDING), [elements])],
        param_slice_mappings: [mapping],
      }),
    };
  };
  return segmentSound(torchFile(make, { name: 'bf16_zero_pp_rank_0_mp_rank_00_optim_states' }));
}

/** bf16 weights that are views of one tensor. */
function module(shapes: Record<string, number[]>, starts: Record<string, number>): Promise<Segmentation> {
  const end = Math.max(
    ...Object.entries(shapes).map(([name, shape]) => starts[name] + shape[0] * (shape[1] ?? 1)),
  );
  const flat = new StorageSpec('BFloat16Storage', 2, 2 * (end + PADDING));
  const views = (archive: TorchArchive) =>
    Object.entries(shapes).map(([name, shape]): [PyValue, PyValue] => [
      name,
      archive.tensor(flat, shape, starts[name]),
    ]);
  return segmentSound(torchFile((archive) => ({ module: new Map(views(archive)) })));
}

const UP = 'layers.0.up.weight';
const DOWN = 'layers.0.down.weight';
const MAPPING = { [UP]: address(0, 8192), [DOWN]: address(8192, 4096) };

test('a flat partition is taken apart into parameters by name, and padding', async () => {
  const segmentation = await partition(MAPPING, 12288);
  const moments = 'optimizer_state_dict.base_optimizer_state.state';
  const weights = 'optimizer_state_dict.single_partition_of_fp32_groups.0';
  expect(describeRanges(segmentation)).toEqual([
    `${moments}.${UP}.exp_avg optimizer f32 32768`,
    `${moments}.${DOWN}.exp_avg optimizer f32 16384`,
    `${moments}.${UP}.exp_avg+rest optimizer f32 8`,
    `${weights}.${UP} optimizer f32 32768`,
    `${weights}.${DOWN} optimizer f32 16384`,
    `${weights}.${UP}+rest optimizer f32 8`,
  ]);
  expect(namesOf(segmentation)).toHaveLength(4);
  expect(segmentation.parameters).toMatchObject([
    { name: UP, step: 4, weights: `${weights}.${UP}`, settings: { lr: 0.001 } },
    { name: DOWN, step: 4, weights: `${weights}.${DOWN}`, slots: { exp_avg: `${moments}.${DOWN}.exp_avg` } },
  ]);
});

test('16-bit weights side by side in one buffer are copies of the partitions, but for one that two processes share', async () => {
  const files = [
    { path: 'rank_0.pt', segmentation: await partition(MAPPING, 12288) },
    { path: 'rank_1.pt', segmentation: await partition({ [DOWN]: address(0, 4096) }, 4096) },
    {
      path: 'mp_rank_00_model_states.pt',
      segmentation: await module({ [UP]: [64, 128], [DOWN]: [128, 64] }, { [UP]: 0, [DOWN]: 8192 }),
    },
  ];
  expect(linkParameters(files).copies).toEqual([
    {
      kind: 'cast',
      weights: `optimizer_state_dict.single_partition_of_fp32_groups.0.${UP}`,
      weightsFile: 0,
      copy: `module.${UP}`,
      copyFile: 2,
    },
  ]);
});

test('what is not laid out so stays flat', async () => {
  const flat = (segmentation: Segmentation) =>
    namesOf(segmentation).filter((name) => name.endsWith('single_partition_of_fp32_groups.0'));
  const tooLong = { [UP]: address(0, 8192), [DOWN]: address(8192, 4097) };
  expect(flat(await partition(tooLong, 12288))).toHaveLength(1);
  expect(flat(await partition({ [UP]: 8192 }, 12288))).toHaveLength(1);
  expect(flat(await partition({ [UP]: address(-1, 8) }, 12288))).toHaveLength(1);
  expect(flat(await partition(MAPPING, 12288, ({ param_slice_mappings: _, ...zero }) => zero))).toHaveLength(
    1,
  );
});

test('overlapping and tied weights, and those of a few elements, share their range', async () => {
  const shapes = { a: [64, 64], b: [64, 64] };
  expect((await module(shapes, { a: 0, b: 4096 })).ranges).toHaveLength(3);
  expect((await module(shapes, { a: 0, b: 4095 })).ranges).toHaveLength(1);
  expect((await module(shapes, { a: 0, b: 0 })).ranges).toHaveLength(1);
  const tied = await module({ ...shapes, c: [4096] }, { a: 0, b: 4096, c: 4096 });
  expect(tied.ranges.map(({ tensors }) => tensors.map(({ name }) => name))).toEqual([
    ['module.a'],
    ['module.b', 'module.c'],
    [],
  ]);
  expect((await module({ a: [64], b: [64] }, { a: 0, b: 64 })).ranges).toHaveLength(1);
});
