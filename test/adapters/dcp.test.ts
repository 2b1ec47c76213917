import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  linkParameters,
  type RandomAccess,
  type SegmentedFile,
  segmentFile,
} from '../../src/adapters/index.js';
import { inFolder, inMemory, namesOf, onDisk, segmentFolder } from './sources.js';

const FIXTURE = join(import.meta.dirname, '../../fixtures/dcp/step-51');
const FILES = ['.metadata', '__0_0.distcp', '__1_0.distcp'];

/** Segments all files of the folder, some replaced. */
async function segmentAll(replaced: Record<string, Uint8Array | null> = {}): Promise<SegmentedFile[]> {
  const files = FILES.filter((name) => replaced[name] !== null).map((name) => {
    const other = replaced[name];
    return other ? inMemory(name, other) : onDisk(join(FIXTURE, name));
  });
  return [...(await segmentFolder(files)).values()];
}

const bytesOf = (name: string): Uint8Array => new Uint8Array(readFileSync(join(FIXTURE, name)));

describe('a directory of two processes', () => {
  test('has all files that were written', () => {
    expect(readdirSync(FIXTURE).sort()).toEqual(FILES);
  });

  test('names each part of a tensor by the rows that it has', async () => {
    const [, first, second] = await segmentAll();
    expect(namesOf(first.segmentation)).toEqual(
      expect.arrayContaining(['model.0.up.weight[0:16]', 'optimizer.state.0.up.weight.exp_avg[0:16]']),
    );
    expect(namesOf(second.segmentation)).toEqual(
      expect.arrayContaining(['model.0.up.weight[16:32]', 'optimizer.state.0.up.weight.step']),
    );
    expect(first.segmentation.ranges.map(({ group }) => group)).toContain('optimizer');
  });

  test('finds every tensor: six parameters and three of each in the optimizer, all but the steps in two parts', async () => {
    const names = (await segmentAll()).flatMap(({ segmentation }) => namesOf(segmentation));
    expect(names.length).toBe(new Set(names).size);
    expect(names.length).toBe(2 * 6 * 3 + 6);
  });

  test('has its step, and ties weights and moments of each part together with the settings of the optimizer', async () => {
    const results = await segmentAll();
    expect(results[0].segmentation).toMatchObject({ format: 'dcp-metadata', step: 51 });
    const files = results.map(({ segmentation }, at) => ({ path: `checkpoint/${FILES[at]}`, segmentation }));
    const { parameters } = linkParameters(files);
    expect(parameters.length).toBe(12);
    const part = parameters.find(({ name }) => name === '0.up.weight[16:32]');
    expect(part).toMatchObject({
      weights: 'model.0.up.weight[16:32]',
      weightsFile: 2,
      slotFiles: { exp_avg: 2, exp_avg_sq: 2 },
      shape: [16, 8],
      step: 51,
      settings: { lr: 1e-3, beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay: 0.01 },
    });
  });
});

describe('damage', () => {
  test('without .metadata the files are opaque, and nothing is wrong with them', async () => {
    const results = await segmentAll({ '.metadata': null });
    expect(results).toEqual([
      { segmentation: { format: 'opaque', ranges: [] } },
      { segmentation: { format: 'opaque', ranges: [] } },
    ]);
  });

  test('a .metadata that is cut is a typed error of each file that needs it', async () => {
    const results = await segmentAll({ '.metadata': bytesOf('.metadata').subarray(0, 5000) });
    expect(results.map(({ problem }) => problem?.kind)).toEqual(['corrupt', 'corrupt', 'corrupt']);
    expect(results[1].problem?.object).toContain('.metadata');
  });

  test('another pickle by that name is refused', async () => {
    const [{ problem }] = await segmentAll({ '.metadata': Uint8Array.from([0x80, 2, 0x7d, 0x2e]) });
    expect(problem).toMatchObject({ kind: 'corrupt', code: 'dcp-metadata' });
  });

  test('a file with a damaged part is opaque, with the offset in the file; the other keeps its tensors', async () => {
    const bytes = bytesOf('__1_0.distcp');
    const directory = Buffer.from(bytes).lastIndexOf('PK\x01\x02');
    bytes[directory] = 0;
    const [metadata, first, second] = await segmentAll({ '__1_0.distcp': bytes });
    expect(metadata.problem ?? first.problem).toBeUndefined();
    expect(first.segmentation.ranges.length).toBeGreaterThan(0);
    expect(second.problem).toMatchObject({ kind: 'corrupt', code: 'zip-directory' });
    expect(second.problem?.offset).toBeGreaterThan(bytes.length - 2000);
  });

  test('a file that is cut is opaque', async () => {
    const [, first] = await segmentAll({ '__0_0.distcp': bytesOf('__0_0.distcp').subarray(0, 20_000) });
    expect(first.problem).toMatchObject({ kind: 'corrupt', code: 'dcp-place' });
  });

  test('a disk that fails is no damage', async () => {
    const failure = new Error('EIO');
    const failing: RandomAccess = { name: '.metadata', size: 100, read: () => Promise.reject(failure) };
    const folder = inFolder(failing);
    await expect(segmentFile(onDisk(join(FIXTURE, '__0_0.distcp')), folder)).rejects.toBe(failure);
  });
});
