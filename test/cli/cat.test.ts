import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { Elements } from '../../src/cli/elements.js';
import { previewLines } from '../../src/cli/tensor-preview.js';
import {
  type FileTensor,
  float32Bytes,
  jsonResult,
  newStore,
  safetensorsBytes,
  temporaryFolder,
  thetalog,
} from './command-line.js';
import { run } from './in-process.js';

interface Case extends FileTensor {
  values: unknown;
  text: string;
}

const bytesOf = (array: ArrayBufferView) => new Uint8Array(array.buffer, array.byteOffset, array.byteLength);

const CASES: readonly Case[] = [
  {
    name: 'f64',
    dtype: 'F64',
    shape: [2],
    data: bytesOf(new Float64Array([0.1, -1e300])),
    values: [0.1, -1e300],
    text: '[    0.1, -1e+300]',
  },
  {
    name: 'f32',
    dtype: 'F32',
    shape: [2, 2],
    data: float32Bytes([0.1, -0, Number.NaN, Number.NEGATIVE_INFINITY]),
    values: [
      [Math.fround(0.1), 0],
      ['NaN', '-Infinity'],
    ],
    text: '[[ 0.1,   -0],\n [ nan, -inf]]',
  },
  {
    name: 'f16',
    dtype: 'F16',
    shape: [4],
    data: bytesOf(new Uint16Array([0x3c00, 0x2e66, 0x0001, 0xfc00])),
    values: [1, 0.0999755859375, 2 ** -24, '-Infinity'],
    text: '[   1,  0.1, 6e-8, -inf]',
  },
  {
    name: 'bf16',
    dtype: 'BF16',
    shape: [4],
    data: bytesOf(new Uint16Array([0x3f80, 0xbdcd, 0x7fc0, 0x4049])),
    values: [1, -0.10009765625, 'NaN', 3.140625],
    text: '[   1, -0.1,  nan, 3.14]',
  },
  {
    name: 'f8e4m3',
    dtype: 'F8_E4M3',
    shape: [4],
    data: new Uint8Array([0x38, 0x7e, 0xff, 0x01]),
    values: [1, 448, 'NaN', 2 ** -9],
    text: '[    1,   448,   nan, 0.002]',
  },
  {
    name: 'f8e5m2',
    dtype: 'F8_E5M2',
    shape: [4],
    data: new Uint8Array([0x3c, 0x7b, 0xfc, 0x7e]),
    values: [1, 57344, '-Infinity', 'NaN'],
    text: '[    1, 57344,  -inf,   nan]',
  },
  {
    name: 'i64',
    dtype: 'I64',
    shape: [2],
    data: bytesOf(new BigInt64Array([-(2n ** 63n), 700n])),
    values: ['-9223372036854775808', 700],
    text: '[-9223372036854775808,                  700]',
  },
  {
    name: 'u64',
    dtype: 'U64',
    shape: [],
    data: bytesOf(new BigUint64Array([2n ** 64n - 1n])),
    values: '18446744073709551615',
    text: '18446744073709551615',
  },
  {
    name: 'i32',
    dtype: 'I32',
    shape: [1],
    data: bytesOf(new Int32Array([-5])),
    values: [-5],
    text: '[-5]',
  },
  {
    name: 'u32',
    dtype: 'U32',
    shape: [1],
    data: bytesOf(new Uint32Array([2 ** 32 - 1])),
    values: [2 ** 32 - 1],
    text: '[4294967295]',
  },
  {
    name: 'i16',
    dtype: 'I16',
    shape: [1],
    data: bytesOf(new Int16Array([-300])),
    values: [-300],
    text: '[-300]',
  },
  {
    name: 'u16',
    dtype: 'U16',
    shape: [1],
    data: bytesOf(new Uint16Array([65535])),
    values: [65535],
    text: '[65535]',
  },
  {
    name: 'i8',
    dtype: 'I8',
    shape: [2, 0],
    data: new Uint8Array(0),
    values: [[], []],
    text: '[[],\n []]',
  },
  {
    name: 'u8',
    dtype: 'U8',
    shape: [2],
    data: new Uint8Array([0, 255]),
    values: [0, 255],
    text: '[  0, 255]',
  },
  {
    name: 'bool',
    dtype: 'BOOL',
    shape: [2],
    data: new Uint8Array([1, 0]),
    values: [true, false],
    text: '[ true, false]',
  },
  {
    name: 'c64',
    dtype: 'C64',
    shape: [2],
    data: float32Bytes([1, -2, 0.5, 3]),
    values: [
      [1, -2],
      [0.5, 3],
    ],
    text: '[  1-2j, 0.5+3j]',
  },
];

const LARGE = float32Bytes(Array.from({ length: 2000 }, (_, index) => index));

let env: Record<string, string> = {};

beforeAll(async () => {
  const folder = await temporaryFolder();
  env = { THETALOG_STORE: await newStore(folder) };
  const path = join(folder, 'all.safetensors');
  const large = { name: 'large', dtype: 'F32', shape: [200, 10], data: LARGE };
  await writeFile(path, safetensorsBytes([...CASES, large]));
  const saved = await thetalog(['save', path, '--run', 'all', '--strict'], env);
  expect(saved.stderr).toBe('');
});

test.each(CASES)('$name', async ({ name, shape, data, values, text }) => {
  const [json, plain, raw] = await Promise.all([
    run(['cat', 'all', name, '--json'], { env }),
    run(['cat', 'all', name], { env }),
    run(['cat', 'all', name, '--raw'], { env }),
  ]);
  expect(jsonResult(json)).toEqual({ name, dtype: name, shape, values });
  expect(plain.stdout).toBe(`${name} ${name} [${shape.join(', ')}]\n${text}\n`);
  expect(raw.bytes.equals(data)).toBe(true);
});

test('a large tensor is abbreviated, and summed up in JSON', async () => {
  const { stdout } = await run(['cat', 'all', 'large', '-q'], { env });
  expect(stdout.split('\n').slice(0, 4)).toEqual([
    '[[   0,    1,    2, ...,    7,    8,    9],',
    ' [  10,   11,   12, ...,   17,   18,   19],',
    ' [  20,   21,   22, ...,   27,   28,   29],',
    ' ...,',
  ]);
  expect(jsonResult(await run(['cat', 'all', 'large', '--json'], { env }))).toEqual({
    name: 'large',
    dtype: 'f32',
    shape: [200, 10],
    summary: { elements: 2000, nan: 0, infinite: 0, zero: 1, min: 0, max: 1999, mean: 999.5 },
  });
});

test('an unknown tensor is not found', async () => {
  expect((await run(['cat', 'all', 'f128'], { env })).code).toBe(3);
});

test.each(['f8e4m3', 'f8e5m2', 'f16', 'bf16'] as const)('%s: no text stands for two values', (dtype) => {
  const wide = dtype.endsWith('16');
  const bits = Array.from({ length: wide ? 2 ** 16 : 2 ** 8 }, (_, index) => index);
  const elements = new Elements(dtype, bytesOf(wide ? new Uint16Array(bits) : new Uint8Array(bits)));
  const seen = new Map<string, number>();
  for (const index of bits) {
    const value = Number(elements.value(index));
    if (Number.isNaN(value)) continue;
    const text = elements.text(index);
    expect(seen.get(text)).toBeUndefined();
    seen.set(text, value);
  }
});

test('long rows are broken', () => {
  const data = float32Bytes(Array.from({ length: 60 }, (_, index) => index));
  const lines = previewLines({ dtype: 'f32', shape: [60], data });
  expect(lines.length).toBeGreaterThan(1);
  expect(lines.every((line) => line.length <= 100)).toBe(true);
  expect(lines.join('').replace(/\s/g, '')).toBe(`[${Array.from({ length: 60 }, (_, i) => i).join(',')}]`);
});
