import { readdirSync } from 'node:fs';
import { expect, test } from 'vitest';
import { describeRanges, elementBytes, inMemory, onDisk, segmentSound } from './sources.js';

const FIXTURES = new URL('../../fixtures/numpy/', import.meta.url).pathname;

function npy(
  descr: string,
  shape: string,
  data: number,
  { fortran = 'False', version = 1 } = {},
): Uint8Array {
  const header = `{'descr': ${descr}, 'fortran_order': ${fortran}, 'shape': ${shape}, }\n`;
  const text = new TextEncoder().encode(header);
  const length =
    version === 1 ? [text.length & 255, text.length >> 8] : [text.length & 255, text.length >> 8, 0, 0];
  return new Uint8Array([
    0x93,
    ...new TextEncoder().encode('NUMPY'),
    version,
    0,
    ...length,
    ...text,
    ...new Uint8Array(data),
  ]);
}

async function one(...arguments_: Parameters<typeof npy>) {
  const { ranges } = await segmentSound(inMemory('dir/weights.npy', npy(...arguments_)));
  const [{ dtype, length, key, tensors }] = ranges;
  return [key, dtype, length, tensors[0].shape, tensors[0].strides];
}

test('types, orders, shapes and versions', async () => {
  expect(await one("'<f4'", '(2, 3)', 24)).toEqual(['weights', 'f32', 24, [2, 3], undefined]);
  expect(await one("'<f4'", '(2, 3)', 24, { fortran: 'True' })).toEqual([
    'weights',
    'f32',
    24,
    [2, 3],
    [1, 2],
  ]);
  expect(await one("'|b1'", '()', 1)).toEqual(['weights', 'bool', 1, [], undefined]);
  expect(await one("'<U2'", '(3,)', 24)).toEqual(['weights', 'bytes', 24, [3, 8], undefined]);
  expect(await one("'>i8'", '(2,)', 16)).toEqual(['weights', 'bytes', 16, [2, 8], undefined]);
  expect(await one("'<M8[ns]'", '(2,)', 16)).toEqual(['weights', 'i64', 16, [2], undefined]);
  expect(await one("'|V2'", '(4,)', 8)).toEqual(['weights', 'bytes', 8, [4, 2], undefined]);
  expect(await one("'<f16'", '(1,)', 16)).toEqual(['weights', 'bytes', 16, [1, 16], undefined]);
  expect(await one("'<c16'", '(1,)', 16, { version: 3 })).toEqual(['weights', 'c128', 16, [1], undefined]);
  expect(await one("[('a', '<i4'), ('b', '<f8')]", '(2,)', 24, { version: 2 })).toEqual([
    'weights',
    'bytes',
    24,
    [24],
    undefined,
  ]);
  expect(await one("'<f8'", '(0, 5)', 0)).toEqual(['weights', 'f64', 0, [0, 5], undefined]);
});

test('bytes after the array are skeleton', async () => {
  const { ranges } = await segmentSound(inMemory('a.npy', npy("'<i2'", '(2,)', 10)));
  expect(ranges[0].length).toBe(4);
});

test('every fixture is read without a problem', async () => {
  const found = new Map<string, string[]>();
  for (const name of readdirSync(FIXTURES).sort())
    found.set(name, describeRanges(await segmentSound(onDisk(FIXTURES + name))));
  expect(found.get('object.npy')).toEqual([]);
  expect(found.get('compressed.npz')).toEqual([]);
  expect(found.get('float32-fortran.npy')?.[0]).toMatch(/^float32-fortran model f32 /);
  expect(found.get('float32-big-endian.npy')?.[0]).toMatch(/^float32-big-endian model bytes /);
  expect(found.get('scalar.npy')).toHaveLength(1);
  expect(found.get('empty.npy')?.[0]).toMatch(/ 0$/);
  expect(found.get('stored.npz')).toEqual(found.get('stored-next.npz'));
  expect(found.get('stored.npz')?.length).toBeGreaterThan(0);
});

test('members of an archive are found where they lie', async () => {
  const source = onDisk(`${FIXTURES}stored.npz`);
  const segmentation = await segmentSound(source);
  for (const { key, length } of segmentation.ranges) {
    expect((await elementBytes(source, segmentation, key)).length).toBe(length);
  }
});
