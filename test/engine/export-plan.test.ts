/**
 * Names, shards and shared tensors of an export. Shard boundaries are compared with those of huggingface_hub in
 * test/interop/export.interop.ts. Seen to fail when every first part of names counts as a key (`encoder.` goes), when safetensors files
 * lose their `model.`, when a tensor larger than a shard closes the shard before it, and when the last of tied tensors is kept.
 */
import { describe, expect, test } from 'vitest';
import { planExport } from '../../src/checkpoints/export-plan.js';
import type { TensorLayout } from '../../src/format/index.js';
import type { DType, Group } from '../../src/tensor/index.js';

const PROVENANCE = { id: 'c0ffee', run: 'gpt', step: 7 };

/** A tensor of bytes in a stream of its own, unless one is named. */
function tensor(
  name: string,
  { group = 'model' as Group, bytes = 10, stream = -1, dtype = 'u8' as DType } = {},
): TensorLayout {
  const shape = [bytes];
  const number = stream >= 0 ? stream : [...name].reduce((sum, letter) => sum * 31 + letter.charCodeAt(0), 7);
  return {
    name,
    group,
    dtype,
    shape,
    boxes: [{ origin: [0], extent: shape, stream: number, elementOffset: 0, strides: null }],
  };
}

function namesOf(tensors: TensorLayout[], { format = 'torch-zip', fullNames = false } = {}): string[] {
  const file = { format, size: 0, mode: 0, skeleton: null, pieces: [] };
  const files = format === 'state' ? [] : [file];
  const { shards } = planExport({ files }, tensors, 'model', PROVENANCE, { fullNames });
  return shards.flatMap((shard) => shard.tensors.map(({ name }) => name));
}

describe('names', () => {
  const model = [tensor('model.a.weight'), tensor('model.b.weight')];

  test.each(['state', 'torch-zip', 'torch-legacy'])('of the model of a %s go without their key', (format) => {
    expect(namesOf(model, { format })).toEqual(['a.weight', 'b.weight']);
    expect(namesOf(model, { format, fullNames: true })).toEqual(['model.a.weight', 'model.b.weight']);
  });

  test.each(['state_dict', 'model_state_dict', 'net', 'module'])('go without "%s."', (key) => {
    expect(namesOf([tensor(`${key}.a`), tensor(`${key}.b.c`)])).toEqual(['a', 'b.c']);
  });

  test('go without one key only', () => {
    expect(namesOf([tensor('model.model.a'), tensor('model.lm_head')])).toEqual(['lm_head', 'model.a']);
  });

  test('of safetensors files stay', () => {
    expect(namesOf(model, { format: 'safetensors' })).toEqual(['model.a.weight', 'model.b.weight']);
  });

  test('of a bare state dict stay, even if all of it is in one module', () => {
    expect(namesOf([tensor('encoder.a'), tensor('encoder.b')])).toEqual(['encoder.a', 'encoder.b']);
  });

  test('stay where more than the model is exported, and where a name is a key itself', () => {
    expect(namesOf([tensor('model.a'), tensor('optimizer.m', { group: 'optimizer' })])).toEqual([
      'model.a',
      'optimizer.m',
    ]);
    expect(namesOf([tensor('model.a'), tensor('ema.a')])).toEqual(['ema.a', 'model.a']);
    expect(namesOf([tensor('model.'), tensor('model.a')])).toEqual(['model.', 'model.a']);
  });

  test('are in the order of the reference writer: large elements first, then by code point', () => {
    const tensors = [
      tensor('z', { dtype: 'f32' }),
      tensor('b', { dtype: 'bf16' }),
      tensor('a', { dtype: 'bf16' }),
      tensor('c', { dtype: 'f16' }),
      tensor('\u{10000}', { dtype: 'bool' }),
      tensor('\uffee', { dtype: 'bool' }),
      tensor('d', { dtype: 'i64' }),
    ];
    expect(namesOf(tensors)).toEqual(['d', 'z', 'a', 'b', 'c', '\uffee', '\u{10000}']);
  });
});

describe('shards', () => {
  const cut = (sizes: number[], shardSize: number): string[][] => {
    const tensors = sizes.map((bytes, at) => tensor(`t${at}`, { bytes }));
    const { shards } = planExport({ files: [] }, tensors, 'model', PROVENANCE, { shardSize });
    return shards.map((shard) => shard.tensors.map(({ name }) => name));
  };

  test('are filled in the order of the checkpoint; a tensor that is too large has one of its own', () => {
    expect(cut([40, 40, 40], 80)).toEqual([['t0', 't1'], ['t2']]);
    expect(cut([40, 41, 40], 80)).toEqual([['t0'], ['t1'], ['t2']]);
    expect(cut([40, 100, 40, 1], 80)).toEqual([['t1'], ['t0', 't2'], ['t3']]);
    expect(cut([100, 200], 80)).toEqual([['t0'], ['t1']]);
    expect(cut([80], 80)).toEqual([['t0']]);
  });

  test('are named and listed as Hugging Face does', () => {
    const tensors = [tensor('b', { bytes: 60 }), tensor('a', { bytes: 60 })];
    const { shards, index } = planExport({ files: [] }, tensors, 'model', PROVENANCE, { shardSize: 100 });
    expect(shards.map(({ name }) => name)).toEqual([
      'model-00001-of-00002.safetensors',
      'model-00002-of-00002.safetensors',
    ]);
    expect(index?.name).toBe('model.safetensors.index.json');
    expect(JSON.parse(new TextDecoder().decode(index?.bytes))).toEqual({
      metadata: { total_size: 120 },
      weight_map: { a: 'model-00002-of-00002.safetensors', b: 'model-00001-of-00002.safetensors' },
    });
  });

  test('one is a single file without an index', () => {
    const { shards, index } = planExport({ files: [] }, [tensor('a')], 'model', PROVENANCE, {
      shardSize: 100,
    });
    expect(shards.map(({ name }) => name)).toEqual(['model.safetensors']);
    expect(index).toBeUndefined();
  });

  test('sizes are those after conversion', () => {
    const tensors = ['a', 'b'].map((name) => tensor(name, { bytes: 20, dtype: 'f32' }));
    const count = (dtype?: 'bf16') =>
      planExport({ files: [] }, tensors, 'm', PROVENANCE, { shardSize: 80, ...(dtype && { dtype }) }).shards
        .length;
    expect([count(), count('bf16')]).toEqual([2, 1]);
  });
});

describe('tensors that share memory', () => {
  test('are written once, as the first of them; metadata and result have the others', () => {
    const tensors = [
      tensor('model.embed', { stream: 1 }),
      tensor('model.x'),
      tensor('model.head', { stream: 1 }),
    ];
    const { shards, tied } = planExport({ files: [] }, tensors, 'model', PROVENANCE, { shardSize: 10 });
    expect(tied).toEqual({ head: 'embed' });
    expect(shards.map((shard) => shard.tensors.map(({ name }) => name))).toEqual([['embed'], ['x']]);
    const headers = shards.map(
      ({ header }) => JSON.parse(new TextDecoder().decode(header.subarray(8))) as object,
    );
    const common = {
      format: 'pt',
      step: '7',
      'thetalog.checkpoint': 'c0ffee',
      'thetalog.run': 'gpt',
      'thetalog.prefix': 'model.',
    };
    expect(headers).toMatchObject([{ __metadata__: { ...common, head: 'embed' } }, { __metadata__: common }]);
    expect(headers[1]).not.toHaveProperty('__metadata__.head');
  });

  test('are written both where they have no bytes, other shapes, or a name that the metadata needs', () => {
    const reshaped = { ...tensor('b', { stream: 1 }), shape: [2, 5] };
    for (const tensors of [
      [tensor('a', { bytes: 0, stream: 1 }), tensor('b', { bytes: 0, stream: 1 })],
      [tensor('a', { stream: 1 }), reshaped],
      [tensor('a', { stream: 1 }), tensor('step', { stream: 1 })],
      [tensor('a', { stream: 1 }), tensor('epoch', { stream: 1 })],
    ])
      expect(planExport({ files: [] }, tensors, 'm', PROVENANCE, {})).toMatchObject({ tied: {} });
  });
});

test('a tensor has no bytes if one of its dimensions is 0, whatever the others are', () => {
  const empty = { ...tensor('z', { dtype: 'f64' }), shape: [...Array(40).fill(Number.MAX_SAFE_INTEGER), 0] };
  const [shard] = planExport({ files: [] }, [tensor('a', { bytes: 4 }), empty], 'm', PROVENANCE, {}).shards;
  expect(shard.size).toBe(shard.header.length + 4);
});

test('the name of the metadata is refused, and whole names are proposed', () => {
  const tensors = [tensor('model.__metadata__'), tensor('model.a')];
  expect(() => planExport({ files: [] }, tensors, 'm', PROVENANCE, {})).toThrow(
    expect.objectContaining({
      kind: 'unsupported',
      object: '__metadata__',
      hint: expect.stringMatching(/--full-names/),
    }),
  );
  const { shards } = planExport({ files: [] }, tensors, 'm', PROVENANCE, { fullNames: true });
  expect(shards[0].tensors.map(({ name }) => name)).toContain('model.__metadata__');
});

test.each([
  ['dtype', { dtype: 'fp16' as 'f16' }],
  ['dtype', { dtype: 'f64' as 'f32' }],
  ['shardSize', { shardSize: Number.NaN }],
  ['shardSize', { shardSize: 0 }],
])('an impossible %s is invalid', (object, options) => {
  expect(() => planExport({ files: [] }, [tensor('a')], 'm', PROVENANCE, options)).toThrow(
    expect.objectContaining({ kind: 'invalid', code: 'bad-option', object }),
  );
});

test('an element type that safetensors lacks is refused with the name of the tensor', () => {
  const tensors = [tensor('model.a'), tensor('model.waves', { dtype: 'c128' })];
  expect(() => planExport({ files: [] }, tensors, 'm', PROVENANCE, {})).toThrow(/waves is c128/);
});
