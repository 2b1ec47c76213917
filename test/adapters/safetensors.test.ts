import fc from 'fast-check';
import { expect, test } from 'vitest';
import { segmentFile } from '../../src/adapters/index.js';
import { describeRanges, expectSound, inMemory, namesOf, segmentSound } from './sources.js';

function file(header: unknown, dataBytes: number, padding = 0): Uint8Array {
  const text = `${typeof header === 'string' ? header : JSON.stringify(header)}${' '.repeat(padding)}`;
  const head = new TextEncoder().encode(text);
  const bytes = new Uint8Array(8 + head.length + dataBytes);
  new DataView(bytes.buffer).setUint32(0, head.length, true);
  bytes.set(head, 8);
  return bytes;
}

const entry = (dtype: string, shape: number[], begin: number, end: number) => ({
  dtype,
  shape,
  data_offsets: [begin, end],
});

test('ranges lie where the header says, in file order, whatever the order of the header', async () => {
  const header = {
    'b.weight': entry('BF16', [3], 8, 14),
    'a.weight': entry('F32', [2, 1], 0, 8),
    empty: entry('F64', [0, 4], 14, 14),
  };
  const bytes = file(header, 14, 5);
  const data = bytes.length - 14;
  const { format, ranges } = await segmentSound(inMemory('m.safetensors', bytes));
  expect(format).toBe('safetensors');
  const tensor = (name: string, shape: number[]) => [{ name, shape, elementOffset: 0 }];
  const group = 'model';
  const [a, b] = ['a.weight', 'b.weight'];
  expect(ranges).toEqual([
    { offset: data, length: 8, dtype: 'f32', group, key: a, tensors: tensor(a, [2, 1]) },
    { offset: data + 8, length: 6, dtype: 'bf16', group, key: b, tensors: tensor(b, [3]) },
    { offset: data + 14, length: 0, dtype: 'f64', group, key: 'empty', tensors: tensor('empty', [0, 4]) },
  ]);
});

test('element types that the store lacks are kept as bytes', async () => {
  const header = {
    fnuz: entry('F8_E4M3FNUZ', [2, 2], 0, 4),
    nibbles: entry('F4', [3, 2], 4, 7),
    later: entry('F128_OF_2031', [1], 7, 27),
  };
  const { ranges } = await segmentSound(inMemory('m.safetensors', file(header, 27)));
  expect(ranges.map(({ dtype, tensors }) => [dtype, tensors[0].shape])).toEqual([
    ['bytes', [2, 2]],
    ['bytes', [3]],
    ['bytes', [20]],
  ]);
});

test('names of optimizer state and of training state tell the group', async () => {
  const names = [
    'layers.0.weight',
    'layers.0.weight.exp_avg',
    'optimizer.3.anything',
    'rng_state.cuda',
    'scheduler',
  ];
  const header = Object.fromEntries(names.map((name, i) => [name, entry('U8', [1], i, i + 1)]));
  const segmentation = await segmentSound(inMemory('x.safetensors', file(header, names.length)));
  expect(segmentation.ranges.map(({ group }) => group)).toEqual([
    'model',
    'optimizer',
    'optimizer',
    'rng',
    'model',
  ]);
});

test('a step that is one number beside the trees is the step; metadata comes first', async () => {
  const stepOf = async (header: object, value: number) => {
    const bytes = file(header, 4);
    new DataView(bytes.buffer).setInt32(bytes.length - 4, value, true);
    return (await segmentSound(inMemory('m.safetensors', bytes))).step;
  };
  const metadata = { step: '9' };
  expect(await stepOf({ step: entry('I32', [], 0, 4) }, 1200)).toBe(1200);
  expect(await stepOf({ iteration: entry('I32', [1], 0, 4) }, 3)).toBe(3);
  expect(await stepOf({ step: entry('I32', [], 0, 4), __metadata__: metadata }, 1200)).toBe(9);
  expect(await stepOf({ step: entry('I32', [], 0, 4) }, -1)).toBe(undefined);
  expect(await stepOf({ step: entry('U8', [4], 0, 4) }, 5)).toBe(undefined);
  expect(await stepOf({ 'opt_state.0.step': entry('I32', [], 0, 4) }, 5)).toBe(undefined);
});

test('step and epoch come from the metadata, where they are numbers', async () => {
  const progress = async (metadata: Record<string, string>) => {
    const { step, epoch } = await segmentSound(
      inMemory('x.safetensors', file({ __metadata__: metadata }, 0)),
    );
    return [step, epoch];
  };
  expect(await progress({ step: '1200', epoch: '3', format: 'pt' })).toEqual([1200, 3]);
  expect(await progress({ global_step: '7' })).toEqual([7, undefined]);
  expect(await progress({ step: 'last', epoch: '-1' })).toEqual([undefined, undefined]);
});

test('a file is recognised by its first bytes too', async () => {
  const header = { w: entry('F32', [1], 0, 4) };
  const { format } = await segmentSound(inMemory('model.bin', file(header, 4)));
  expect(format).toBe('safetensors');
  const prose = await segmentFile(inMemory('a.txt', new TextEncoder().encode('12345678{"a": 1}')));
  expect(prose).toEqual({ segmentation: { format: 'opaque', ranges: [] } });
});

test('names of the object prototype are names like others', async () => {
  const header =
    '{"__proto__":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"constructor":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}';
  const segmentation = await segmentSound(inMemory('x.safetensors', file(header, 2)));
  expect(namesOf(segmentation)).toEqual(['__proto__', 'constructor']);
});

test('an error names the byte of the entry at fault', async () => {
  const header =
    '{"fine":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}, "wrong":{"dtype":"U8","shape":[9],"data_offsets":[1,2]}}';
  const { problem } = await segmentFile(inMemory('x.safetensors', file(header, 2)));
  expect(problem).toMatchObject({ kind: 'corrupt', code: 'safetensors-size', object: 'x.safetensors' });
  expect(problem?.offset).toBe(8 + header.indexOf('"wrong"'));
});

test('any tiling is accepted, and any moved boundary is refused', async () => {
  const tensors = fc.array(fc.tuple(fc.string({ minLength: 1, maxLength: 12 }), fc.nat(9)), {
    minLength: 1,
    maxLength: 8,
  });
  await fc.assert(
    fc.asyncProperty(tensors, fc.nat(), async (list, pick) => {
      const sizes = new Map(list.filter(([name]) => name !== '__metadata__'));
      fc.pre(sizes.size > 0);
      const header = new Map<string, ReturnType<typeof entry>>();
      let end = 0;
      for (const [name, size] of sizes) {
        header.set(name, entry('U8', [size], end, end + size));
        end += size;
      }
      const source = inMemory('x.safetensors', file(jsonOf(header), end));
      const segmentation = await segmentSound(source);
      expect(describeRanges(segmentation)).toHaveLength(sizes.size);
      const moved = [...header.values()][pick % header.size];
      moved.data_offsets[1]++;
      const broken = inMemory('x.safetensors', file(jsonOf(header), end));
      const result = await segmentFile(broken);
      expectSound(result, broken);
      expect(result.problem?.kind).toBe('corrupt');
    }),
    { numRuns: 200 },
  );
});

function jsonOf(header: ReadonlyMap<string, unknown>): string {
  return `{${[...header].map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`).join(',')}}`;
}
