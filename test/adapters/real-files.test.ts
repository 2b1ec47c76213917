/** Files written by torch, safetensors and the Hugging Face Trainer: fixtures of this repository, and longer traces. */
import { existsSync, readdirSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { Segmentation } from '../../src/adapters/index.js';
import { describeRanges, elementBytes, keysOf, namesOf, onDisk, segmentSound } from './sources.js';

const FIXTURES = new URL('../../fixtures/', import.meta.url).pathname;
const TRACES = new URL('../../../shared/traces/', import.meta.url).pathname;

function fixture(name: string): Promise<Segmentation> {
  return segmentSound(onDisk(FIXTURES + name));
}

function files(folder: string, extension: RegExp): string[] {
  return readdirSync(FIXTURES + folder).filter((name) => extension.test(name));
}

test('every torch file of the fixtures is read without a problem', async () => {
  const names = ['torch', 'run', 'tied'].flatMap((folder) =>
    files(folder, /\.pth$/).map((name) => `${folder}/${name}`),
  );
  for (const name of names) {
    const { format } = await fixture(name);
    expect(format).toBe(name.includes('legacy') ? 'torch-legacy' : 'torch-zip');
  }
});

test('a torch file and a safetensors file of the same weights give the same names and bytes', async () => {
  const torchSource = onDisk(`${FIXTURES}run/step-100.pth`);
  const plainSource = onDisk(`${FIXTURES}run-safetensors/step-100.safetensors`);
  const torch = await segmentSound(torchSource);
  const plain = await segmentSound(plainSource);
  expect([torch.step, plain.step]).toEqual([100, 100]);
  const names = namesOf(plain);
  expect(namesOf(torch)).toEqual(expect.arrayContaining(names.map((name) => `model.${name}`)));
  for (const name of names) {
    const ours = await elementBytes(torchSource, torch, `model.${name}`);
    expect(Buffer.compare(ours, await elementBytes(plainSource, plain, name))).toBe(0);
  }
});

test('consecutive saves of a run have the same keys', async () => {
  const wanted = describeRanges(await fixture('run/step-100.pth'));
  for (const name of files('run', /\.pth$/))
    expect(describeRanges(await fixture(`run/${name}`))).toEqual(wanted);
  expect(wanted).toContain('rng.torch rng u8 5056');
  expect(wanted.some((line) => /^optimizer\.state\..*weight\.exp_avg optimizer/.test(line))).toBe(true);
});

test('another name, a longer step and a resumed process change no key, an inserted parameter adds its own', async () => {
  const wanted = keysOf(await fixture('torch/step-255.pth')).sort();
  for (const name of ['step-256', 'best-checkpoint-so-far', 'resumed']) {
    expect(keysOf(await fixture(`torch/${name}.pth`)).sort()).toEqual(wanted);
  }
  const inserted = keysOf(await fixture('torch/inserted-front.pth'));
  expect(inserted).toEqual(expect.arrayContaining(wanted));
  expect(inserted.length).toBe(wanted.length + 4);
});

test('the old format gives the same ranges as the new one, whatever its storage keys', async () => {
  const old = [await fixture('torch/legacy-10.pth'), await fixture('torch/legacy-11.pth')];
  const wanted = describeRanges(await fixture('torch/protocol4.pth')).sort();
  for (const segmentation of old) expect(describeRanges(segmentation).sort()).toEqual(wanted);
  expect(old.map(({ step }) => step)).toEqual([10, 11]);
});

test('the optimizer of the first step appears with its parameters', async () => {
  const [before, after] = [await fixture('torch/step-0.pth'), await fixture('torch/step-1.pth')];
  expect(keysOf(after)).toEqual(expect.arrayContaining(keysOf(before)));
  expect(before.ranges.some(({ group }) => group === 'optimizer')).toBe(false);
  expect(after.ranges.filter(({ group }) => group === 'optimizer')).toHaveLength(3 * before.ranges.length);
});

test('tied weights are one range of two names', async () => {
  const { ranges } = await fixture('tied/step-40.pth');
  const tied = ranges.filter(({ tensors }) => tensors.length > 1);
  expect(tied).toHaveLength(1);
  expect(tied[0].tensors.map(({ name }) => name)).toHaveLength(2);
});

test('two optimizers of one file keep apart and find their parameters', async () => {
  const segmentation = await fixture('torch/two-optimizers.pth');
  const keys = segmentation.ranges.filter(({ group }) => group === 'optimizer').map(({ key }) => key);
  expect(new Set(keys.map((key) => key.split('.')[0])).size).toBe(2);
  expect(keys.some((key) => key.endsWith('max_exp_avg_sq'))).toBe(true);
  expect(keys.some((key) => key.endsWith('momentum_buffer'))).toBe(true);
});

test('a checkpoint folder of the Hugging Face Trainer', async () => {
  const folder = 'hf-trainer/checkpoint-110/';
  const optimizer = await fixture(`${folder}optimizer.pt`);
  expect(namesOf(optimizer)).toContain('optimizer.state.0.exp_avg');
  expect(optimizer.ranges.every(({ group }) => group === 'optimizer')).toBe(true);
  const rng = await fixture(`${folder}rng_state.pth`);
  expect(rng.ranges.map(({ group, dtype }) => [group, dtype])).toEqual([['rng', 'u8']]);
  expect(await fixture(`${folder}scheduler.pt`)).toEqual({ format: 'torch-zip', ranges: [] });
  expect(await fixture(`${folder}training_args.bin`)).toEqual({ format: 'torch-zip', ranges: [] });
  expect(await fixture(`${folder}config.json`)).toEqual({ format: 'opaque', ranges: [] });
});

test('element types of torch and of safetensors', async () => {
  const dtypes = new Set((await fixture('torch/dtypes.pth')).ranges.map(({ dtype }) => dtype));
  for (const dtype of ['f16', 'bf16', 'f32', 'f64', 'i8', 'i16', 'i32', 'i64', 'u8', 'bool'])
    expect(dtypes).toContain(dtype);
  const recent = (await fixture('torch/new-dtypes.pth')).ranges.map(({ dtype }) => dtype);
  expect(recent).toEqual(expect.arrayContaining(['f8e4m3', 'f8e5m2', 'u16', 'u32', 'u64', 'bytes']));
  const weights = await fixture('bf16/step-100.safetensors');
  expect(weights.ranges.map(({ dtype }) => dtype)).toContain('bf16');
});

test.skipIf(!existsSync(TRACES))('traces of torch 2.13 and 1.13: all tensors, same keys', async () => {
  const [recent, old] = await Promise.all(
    ['gpt', 'gpt-torch1.13'].map((job) => segmentSound(onDisk(`${TRACES}${job}/step-700.pth`))),
  );
  expect(recent.ranges).toHaveLength(164);
  expect(describeRanges(recent)).toEqual(expect.arrayContaining(describeRanges(old)));
  expect(recent).toMatchObject({ step: 700, metrics: { loss: 2.256958246231079 } });
  expect(keysOf(recent)).toContain('optimizer.state.blocks.0.qkv.weight.exp_avg');
  const weights = await segmentSound(onDisk(`${TRACES}bf16/step-700.safetensors`));
  expect(keysOf(recent)).toEqual(expect.arrayContaining(keysOf(weights).map((key) => `model.${key}`)));
});
