/** TensorFlow.js: fixtures that it wrote, each weight cut where a file ends; manifests that say something else than their files. */
import { readdirSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { linkParameters, type SegmentedFile } from '../../src/adapters/index.js';
import { describeRanges, inMemory, keysOf, onDisk, segmentFolder } from './sources.js';

const FIXTURES = new URL('../../fixtures/tfjs/', import.meta.url).pathname;

function segmentFixture(step: string): Promise<Map<string, SegmentedFile>> {
  const names = readdirSync(FIXTURES + step);
  return segmentFolder(names.map((name) => onDisk(`${FIXTURES}${step}/${name}`)));
}

describe('a model under Adam in five files', () => {
  test('weights and moments by their names, parts where a file ends, and the step', async () => {
    const files = await segmentFixture('step-20');
    expect([...files.values()].filter(({ problem }) => problem !== undefined)).toEqual([]);
    expect(files.get('model.json')?.segmentation).toEqual({ format: 'opaque', ranges: [] });
    const [first, second] = [1, 2].map((at) => files.get(`group1-shard${at}of5.bin`)?.segmentation);
    expect(first?.format).toBe('tfjs');
    expect(first && describeRanges(first)).toContain('hidden/bias model f32 96');
    expect(second && describeRanges(second)).toEqual(
      expect.arrayContaining(['iter optimizer i32 4', 'output/bias model f32 32']),
    );
    expect([...files.values()].map(({ segmentation }) => segmentation.step)).toEqual([
      20,
      20,
      20,
      20,
      20,
      undefined,
    ]);
  });

  test('the ranges are all bytes of all files', async () => {
    for (const [name, { segmentation }] of await segmentFixture('step-20')) {
      if (name === 'model.json') continue;
      const bytes = segmentation.ranges.reduce((sum, { length }) => sum + length, 0);
      expect(bytes, name).toBe(onDisk(`${FIXTURES}step-20/${name}`).size);
    }
  });

  test('each part of a weight has its moments, in whichever file they are', async () => {
    const files = await segmentFixture('step-20');
    const listed = [...files].map(([path, { segmentation }]) => ({ path, segmentation }));
    const keys = listed.map(({ segmentation }) => new Set(keysOf(segmentation)));
    const { parameters } = linkParameters(listed);
    const weights = listed.flatMap(({ segmentation }) =>
      segmentation.ranges.filter(({ group }) => group === 'model').map(({ key }) => key),
    );
    expect(parameters.map((facts) => facts.weights).sort()).toEqual(weights.sort());
    for (const { weights: key, weightsFile, slots, slotFiles, slotsFile, settings, step } of parameters) {
      expect(keys[weightsFile ?? -1].has(key ?? ''), `${key}`).toBe(true);
      expect(Object.keys(slots)).toEqual(['exp_avg', 'exp_avg_sq']);
      for (const [slot, own] of Object.entries(slots))
        expect(keys[slotFiles?.[slot] ?? slotsFile].has(own), own).toBe(true);
      expect({ settings, step }).toEqual({
        settings: { lr: 1e-3, beta1: 0.9, beta2: 0.999, eps: 1e-7 },
        step: 20,
      });
    }
  });

  test('the next step has the same keys', async () => {
    const [first, second] = await Promise.all(['step-20', 'step-21'].map(segmentFixture));
    for (const [name, { segmentation }] of first)
      expect(keysOf(second.get(name)?.segmentation ?? segmentation)).toEqual(keysOf(segmentation));
  });
});

interface WeightDraft {
  name: string;
  shape: unknown;
  dtype: string;
  group?: string;
  quantization?: unknown;
}

const MATRIX: WeightDraft = { name: 'w', shape: [2, 3], dtype: 'float32' };

function manifestOf(weights: readonly WeightDraft[], paths: readonly string[] = ['w.bin']): unknown {
  return { weightsManifest: [{ paths, weights }] };
}

async function segmentWith(
  manifest: unknown,
  sizes: Readonly<Record<string, number>>,
  name = 'model.json',
): Promise<Map<string, SegmentedFile>> {
  const text = typeof manifest === 'string' ? manifest : JSON.stringify(manifest);
  const data = Object.entries(sizes).map(([file, size]) =>
    inMemory(
      file,
      Uint8Array.from({ length: size }, (_, at) => at),
    ),
  );
  return segmentFolder([inMemory(name, new TextEncoder().encode(text)), ...data]);
}

function described(files: ReadonlyMap<string, SegmentedFile>, name = 'w.bin'): string[] | undefined {
  const file = files.get(name);
  expect(file?.problem).toBeUndefined();
  return file && describeRanges(file.segmentation);
}

test('every type of numbers, quantized ones as they are stored', async () => {
  const weights = [
    { ...MATRIX, name: 'i', dtype: 'int32' },
    { ...MATRIX, name: 'b', dtype: 'bool' },
    { ...MATRIX, name: 'c', dtype: 'complex64' },
    {
      ...MATRIX,
      name: 'q8',
      quantization: { dtype: 'uint8', min: -1, scale: 0.1, original_dtype: 'float32' },
    },
    { ...MATRIX, name: 'q16', quantization: { dtype: 'uint16', min: -1, scale: 0.1 } },
    { ...MATRIX, name: 'h', quantization: { dtype: 'float16' } },
    { ...MATRIX, name: 'none', shape: [0, 4] },
  ];
  const files = await segmentWith(manifestOf(weights), { 'w.bin': 24 + 6 + 48 + 6 + 12 + 12 });
  expect(described(files)).toEqual([
    'i model i32 24',
    'b model bool 6',
    'c model c64 48',
    'q8 model u8 6',
    'q16 model u16 12',
    'h model f16 12',
    'none model f32 0',
  ]);
});

test('an element that is cut in two stays in the skeleton', async () => {
  const files = await segmentWith(manifestOf([MATRIX], ['a.bin', './b.bin']), { 'a.bin': 10, 'b.bin': 14 });
  expect(described(files, 'a.bin')).toEqual(['w[0:2] model f32 8']);
  expect(described(files, 'b.bin')).toEqual(['w[3:6] model f32 12']);
  expect(files.get('b.bin')?.segmentation.ranges[0].offset).toBe(2);
});

test('a tensor in three files', async () => {
  const sizes = { 'a.bin': 8, 'b.bin': 8, 'c.bin': 8 };
  const files = await segmentWith(manifestOf([MATRIX], Object.keys(sizes)), sizes);
  expect(Object.keys(sizes).flatMap((name) => described(files, name))).toEqual([
    'w[0:2] model f32 8',
    'w[2:4] model f32 8',
    'w[4:6] model f32 8',
  ]);
});

test('text stays in the skeleton, with what lies between two of them', async () => {
  const text = { name: 't', shape: [2], dtype: 'string' };
  const weights = [MATRIX, text, { ...MATRIX, name: 'x' }, { ...text, name: 'u' }, { ...MATRIX, name: 'y' }];
  const files = await segmentWith(manifestOf(weights), { 'w.bin': 3 * 24 + 31 });
  expect(described(files)).toEqual(['w model f32 24', 'y model f32 24']);
  expect(files.get('w.bin')?.segmentation.ranges[1].offset).toBe(48 + 31);
});

test.each(['face-weights_manifest.json', 'other.json'])(
  'a list alone, as older converters write it: %s',
  async (name) => {
    const manifest = [{ paths: ['face-shard1'], weights: [MATRIX] }];
    expect(described(await segmentWith(manifest, { 'face-shard1': 24 }, name), 'face-shard1')).toEqual([
      'w model f32 24',
    ]);
  },
);

test.each([
  ['model.json', '{"learner": {}}'],
  ['model.json', JSON.stringify(manifestOf([MATRIX], ['other.bin']))],
  ['config.json', '{"cut'],
])('a file that no manifest names is opaque without a warning: %s %s', async (name, text) => {
  const files = await segmentWith(text, { 'w.bin': 24 }, name);
  expect(files.get('w.bin')).toEqual({ segmentation: { format: 'opaque', ranges: [] } });
});

const manifestText = JSON.stringify(manifestOf([MATRIX]));

test.for([
  ['a manifest that ends too early', manifestText.slice(0, -3), 'corrupt', 'bad-json'],
  ['files that are too short', manifestOf([{ ...MATRIX, shape: [7] }]), 'corrupt', 'tfjs-size'],
  ['files that are too long', manifestOf([{ ...MATRIX, shape: [5] }]), 'corrupt', 'tfjs-size'],
  [
    'a shape that no memory holds',
    manifestOf([{ ...MATRIX, shape: [2 ** 40, 2 ** 40] }]),
    'corrupt',
    'tfjs-shape',
  ],
  ['a negative shape', manifestOf([{ ...MATRIX, shape: [-2, -3] }]), 'corrupt', 'tfjs-shape'],
  ['too many dimensions', manifestOf([{ ...MATRIX, shape: new Array(65).fill(1) }]), 'corrupt', 'tfjs-shape'],
  ['no shape', manifestOf([{ ...MATRIX, shape: 6 }]), 'corrupt', 'tfjs-shape'],
  [
    'a weight without dtype',
    manifestOf([{ name: 'w', shape: [6] } as WeightDraft]),
    'corrupt',
    'tfjs-weight',
  ],
  ['an unknown dtype', manifestOf([{ ...MATRIX, dtype: 'float16' }]), 'unsupported', 'tfjs-dtype'],
  [
    'an unknown quantization',
    manifestOf([{ ...MATRIX, quantization: { dtype: 'int4' } }]),
    'unsupported',
    'tfjs-dtype',
  ],
  ['a file twice', manifestOf([MATRIX], ['w.bin', './w.bin']), 'corrupt', 'tfjs-group'],
  [
    'a path that is no text',
    manifestOf([MATRIX], ['w.bin', 7 as unknown as string]),
    'corrupt',
    'tfjs-group',
  ],
  [
    'a path outside of the folder',
    manifestOf([MATRIX], ['w.bin', '../../etc/passwd']),
    'unsupported',
    'tfjs-file-missing',
  ],
] as const)('%s', async ([, manifest, kind, code]) => {
  const { segmentation, problem } = (await segmentWith(manifest, { 'w.bin': 24 })).get('w.bin') ?? {};
  expect(problem).toMatchObject({ kind, code, object: 'model.json', offset: expect.any(Number) });
  expect(segmentation?.format).toBe('opaque');
});
