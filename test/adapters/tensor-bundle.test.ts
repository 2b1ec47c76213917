/** TensorBundle: fixtures that TensorFlow wrote; indexes that say something else than their data files. */
import { readdirSync } from 'node:fs';
import { expect, test } from 'vitest';
import { type SegmentedFile, segmentFile } from '../../src/adapters/index.js';
import { littleEndian } from '../reliability/dice.js';
import { BUNDLE_DATA } from '../reliability/malformed-bundle.js';
import { joined } from '../reliability/malformed-pickle.js';
import {
  block,
  type EntryDraft,
  entryOf,
  field,
  header,
  MAGIC,
  varint,
  writeTable,
} from './bundle-writer.js';
import { describeRanges, inFolder, inMemory, keysOf, onDisk, segmentFolder } from './sources.js';

const FIXTURES = new URL('../../fixtures/tensorflow/', import.meta.url).pathname;

async function segmentFixture(folder: string, name: string): Promise<SegmentedFile> {
  const names = readdirSync(FIXTURES + folder);
  const results = await segmentFolder(names.map((file) => onDisk(`${FIXTURES}${folder}/${file}`)));
  return results.get(name) ?? expect.fail(`no ${name}`);
}

test('a checkpoint of a Keras model: weights, moments and counters by their names, step and learning rate', async () => {
  const { segmentation, problem } = await segmentFixture('step-10', 'ckpt-1.data-00000-of-00001');
  expect(problem).toBeUndefined();
  expect(segmentation.format).toBe('tensor-bundle');
  expect(describeRanges(segmentation)).toEqual(
    expect.arrayContaining([
      'optimizer/_trainable_variables/0 model f32 512',
      'optimizer/_variables/2 optimizer f32 512',
      'optimizer/_iterations optimizer i64 8',
      'save_counter extra i64 8',
    ]),
  );
  expect(segmentation.step).toBe(10);
  expect(segmentation.parameters).toHaveLength(4);
  expect(segmentation.parameters?.[0]).toMatchObject({
    weights: 'optimizer/_trainable_variables/0',
    slots: { exp_avg: 'optimizer/_variables/2', exp_avg_sq: 'optimizer/_variables/3' },
    optimizer: 'adam',
    step: 10,
    settings: { lr: Math.fround(0.01) },
  });
});

test('the next step has the same keys', async () => {
  const [first, second] = await Promise.all(
    ['step-10', 'step-11'].map((step) => segmentFixture(step, 'ckpt-1.data-00000-of-00001')),
  );
  expect(keysOf(second.segmentation).sort()).toEqual(keysOf(first.segmentation).sort());
});

test('a graph of TensorFlow 1: its moments are called as their optimizer', async () => {
  const { segmentation } = await segmentFixture('graph', 'model-4.data-00000-of-00001');
  expect(segmentation.step).toBe(4);
  expect(segmentation.parameters).toEqual(
    expect.arrayContaining([
      expect.objectContaining({
        weights: 'dense/kernel',
        slots: { exp_avg: 'dense/kernel/Adam', exp_avg_sq: 'dense/kernel/Adam_1' },
        step: 4,
      }),
    ]),
  );
});

test('the index itself is kept as it is', async () => {
  const { segmentation, problem } = await segmentFixture('step-10', 'ckpt-1.index');
  expect(problem).toBeUndefined();
  expect(segmentation).toEqual({ format: 'tensor-bundle-index', ranges: [] });
});

const MATRIX: EntryDraft = {
  key: 'w',
  type: 1,
  shape: [2, 3],
  shard: 0,
  offset: 0,
  size: 24,
  more: new Uint8Array(),
};

function segmentWith(
  entries: readonly EntryDraft[],
  order = header(),
  shard = '00000-of-00001',
): Promise<SegmentedFile> {
  const index = inMemory('ckpt.index', writeTable([[order, ...entries.map(entryOf)]]));
  return segmentFile(inMemory(`ckpt.data-${shard}`, BUNDLE_DATA), inFolder(index));
}

test('each data file holds the tensors of its number', async () => {
  const entries = [MATRIX, { ...MATRIX, key: 'v', shard: 1 }];
  const [first, second] = [
    await segmentWith(entries),
    await segmentWith(entries, header(), '00001-of-00002'),
  ];
  expect(keysOf(first.segmentation)).toEqual(['w']);
  expect(keysOf(second.segmentation)).toEqual(['v']);
});

test('big-endian numbers are bytes', async () => {
  const { segmentation } = await segmentWith([MATRIX], header(false));
  expect(describeRanges(segmentation)).toEqual(['w model bytes 24']);
  expect(segmentation.ranges[0].tensors[0].shape).toEqual([2, 3, 4]);
});

test('a variable that is stored in slices is found in its slices', async () => {
  const entries = [
    { ...MATRIX, key: '\0part\0\x01\x01\x02', offset: 0 },
    { ...MATRIX, key: '\0part\0\x01\x01\x03', offset: 24 },
    { ...MATRIX, key: 'part', more: field(7, new Uint8Array()) },
  ];
  const { segmentation } = await segmentWith(entries);
  expect(keysOf(segmentation)).toEqual(['part#1', 'part#2']);
});

test('text, and types that came later, stay in the skeleton', async () => {
  const { segmentation, problem } = await segmentWith([
    { ...MATRIX, type: 7 },
    { ...MATRIX, key: 'x', type: 21 },
  ]);
  expect(problem).toBeUndefined();
  expect(segmentation.ranges).toEqual([]);
});

test.for([
  ['a size that is not that of its shape', { size: 20 }, 'bundle-size', 'ckpt.index'],
  ['a place outside of the file', { offset: 2 ** 40 }, 'truncated', 'ckpt.data-00000-of-00001'],
] as const)('%s', async ([, change, code, object]) => {
  const { segmentation, problem } = await segmentWith([{ ...MATRIX, ...change }]);
  expect(problem).toMatchObject({ kind: 'corrupt', code, object });
  expect(segmentation.format).toBe('opaque');
});

test('two tensors that share bytes', async () => {
  const { problem } = await segmentWith([MATRIX, { ...MATRIX, key: 'v', offset: 8 }]);
  expect(problem).toMatchObject({ code: 'ranges-overlap' });
});

/** Returns the seconds of CPU that segmenting a data file took beside an index. */
async function secondsWith(index: Uint8Array, data: Uint8Array): Promise<[SegmentedFile, number]> {
  const beside = inFolder(inMemory('ckpt.index', index));
  const before = process.cpuUsage();
  const result = await segmentFile(inMemory('ckpt.data-00000-of-00001', data), beside);
  const { user, system } = process.cpuUsage(before);
  return [result, (user + system) / 1e6];
}

test.for([
  ['slashes', 'optimizer/', '/'],
  ['underscores', 'optimizer/', '_'],
] as const)('names of nothing but %s take no more time than others', async ([, front, separator]) => {
  const names = Array.from(
    { length: 40 },
    (_, at) => `${front}${`a${separator}`.repeat(30_000)}${at + 1000}`,
  );
  const entries = names.map((key, at) => ({ ...MATRIX, key, shape: [1], size: 4, offset: 4 * at }));
  const table = writeTable([[header(), ...entries.map(entryOf)]]);
  const [{ problem }, seconds] = await secondsWith(table, new Uint8Array(160));
  expect(problem).toMatchObject({ code: 'tensor-unfit' });
  expect(seconds).toBeLessThan(3);
});

test('an index of millions of entries that hold nothing is refused', async () => {
  const blocks = [
    joined([new Uint8Array(3_000_003), littleEndian(0, 4), littleEndian(1, 4), new Uint8Array(5)]),
  ];
  const placeOf = (at: number): Uint8Array =>
    joined([varint(at * blocks[0].length), varint(blocks[at].length - 5)]);
  blocks.push(block([{ key: '', value: placeOf(0) }]));
  const footer = joined([placeOf(1), placeOf(1)]);
  const table = joined([...blocks, footer, new Uint8Array(40 - footer.length), MAGIC]);
  const [{ problem }, seconds] = await secondsWith(table, new Uint8Array(8));
  expect(problem).toMatchObject({ kind: 'corrupt', code: 'table-entries', object: 'ckpt.index' });
  expect(seconds).toBeLessThan(5);
});
