/**
 * Import of safetensors files: by tensor, however these are distributed. Seen to fail when `model.safetensors` is not looked for first,
 * when tensors are listed in the order of their files (other shards, other plain data), when an index is not compared with
 * its shards, when the adapter does not read tied names, and when a data file of TensorFlow is not told apart (its index is asked for).
 */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeEach, describe, expect, test } from 'vitest';
import type { Store } from '../../src/index.js';
import { makeFolder, randomBytes, readTree, safetensors, type Tree, writeTree } from './folders.js';
import { makeStore } from './make-store.js';

const noise = (length: number, seed: number) => new Float32Array(randomBytes(length * 4, seed).buffer);
const TENSORS = {
  'model.embed': noise(5000, 1),
  'model.norm': noise(10, 2),
  lm_head: noise(3000, 3),
  bias: noise(2, 4),
};

/** The model in files: lists of names, and an index of them. */
function sharded(...shards: (keyof typeof TENSORS)[][]): Tree {
  const files = shards.map((names, at) => {
    const tensors = Object.fromEntries(names.map((name) => [name, TENSORS[name]]));
    return {
      name: `model-0000${at + 1}-of-0000${shards.length}.safetensors`,
      names,
      bytes: safetensors(tensors),
    };
  });
  const weight_map = Object.fromEntries(
    files.flatMap(({ name, names }) => names.map((tensor) => [tensor, name])),
  );
  return {
    ...Object.fromEntries(files.map(({ name, bytes }) => [name, bytes])),
    'model.safetensors.index.json': JSON.stringify({ metadata: { total_size: 0 }, weight_map }, null, 2),
    'config.json': '{}',
  };
}

const ONE = { 'model.safetensors': safetensors(TENSORS) };
const TWO = sharded(['model.embed', 'model.norm'], ['lm_head', 'bias']);
const THREE = sharded(['bias', 'lm_head'], ['model.norm'], ['model.embed']);

let store: Store;
let folder: string;

beforeEach(async () => {
  folder = await makeFolder();
  ({ store } = await makeStore());
});

async function importTree(tree: Tree, run = 'r') {
  const place = join(folder, `in-${Math.random()}`);
  await writeTree(place, tree);
  return store.import([place], { run });
}

function asState(tensors: Record<string, Float32Array>) {
  const entries = Object.entries(tensors).map(([name, data]) => {
    return [name, { dtype: 'f32', shape: [data.length], data: new Uint8Array(data.buffer.slice(0)) }];
  });
  return { model: Object.fromEntries(entries) };
}

async function restored(ref = 'latest', run = 'r') {
  const state = (await store.run(run).restore(ref)) as { model: Record<string, { data: Uint8Array }> };
  for (const tensor of Object.values(state.model)) {
    const { buffer, byteOffset, byteLength } = tensor.data;
    tensor.data = new Uint8Array(buffer, byteOffset, byteLength).slice();
  }
  return state;
}

test.each([
  ['one file', ONE],
  ['two shards', TWO],
  ['three shards', THREE],
  [
    'files without an index',
    { 'a.safetensors': safetensors({ x: noise(3, 1) }), 'b.safetensors': safetensors({ y: noise(4, 2) }) },
  ],
])('a folder of %s is one state of all tensors', async (_, tree) => {
  const { logicalBytes } = await importTree(tree);
  const { model } = await restored();
  const wanted = Object.keys(tree).includes('a.safetensors') ? { x: noise(3, 1), y: noise(4, 2) } : TENSORS;
  expect({ model }).toEqual(asState(wanted));
  expect(logicalBytes).toBeGreaterThan(
    Object.values(wanted).reduce((sum, { byteLength }) => sum + byteLength, 0),
  );
  expect(await store.show('r')).toMatchObject({ kind: 'state', files: [], groups: ['model'] });
});

test('other shards of the same model add no chunk, and nothing that depends on shards', async () => {
  await importTree(ONE);
  const { chunks } = await store.stats();
  for (const tree of [TWO, THREE]) {
    const { storedBytes } = await importTree(tree);
    expect(storedBytes).toBeLessThan(1000);
  }
  expect((await store.stats()).chunks).toBe(chunks);
});

test('save of other shards adds their headers only', async () => {
  for (const [step, tree] of [TWO, THREE].entries()) {
    const place = join(folder, `${step}/checkpoint`);
    await writeTree(place, tree);
    const { storedBytes } = await store.saveFiles([place], { run: 'files' });
    if (step > 0) expect(storedBytes).toBeLessThan(2500);
  }
});

test('what was imported is exported as it was; the metadata of an export brings its names and its step back', async () => {
  await importTree(TWO);
  const out = join(folder, 'out');
  await store.export('r', { out });
  expect((await store.import([out], { run: 'again' })).step).toBeNull();
  expect(await restored('latest', 'again')).toEqual(await restored());
  const state = {
    model: { w: noise(2000, 5) },
    optimizer: { state: { 0: { m: noise(2000, 6) } } },
    progress: { step: 12 },
  };
  await (await store.run('s').save(state)).committed;
  for (const groups of [undefined, ['model' as const]]) {
    const place = join(folder, groups === undefined ? 'all' : 'model');
    await store.export('s', { out: place, ...(groups && { groups }) });
    expect((await store.import([place], { run: 't' })).step).toBe(12);
    const { tensors } = await store.show('t');
    const expected = (await store.show('s')).tensors.filter(
      ({ group }) => groups?.includes('model') !== true || group === 'model',
    );
    expect(tensors).toEqual([...expected].sort((a, b) => (a.name < b.name ? -1 : 1)));
  }
});

test('tied tensors come back from the metadata, and the same one of them is written again', async () => {
  const embed = noise(2000, 7);
  await (await store.run('s').save({ model: { z_embed: embed, head: embed } })).committed;
  const out = join(folder, 'tied.safetensors');
  expect(await store.export('s', { out })).toMatchObject({ tensors: 1, tied: { head: 'z_embed' } });
  await store.import([out], { run: 'r' });
  expect((await store.show('r')).tensors.map(({ name, aliases }) => [name, aliases])).toEqual([
    ['model.z_embed', ['model.head']],
    ['model.head', ['model.z_embed']],
  ]);
  const again = join(folder, 'again.safetensors');
  expect(await store.export('r', { out: again })).toMatchObject({ tied: { head: 'z_embed' } });
});

test('metadata whose value is the name of a tensor by chance makes no tensor', async () => {
  const state = { model: [noise(2000, 8), noise(2000, 9)], progress: { step: 1 } };
  await (await store.run('s').save(state)).committed;
  const out = join(folder, 'list.safetensors');
  await store.export('s', { out });
  await store.import([out], { run: 'r' });
  expect((await store.show('r')).tensors.map(({ name }) => name)).toEqual(['model.0', 'model.1']);
});

test('a hundred thousand tensors in one shard are read in one pass over their index', async () => {
  const names = Array.from({ length: 100_000 }, (_, at) => `t${at}`);
  const weight_map = Object.fromEntries(names.map((name) => [name, 'absent.safetensors']));
  await writeTree(folder, { 'model.safetensors.index.json': JSON.stringify({ weight_map }) });
  const before = process.cpuUsage();
  await expect(store.import([folder], { run: 'r' })).rejects.toMatchObject({ kind: 'not-found' });
  const { user, system } = process.cpuUsage(before);
  expect((user + system) / 1e6).toBeLessThan(4);
});

test('a pipe is no safetensors file: nobody waits for a writer', async () => {
  const pipe = join(folder, 'model.safetensors');
  execFileSync('mkfifo', [pipe]);
  for (const path of [pipe, folder])
    await expect(store.import([path], { run: 'r' })).rejects.toMatchObject({ kind: 'invalid', object: pipe });
});

describe('a folder', () => {
  test('with model.safetensors stands for it, whatever else is there', async () => {
    const other = { w: noise(2000, 9) };
    await importTree({
      ...THREE,
      'model.safetensors': safetensors(other),
      'consolidated.safetensors': 'not read',
    });
    expect(await restored()).toEqual(asState(other));
  });

  test('with an index stands for what it names', async () => {
    await importTree({ ...TWO, 'consolidated.safetensors': 'not read' });
    expect(await restored()).toEqual(asState(TENSORS));
  });

  test.each<[string, Tree, object]>([
    ['nothing', { 'config.json': '{}' }, { kind: 'invalid', code: 'nothing-to-import' }],
    [
      'several indexes',
      { ...TWO, 'model.fp16.safetensors.index.json': '{}' },
      { kind: 'invalid', code: 'several-models' },
    ],
    [
      'a damaged index',
      { ...TWO, 'model.safetensors.index.json': '{"weight_map": 3}' },
      { kind: 'corrupt', code: 'safetensors-index' },
    ],
    ['an index that is no JSON', { ...TWO, 'model.safetensors.index.json': '' }, { kind: 'corrupt' }],
    [
      'an index that leads elsewhere',
      { ...TWO, 'model.safetensors.index.json': '{"weight_map": {"a": "../x.safetensors"}}' },
      { kind: 'corrupt', code: 'safetensors-index' },
    ],
    [
      'an index of tensors that are not there',
      { ...TWO, 'model.safetensors.index.json': '{"weight_map": {"a": "model-00001-of-00002.safetensors"}}' },
      { kind: 'corrupt', code: 'safetensors-index' },
    ],
    [
      'an index of files that are not there',
      { ...TWO, 'model.safetensors.index.json': '{"weight_map": {"a": "model-00009-of-00009.safetensors"}}' },
      { kind: 'not-found' },
    ],
    [
      'a damaged shard',
      { ...TWO, 'model-00001-of-00002.safetensors': safetensors({ a: noise(9, 1) }).subarray(0, 60) },
      { kind: 'corrupt' },
    ],
    [
      'a tensor twice',
      { 'a.safetensors': safetensors({ x: noise(3, 1) }), 'b.safetensors': safetensors({ x: noise(4, 2) }) },
      { code: 'same-tensor' },
    ],
  ])('with %s is refused with a typed error, and nothing is saved', async (_, tree, error) => {
    await expect(importTree(tree)).rejects.toMatchObject({ name: 'ThetalogError', ...error });
    expect(await store.list()).toEqual([]);
  });
});

test('a file that is no safetensors file is refused, and so is one that changes meanwhile', async () => {
  const path = join(folder, 'weights.npy');
  await writeFile(path, 'text');
  await expect(store.import([path], { run: 'r' })).rejects.toMatchObject({
    kind: 'unsupported',
    code: 'not-safetensors',
  });
  // Nor is a part of a TensorFlow checkpoint, whose index would not help.
  const part = fileURLToPath(new URL('../../fixtures/tensorflow/step-10/', import.meta.url));
  for (const name of (await readdir(part)).filter((entry) => entry.includes('.data-')))
    await expect(store.import([join(part, name)], { run: 'r' })).rejects.toMatchObject({
      code: 'not-safetensors',
    });
  const changing = join(folder, 'changing.safetensors');
  await writeFile(changing, safetensors({ w: noise(50_000, 1) }));
  const onProgress = () => writeFileSync(changing, safetensors({ w: noise(50_001, 1) }));
  await expect(store.import([changing], { run: 'r', onProgress })).rejects.toMatchObject({
    kind: 'conflict',
  });
  expect(await store.list()).toEqual([]);
  expect(Object.keys(await readTree(folder)).sort()).toEqual(['changing.safetensors', 'weights.npy']);
});
