import { existsSync } from 'node:fs';
import { expect, test } from 'vitest';
import { linkParameters, type Segmentation } from '../../src/adapters/index.js';
import type { ParameterFacts } from '../../src/tensor/index.js';
import { onDisk, segmentSound } from './sources.js';

const FIXTURES = new URL('../../fixtures/', import.meta.url).pathname;
const TRACES = new URL('../../../shared/traces/', import.meta.url).pathname;

type Shapes = Record<string, number[]>;

/** A file of weights, in the order of safetensors: by name. */
function weights(shapes: Shapes, dtype: 'f32' | 'bf16' = 'f32', format = 'safetensors'): Segmentation {
  const names = format === 'safetensors' ? Object.keys(shapes).sort() : Object.keys(shapes);
  let offset = 0;
  const ranges = names.map((name) => {
    const length = shapes[name].reduce((product, size) => product * size, dtype === 'f32' ? 4 : 2);
    const begin = offset;
    offset += length;
    const tensors = [{ name, shape: shapes[name], elementOffset: 0 }];
    return { offset: begin, length, dtype, group: 'model' as const, key: name, tensors };
  });
  return { format, ranges };
}

/** A file of an optimizer that knows parameters by number only. */
function optimizer(groups: number[][][], names?: string[]): Segmentation {
  let index = 0;
  const parameters = groups.flatMap((shapes, group) =>
    shapes.map((shape): ParameterFacts => {
      const own = index++;
      const slots = { exp_avg: `optimizer.state.${own}.exp_avg` };
      const settings = { weight_decay: group === 0 ? 0.1 : 0 };
      const name = names?.[own] ?? null;
      return {
        weights: null,
        slots,
        optimizer: 'optimizer.state.',
        group,
        index: own,
        name,
        shape,
        settings,
        step: 1,
      };
    }),
  );
  return { format: 'torch-zip', ranges: [], parameters };
}

function linked(...files: [string, Segmentation][]): (string | null)[] {
  const { parameters } = linkParameters(files.map(([path, segmentation]) => ({ path, segmentation })));
  return parameters.map((facts) => facts.weights);
}

/** The parameters of a model as torch counts them in one group, and in the two groups of a Trainer. */
function expectFound(model: Shapes): void {
  const names = Object.keys(model);
  const vectors = names.filter((name) => model[name].length === 1);
  const matrices = names.filter((name) => model[name].length > 1);
  const shapesOf = (some: string[]) => some.map((name) => model[name]);
  const file: [string, Segmentation] = ['c/model.safetensors', weights(model)];
  expect(linked(['c/optimizer.pt', optimizer([shapesOf(names)])], file)).toEqual(names);
  expect(linked(['c/optimizer.pt', optimizer([shapesOf(matrices), shapesOf(vectors)])], file)).toEqual([
    ...matrices,
    ...vectors,
  ]);
}

function layers(count: number, layer: (at: string) => Shapes): Shapes {
  return Object.assign({}, ...Array.from({ length: count }, (_, at) => layer(`.${at}.`)));
}

test('the folder of a real Hugging Face Trainer', async () => {
  const folder = `${FIXTURES}hf-trainer/checkpoint-110/`;
  const names = ['config.json', 'model.safetensors', 'optimizer.pt', 'rng_state.pth'];
  const files = await Promise.all(
    names.map(async (path) => ({ path, segmentation: await segmentSound(onDisk(folder + path)) })),
  );
  const { parameters, copies } = linkParameters(files);
  const block = (at: number, ...names: string[]) => names.map((name) => `blocks.${at}.${name}`);
  const matrices = ['qkv.weight', 'out.weight', 'up.weight', 'down.weight'];
  const ln = (name: string) => [`${name}.weight`, `${name}.bias`];
  const vectors = [...ln('ln1'), 'qkv.bias', 'out.bias', ...ln('ln2'), 'up.bias', 'down.bias'];
  expect(parameters.map((facts) => facts.weights)).toEqual([
    ...['tok.weight', 'pos.weight', ...block(0, ...matrices), ...block(1, ...matrices), 'head.weight'],
    ...[...block(0, ...vectors), ...block(1, ...vectors), 'ln.weight', 'ln.bias'],
  ]);
  expect(parameters.every((facts) => facts.slotsFile === 2 && facts.weightsFile === 1)).toBe(true);
  const decays = parameters.map(({ group, settings }) => `${group} ${settings.weight_decay}`);
  expect([...new Set(decays)]).toEqual(['0 0.1', '1 0']);
  expect(parameters.every(({ step }) => step === 110)).toBe(true);
  expect(copies).toEqual([]);
  expect(files[2].segmentation.parameters?.every((facts) => facts.weights === null)).toBe(true);
});

test('names of GPT-2, Llama, BERT and a convolutional network', () => {
  expectFound({
    'transformer.wte.weight': [50, 8],
    'transformer.wpe.weight': [16, 8],
    ...layers(12, (at) => ({
      [`transformer.h${at}ln_1.weight`]: [8],
      [`transformer.h${at}ln_1.bias`]: [8],
      [`transformer.h${at}attn.c_attn.weight`]: [8, 24],
      [`transformer.h${at}attn.c_attn.bias`]: [24],
      [`transformer.h${at}attn.c_proj.weight`]: [8, 8],
      [`transformer.h${at}attn.c_proj.bias`]: [8],
      [`transformer.h${at}ln_2.weight`]: [8],
      [`transformer.h${at}ln_2.bias`]: [8],
      [`transformer.h${at}mlp.c_fc.weight`]: [8, 32],
      [`transformer.h${at}mlp.c_fc.bias`]: [32],
      [`transformer.h${at}mlp.c_proj.weight`]: [32, 8],
      [`transformer.h${at}mlp.c_proj.bias`]: [8],
    })),
    'transformer.ln_f.weight': [8],
    'transformer.ln_f.bias': [8],
  });
  expectFound({
    'model.embed_tokens.weight': [64, 16],
    ...layers(11, (at) => ({
      [`model.layers${at}self_attn.q_proj.weight`]: [16, 16],
      [`model.layers${at}self_attn.k_proj.weight`]: [16, 16],
      [`model.layers${at}self_attn.v_proj.weight`]: [16, 16],
      [`model.layers${at}self_attn.o_proj.weight`]: [16, 16],
      [`model.layers${at}mlp.gate_proj.weight`]: [40, 16],
      [`model.layers${at}mlp.up_proj.weight`]: [40, 16],
      [`model.layers${at}mlp.down_proj.weight`]: [16, 40],
      [`model.layers${at}input_layernorm.weight`]: [16],
      [`model.layers${at}post_attention_layernorm.weight`]: [16],
    })),
    'model.norm.weight': [16],
    'lm_head.weight': [64, 16],
  });
  expectFound({
    'conv1.weight': [8, 3, 3, 3],
    'bn1.weight': [8],
    'bn1.bias': [8],
    ...layers(2, (at) => ({
      [`layer1${at}conv1.weight`]: [8, 8, 3, 3],
      [`layer1${at}bn1.weight`]: [8],
      [`layer1${at}bn1.bias`]: [8],
      [`layer1${at}conv2.weight`]: [8, 8, 3, 3],
      [`layer1${at}bn2.weight`]: [8],
      [`layer1${at}bn2.bias`]: [8],
    })),
    'fc.weight': [10, 8],
    'fc.bias': [10],
  });
});

test('shards are one model, other folders and moving averages come after', () => {
  const [first, second]: Shapes[] = [{ 'a.weight': [4, 3] }, { 'b.weight': [2, 4], 'b.bias': [2] }];
  const all = { ...first, ...second };
  const own = optimizer([[[4, 3], [2, 4], [2]]]);
  const shards: [string, Segmentation][] = [
    ['c/model-00001-of-00002.safetensors', weights(first)],
    ['c/model-00002-of-00002.safetensors', weights(second)],
  ];
  expect(linked(['c/optimizer.pt', own], ...shards)).toEqual(['a.weight', 'b.weight', 'b.bias']);
  const files: [string, Segmentation][] = [
    ['d/model.safetensors', weights(all)],
    ['c/ema.safetensors', weights(all)],
    ['c/model.safetensors', weights(all)],
    ['c/optimizer.pt', own],
  ];
  const { parameters } = linkParameters(files.map(([path, segmentation]) => ({ path, segmentation })));
  expect(parameters.map(({ weightsFile }) => weightsFile)).toEqual([2, 2, 2]);
});

test('a torch file of weights is in the order of the model', () => {
  const model = { 'z.weight': [2, 2], 'a.weight': [2, 2], 'm.running_mean': [2] };
  const shapes = [
    [
      [2, 2],
      [2, 2],
    ],
  ];
  expect(
    linked(['optimizer.pt', optimizer(shapes)], ['pytorch_model.bin', weights(model, 'f32', 'torch-zip')]),
  ).toEqual(['z.weight', 'a.weight']);
});

test('names that the optimizer has count more than the order', () => {
  const file = weights({ 'a.weight': [2, 2], 'b.weight': [2, 2], 'frozen.weight': [9] });
  const named = optimizer(
    [
      [
        [2, 2],
        [2, 2],
      ],
    ],
    ['module.b.weight', 'module.a.weight'],
  );
  expect(linked(['optimizer.pt', named], ['model.safetensors', file])).toEqual(['b.weight', 'a.weight']);
});

test('other counts and other shapes are no match', () => {
  const file: [string, Segmentation] = ['model.safetensors', weights({ a: [2, 2], b: [3] })];
  for (const shapes of [
    [[2, 2]],
    [[2, 2], [3], [3]],
    [[2, 2], [4]],
    [
      [3, 1],
      [2, 2],
    ],
  ])
    expect(linked(['optimizer.pt', optimizer([shapes])], file)).toEqual(shapes.map(() => null));
});

test('a hopeless search ends', () => {
  const names = Array.from({ length: 60 }, (_, at) => `part${String.fromCharCode(97 + (at % 26), 97 + at)}`);
  const model: Shapes = Object.fromEntries(names.map((name) => [name, [4, 4]]));
  const shapes = [...names.slice(1).map(() => [4, 4]), [5]];
  const start = performance.now();
  expect(linked(['optimizer.pt', optimizer([shapes])], ['m.safetensors', weights(model)])[0]).toBeNull();
  expect(performance.now() - start).toBeLessThan(2000);
});

test('16-bit weights beside fp32 masters of the same names', () => {
  const shapes: Shapes = { 'a.weight': [4, 3], 'b.weight': [2] };
  const files: [string, Segmentation][] = [
    ['c/model.safetensors', weights(shapes, 'bf16')],
    [
      'c/master.safetensors',
      weights(Object.fromEntries(Object.entries(shapes).map(([k, v]) => [`master.${k}`, v]))),
    ],
    ['c/optimizer.pt', optimizer([[[4, 3], [2]]])],
    ['c/ema.safetensors', weights(shapes)],
  ];
  const { parameters, copies } = linkParameters(
    files.map(([path, segmentation]) => ({ path, segmentation })),
  );
  expect(parameters.map((facts) => facts.weights)).toEqual(['master.a.weight', 'master.b.weight']);
  const made = (['a.weight', 'b.weight'] as const).flatMap((copy) => {
    const from = { weights: `master.${copy}`, weightsFile: 1, copy };
    return [
      { kind: 'cast', ...from, copyFile: 0 },
      { kind: 'average', ...from, copyFile: 3 },
    ];
  });
  expect(copies).toEqual(made);
});

test.skipIf(!existsSync(TRACES))('a trace and its bf16 weights', async () => {
  const paths = [`${TRACES}gpt/step-700.pth`, `${TRACES}bf16/step-700.safetensors`];
  const files = await Promise.all(
    paths.map(async (path) => ({ path, segmentation: await segmentSound(onDisk(path)) })),
  );
  const { parameters, copies } = linkParameters(files);
  expect(
    parameters.every(({ weights: key, weightsFile }) => key?.startsWith('model.') && weightsFile === 0),
  ).toBe(true);
  expect(copies).toHaveLength(41);
  expect(copies.every(({ weights: key, copy }) => key === `model.${copy}`)).toBe(true);
});
