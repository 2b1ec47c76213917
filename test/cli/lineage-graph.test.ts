import { join } from 'node:path';
import { expect, test } from 'vitest';
import { connectedLineage, drawLineage } from '../../src/cli/lineage-graph.js';
import { type CheckpointInfo, createStore } from '../../src/index.js';
import { temporaryFolder } from './command-line.js';
import { run } from './in-process.js';

/** Checkpoints named by one letter, each with its parent, in the order they were saved. */
function lineage(...edges: string[]): CheckpointInfo[] {
  return edges.map((edge, index) => {
    const [id = '', parent] = edge.split('<');
    return {
      id,
      parent: parent ?? null,
      run: 'run',
      step: index,
      epoch: null,
      label: '',
      metrics: {},
      meta: {},
      groups: [],
      droppedGroups: [],
      kind: 'files',
      createdAt: index,
      logicalBytes: 0,
      storedBytes: 0,
      height: 0,
      tags: [],
      pinned: false,
    };
  });
}

function drawing(checkpoints: CheckpointInfo[]): string[] {
  return drawLineage(checkpoints).map((row) => {
    const id = row.checkpoint?.id ?? row.forgottenId;
    return id === undefined ? row.graph : `${row.graph} ${id}`;
  });
}

test('a line', () => {
  expect(drawing(lineage('a', 'b<a', 'c<b'))).toEqual(['* c', '* b', '* a']);
});

test('a fork', () => {
  expect(drawing(lineage('a', 'b<a', 'x<a', 'c<b'))).toEqual(['* c', '| * x', '* | b', '|/', '* a']);
});

test('three lines that meet at once', () => {
  expect(drawing(lineage('a', 'x<a', 'y<a', 'z<a'))).toEqual([
    '* z',
    '| * y',
    '| | * x',
    '|_|/',
    '|/',
    '* a',
  ]);
});

test('runs apart from each other', () => {
  expect(drawing(lineage('a', 'x', 'b<a', 'y<x'))).toEqual(['* y', '| * b', '* | x', '  * a']);
});

test('a forgotten parent is where its children meet', () => {
  expect(drawing(lineage('b<a', 'x<a'))).toEqual(['* x', '| * b', '|/', 'o a']);
});

test('a forgotten parent is a gap above what was saved before it in the run', () => {
  const [, ...rest] = lineage('x', 'a', 'c<b', 'd<c');
  expect(drawing(rest)).toEqual(['* d', '* c', ': b', '* a']);
});

test('eight forks of one checkpoint', () => {
  const forks = lineage('a', ...[...'12345678'].map((id) => `${id}<a`));
  expect(drawing(forks)).toEqual([
    '* 8',
    '| * 7',
    '| | * 6',
    '| | | * 5',
    '| | | | * 4',
    '| | | | | * 3',
    '| | | | | | * 2',
    '| | | | | | | * 1',
    '|_|_|_|_|_|_|/',
    '|_|_|_|_|_|/',
    '|_|_|_|_|/',
    '|_|_|_|/',
    '|_|_|/',
    '|_|/',
    '|/',
    '* a',
  ]);
});

test('saves of the same millisecond: children still come first', () => {
  const checkpoints = lineage('a', 'b<a', 'c<b').map((checkpoint) => ({ ...checkpoint, createdAt: 0 }));
  expect(drawing(checkpoints)).toEqual(['* c', '* b', '* a']);
});

test('what shares an ancestor', () => {
  const checkpoints = lineage('m<gone', 'n<gone', 'a', 'b<a', 'x<a', 'p', 'q<p', 'r<lost');
  const ids = (id: string) => connectedLineage(checkpoints, id).map((checkpoint) => checkpoint.id);
  expect(ids('x')).toEqual(['a', 'b', 'x']);
  expect(ids('q')).toEqual(['p', 'q', 'r']);
  expect(ids('m')).toEqual(['m', 'n']);
});

test('a sweep and a pipeline of stages over the runs of a store, one of them thinned out', async () => {
  const location = join(await temporaryFolder(), 'store');
  const store = await createStore(location);
  const save = async (run: string, step: number, loss: number): Promise<void> => {
    const state = { model: { w: Float32Array.of(step) }, progress: { step }, metrics: { loss } };
    await (await store.run(run).save(state)).committed;
  };
  for (const step of [100, 200, 300]) await save('pretrain', step, 400 / step);
  await store.tag('pretrain@step:300', 'base');
  for (const run of ['sft', 'lr-1', 'lr-2']) await store.fork('base', run);
  await save('lr-1', 310, 2);
  await save('sft', 400, 0.5);
  await store.fork('sft', 'rl');
  await save('rl', 500, 0.25);
  await store.fork('rl', 'distil');
  await store.pin('rl');
  await store.forget({ refs: ['pretrain@step:200'] });
  await save('other', 1, 9);
  await store.close();
  const { stdout } = await run(['log', '--graph', '--store', location]);
  const plain = stdout
    .replace(/[0-9a-f]{10}/g, 'ID')
    .replace(/ {2}\d{4}-\d\d-\d\d [\d:]{8} {2}[\d.]+ \w+/g, '');
  expect(plain.split('\n').slice(0, -1)).toEqual([
    '* ID  other  step 1  loss=9',
    '* ID  distil  step 500  loss=0.25',
    '* ID  rl  step 500  loss=0.25  (pinned)',
    '* ID  rl  step 400  loss=0.5',
    '* ID  sft  step 400  loss=0.5',
    '| * ID  lr-1  step 310  loss=2',
    '| | * ID  lr-2  step 300  loss=1.33333',
    '| * | ID  lr-1  step 300  loss=1.33333',
    '* | | ID  sft  step 300  loss=1.33333',
    '|_|/',
    '|/',
    '* ID  pretrain  step 300  loss=1.33333  (base)',
    ': ID  (forgotten)',
    '* ID  pretrain  step 100  loss=4',
  ]);
  const one = await run(['log', 'lr-2', '--graph', '--store', location]);
  expect(one.stdout.split('\n').length).toBe(stdout.split('\n').length - 1);
});
