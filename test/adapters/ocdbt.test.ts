/** Data files of OCDBT databases in unpacked form; whole checkpoints of Orbax are in test/engine/unpacked-files.test.ts. */
import { describe, expect, test } from 'vitest';
import { FolderFiles, type SegmentedFile, segmentFile } from '../../src/adapters/index.js';
import { formOf } from '../recode/forms.js';
import { leafContent, nodeOf, rawFrame, type ValueDraft, zarrDescription } from './ocdbt-writer.js';
import { expectSound, inMemory } from './sources.js';

const DATA = `d/${'a'.repeat(32)}`;
const NODE = `d/${'b'.repeat(32)}`;
const part = (value: number): Uint8Array => rawFrame(new Uint8Array(24).fill(value));
const joined = (parts: readonly Uint8Array[]): Uint8Array => new Uint8Array(Buffer.concat(parts));

/** Segments a file beside others, all of them unpacked. */
async function segment(files: Record<string, Uint8Array>, name: string): Promise<SegmentedFile> {
  const sources = Object.entries(files).map(([path, bytes]) => inMemory(path, formOf(bytes).form));
  const folder = new FolderFiles(new Map(sources.map((source) => [source.name.slice(2), source])));
  const [source] = sources.filter((one) => one.name === name);
  const found = await segmentFile(source, folder);
  expectSound(found, source);
  return found;
}

/** An array of 4 x 3 in two chunks of 2 x 3, which are in a data file. */
function sharded(change: Partial<Record<string, ValueDraft['value']>> = {}): Record<string, Uint8Array> {
  const description = new TextDecoder().decode(zarrDescription([2, 3]));
  const values: ValueDraft[] = [
    {
      key: 'params.w/.zarray',
      value: new TextEncoder().encode(description.replace('"shape":[2,3]', '"shape":[4,3]')),
    },
    { key: 'params.w/0.0', value: { offset: part(1).length, length: part(2).length } },
    { key: 'params.w/1.0', value: { offset: 0, length: part(1).length } },
  ];
  const changed = values.map(({ key, value }) => ({ key, value: change[key] ?? value }));
  return { [DATA]: joined([part(1), part(2)]), [NODE]: nodeOf(leafContent(DATA, changed)) };
}

describe('arrays in a database', () => {
  test('have the names that nodes beside their file give them, each part under its rows', async () => {
    const { segmentation, problem } = await segment(sharded(), DATA);
    expect(problem).toBeUndefined();
    expect(
      segmentation.ranges.map(({ key, group, dtype, length }) => ({ key, group, dtype, length })),
    ).toEqual([
      { key: 'params.w[2:4,0:3]', group: 'model', dtype: 'f32', length: 24 },
      { key: 'params.w[0:2,0:3]', group: 'model', dtype: 'f32', length: 24 },
    ]);
  });

  test('small ones are in the node; a count of steps is the step', async () => {
    const values: ValueDraft[] = [
      { key: 'opt.count/.zarray', value: zarrDescription([], '<i4') },
      { key: 'opt.count/0', value: rawFrame(Uint8Array.of(7, 0, 0, 0)) },
      { key: 'params.b/.zarray', value: zarrDescription([6]) },
      { key: 'params.b/0', value: part(3) },
    ];
    const { segmentation } = await segment({ [NODE]: nodeOf(leafContent(DATA, values)) }, NODE);
    expect(segmentation.ranges.map(({ key, copies }) => [key, copies])).toEqual([
      ['opt.count', '\x07\0\0\0'],
      ['params.b', '\x03'.repeat(24)],
    ]);
    expect(segmentation).toMatchObject({ step: 7, identity: 'values opt.count' });
  });

  test.each([
    ['is not where the node says', { 'params.w/0.0': { offset: 3, length: part(2).length } }],
    ['has another length than the node says', { 'params.w/0.0': { offset: part(1).length, length: 5 } }],
  ])('a chunk that %s is left out', async (_what, change) => {
    const { segmentation } = await segment(sharded(change), DATA);
    expect(segmentation.ranges.map(({ key }) => key)).toEqual(['params.w[2:4,0:3]']);
  });

  test('none are found without a node', async () => {
    const { segmentation } = await segment({ [DATA]: joined([part(1), part(2)]) }, DATA);
    expect(segmentation.ranges).toEqual([]);
  });

  test('a node that is damaged is named, with the offset', async () => {
    const files = sharded();
    files[NODE] = nodeOf(
      leafContent(DATA, [{ key: 'x', value: new Uint8Array() }], (at, value) => (at === 5 ? 9 : value)),
    );
    const { problem } = await segment(files, DATA);
    expect(problem).toMatchObject({ kind: 'corrupt', object: NODE });
  });
});
