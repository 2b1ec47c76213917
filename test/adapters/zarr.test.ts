/**
 * Chunks of zarr arrays as Orbax lays them out; test/interop/orbax.interop.ts has Orbax's own. Seen to fail without the check of
 * the chunk's size, when compressed chunks are taken, and when slots are looked for in the file of the first.
 */
import { expect, test } from 'vitest';
import { linkParameters, type SegmentedFile, segmentFile } from '../../src/adapters/index.js';
import { describeRanges, expectSound, inFolder, inMemory } from './sources.js';

interface Description {
  dtype?: string;
  shape: number[];
  chunks?: number[];
  compressor?: unknown;
  order?: string;
}

/** Segments one chunk of an array. */
async function segmentChunk(
  path: string,
  bytes: Uint8Array,
  { dtype = '<f4', shape, chunks = shape, compressor = null, order = 'C' }: Description,
): Promise<SegmentedFile> {
  const fields = { chunks, compressor, dimension_separator: '.', dtype, fill_value: null, filters: null };
  const text = JSON.stringify({ ...fields, order, shape, zarr_format: 2 });
  const source = inMemory(path, bytes);
  const description = inMemory('.zarray', new TextEncoder().encode(text));
  const result = await segmentFile(source, inFolder(description));
  expectSound(result, source);
  return result;
}

test('an array is called as its folder', async () => {
  const weights = await segmentChunk('/run/state/params.Dense_0.kernel/0.0', new Uint8Array(24), {
    shape: [2, 3],
  });
  expect(weights.segmentation.format).toBe('zarr');
  expect(describeRanges(weights.segmentation)).toEqual(['params.Dense_0.kernel model f32 24']);
  const half = await segmentChunk('opt_state.0.mu.w/0', new Uint8Array(6), { dtype: 'bfloat16', shape: [3] });
  expect(describeRanges(half.segmentation)).toEqual(['opt_state.0.mu.w optimizer bf16 6']);
});

test('a chunk of several is called as its part of the array', async () => {
  const { segmentation } = await segmentChunk('params.w/1.0', new Uint8Array(24), {
    shape: [3, 3],
    chunks: [2, 3],
  });
  expect(describeRanges(segmentation)).toEqual(['params.w[2:4,0:3] model f32 24']);
});

test('columns behind one another are no rows', async () => {
  const { segmentation } = await segmentChunk('params.w/0.0', new Uint8Array(24), {
    shape: [2, 3],
    order: 'F',
  });
  expect(segmentation.ranges[0].tensors[0].strides).toEqual([1, 2]);
});

test('a count is the step', async () => {
  const bytes = Uint8Array.of(41, 1, 0, 0);
  const count = await segmentChunk('opt_state.0.count/0', bytes, { dtype: '<i4', shape: [] });
  expect(count.segmentation.step).toBe(297);
  const other = await segmentChunk('opt_state.0.size/0', bytes, { dtype: '<i4', shape: [] });
  expect(other.segmentation.step).toBeUndefined();
});

test('compressed chunks, unknown types and numbers without a description are opaque', async () => {
  const zstd = { id: 'zstd', level: 1 };
  const compressed = await segmentChunk('params.w/0', new Uint8Array(19), { shape: [8], compressor: zstd });
  const unknown = await segmentChunk('params.w/0', new Uint8Array(4), { shape: [8], dtype: 'int4' });
  const alone = await segmentFile(inMemory('logs/0', new Uint8Array(24)));
  const beside = await segmentChunk('params.w/7', new Uint8Array(24), { shape: [4, 3], chunks: [2, 3] });
  for (const { segmentation, problem } of [compressed, unknown, alone, beside]) {
    expect(problem).toBeUndefined();
    expect(segmentation).toEqual({ format: 'opaque', ranges: [] });
  }
});

test('a chunk of another size is damaged', async () => {
  const { problem } = await segmentChunk('params.w/0', new Uint8Array(28), { shape: [8] });
  expect(problem).toMatchObject({ kind: 'corrupt', code: 'zarr-size', object: 'params.w/0' });
});

test('moments belong to the weights of the same tree', async () => {
  const files = [];
  for (const tree of ['a', 'b']) {
    for (const name of ['opt_state.0.mu.w', 'opt_state.0.nu.w', 'params.w']) {
      const path = `${tree}/${name}/0`;
      const { segmentation } = await segmentChunk(path, new Uint8Array(32), { shape: [8] });
      files.push({ path, segmentation });
    }
    const path = `${tree}/opt_state.0.count/0`;
    const count = await segmentChunk(path, Uint8Array.of(7, 0, 0, 0), { dtype: '<i4', shape: [] });
    files.push({ path, segmentation: count.segmentation });
  }
  const slots = { exp_avg: 'opt_state.0.mu.w', exp_avg_sq: 'opt_state.0.nu.w' };
  const facts = { weights: 'params.w', slots, step: 7 };
  expect(linkParameters(files).parameters).toEqual([
    expect.objectContaining({ ...facts, weightsFile: 2, slotFiles: { exp_avg: 0, exp_avg_sq: 1 } }),
    expect.objectContaining({ ...facts, weightsFile: 6, slotFiles: { exp_avg: 4, exp_avg_sq: 5 } }),
  ]);
});
