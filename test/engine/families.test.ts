/** Families of streams, of as many parameters as the shards of a large model have. */
import { expect, test } from 'vitest';
import { findFamilies, linkRanges } from '../../src/checkpoints/families.js';
import { memorySource, type PlannedRange } from '../../src/checkpoints/plan.js';
import type { DType, LinkedParameter, WeightsCopy } from '../../src/tensor/index.js';

const ELEMENTS = 2048;

function range(key: string, dtype: DType, bytes: number): PlannedRange {
  const group = key.startsWith('m') ? 'optimizer' : 'model';
  return { file: 0, key, group, dtype, source: memorySource(new Uint8Array(ELEMENTS * bytes)) };
}

function parameter(at: number): LinkedParameter {
  const facts = {
    optimizer: 'o',
    group: 0,
    index: at,
    name: `w${at}`,
    shape: [ELEMENTS],
    settings: {},
    step: 1,
  };
  return { ...facts, weights: `w${at}`, weightsFile: 0, slots: { exp_avg: `m${at}` }, slotsFile: 0 };
}

function copy(at: number, of: string): WeightsCopy {
  return { kind: 'cast', weights: `w${at}`, weightsFile: 0, copy: `${of}${at}`, copyFile: 0 };
}

test('weights, moments and copies of 20,000 parameters are put together in seconds', () => {
  const numbers = [...Array(20_000).keys()];
  const zeros = [range('w', 'f32', 4), range('m', 'f32', 4), range('h', 'bf16', 2), range('g', 'f16', 2)];
  const ranges = numbers.flatMap((at) => zeros.map((zero) => ({ ...zero, key: `${zero.key}${at}` })));
  const pairs = ['h', 'g'].flatMap((of) => numbers.map((at) => copy(at, of)));
  const placements = ranges.map((_, stream) => ({ stream, byteOffset: 0 }));
  const before = process.cpuUsage();
  const families = findFamilies(ranges, placements, linkRanges(ranges, numbers.map(parameter), pairs));
  const { user, system } = process.cpuUsage(before);
  expect(families).toHaveLength(20_000);
  expect(families[1].streams).toEqual({ weights: 4, exp_avg: 5, copy: 6, copy1: 7 });
  expect((user + system) / 1e6).toBeLessThan(5);
});
