import { chmod, mkdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { MemoryStorage, type Store } from '../../src/index.js';
import { DamagedStorage } from '../maintenance/damaged-storage.js';
import { makeFolder, parseSafetensors, randomBytes, readTree, safetensors, writeTree } from './folders.js';
import { makeStore, openAgain, sizesOf } from './make-store.js';
import { trainingState } from './training-state.js';

const weights = Float32Array.from({ length: 3000 }, (_, index) => Math.sin(index));
const tree = {
  'model.safetensors': safetensors({
    'a.weight': weights,
    'a.bias': Float32Array.of(1, 2),
    'b.weight': weights.slice(9),
  }),
  'config.json': '{"hidden": 64}',
  'nested/blob.bin': randomBytes(60_000, 1),
};

let damaged: DamagedStorage;
let store: Store;
let folder: string;
let out: string;

beforeEach(async () => {
  folder = await makeFolder();
  out = join(folder, 'out');
  await writeTree(join(folder, 'ckpt'), tree);
  const storage = new MemoryStorage();
  await (await makeStore(storage)).store.saveFiles([join(folder, 'ckpt')], { run: 'r', step: 3 });
  damaged = new DamagedStorage(storage);
  store = await openAgain(damaged);
});

describe('existing files', () => {
  test('with equal content are left alone and not counted', async () => {
    await store.restoreFiles('r', { out });
    const path = join(out, 'ckpt/config.json');
    const { mtimeMs, ino } = await stat(path);
    const again = await store.restoreFiles('r', { out });
    expect(again).toMatchObject({ files: [], bytes: 0 });
    expect(await stat(path)).toMatchObject({ mtimeMs, ino });
  });

  test('with other content are a conflict, and nothing is written', async () => {
    await writeTree(out, { 'ckpt/config.json': 'mine' });
    await expect(store.restoreFiles('r', { out })).rejects.toMatchObject({
      kind: 'conflict',
      object: 'ckpt/config.json',
    });
    expect(await readTree(out)).toEqual({ 'ckpt/config.json': new TextEncoder().encode('mine') });
  });

  test('are replaced when forced; files of others stay', async () => {
    await writeTree(out, { 'ckpt/config.json': 'mine', 'ckpt/other.txt': 'stays' });
    const { files } = await store.restoreFiles('r', { out, force: true });
    expect(files).toContain('ckpt/config.json');
    expect(await readFile(join(out, 'ckpt/config.json'), 'utf8')).toBe(tree['config.json']);
    expect(await readFile(join(out, 'ckpt/other.txt'), 'utf8')).toBe('stays');
  });

  test('a file where a folder is needed, and a folder where a file is, are refused with a typed error', async () => {
    await writeFile(out, 'a file');
    await expect(store.restoreFiles('r', { out })).rejects.toMatchObject({ kind: 'conflict' });
    const second = join(folder, 'second');
    await mkdir(join(second, 'ckpt/config.json'), { recursive: true });
    await expect(store.restoreFiles('r', { out: second })).rejects.toMatchObject({ name: 'ThetalogError' });
    expect(Object.keys(await readTree(second))).toEqual(['ckpt/config.json/']);
  });

  test('a link that leads out of the folder is replaced, not written through', async () => {
    const outside = join(folder, 'outside.txt');
    await writeFile(outside, 'precious');
    await mkdir(join(out, 'ckpt'), { recursive: true });
    await symlink(outside, join(out, 'ckpt/config.json'));
    await store.restoreFiles('r', { out, force: true });
    expect(await readFile(outside, 'utf8')).toBe('precious');
    expect(await readFile(join(out, 'ckpt/config.json'), 'utf8')).toBe(tree['config.json']);
  });
});

describe('a restore that fails leaves nothing behind', () => {
  async function packKey(): Promise<string> {
    return [...(await sizesOf(damaged)).keys()].find((key) => key.startsWith('packs/')) ?? '';
  }

  test.each<[string, (key: string, size: number) => void]>([
    ['a damaged record at the start', (key) => damaged.flipRecord(key)],
    ['a damaged record late in the pack', (key, size) => damaged.flip(key, Math.floor(size * 0.7))],
    ['a pack that is cut off', (key, size) => damaged.truncate(key, size >> 1)],
    ['a pack that is gone', (key) => damaged.remove(key)],
  ])('%s', async (_title, damage) => {
    const key = await packKey();
    damage(key, (await sizesOf(damaged)).get(key) ?? 0);
    const failing = store.restoreFiles('r', { out });
    await expect(failing).rejects.toMatchObject({ kind: 'corrupt', object: key });
    await expect(stat(out)).rejects.toMatchObject({ code: 'ENOENT' });
    damaged.heal();
    await store.restoreFiles('r', { out });
    expect(await readTree(join(out, 'ckpt'))).toEqual(await readTree(join(folder, 'ckpt')));
  });

  test('an abort in the middle', async () => {
    const controller = new AbortController();
    const restoring = store.restoreFiles('r', {
      out,
      signal: controller.signal,
      onProgress: () => controller.abort(),
    });
    await expect(restoring).rejects.toMatchObject({ kind: 'aborted' });
    await expect(stat(out)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  test('what was in the folder before stays', async () => {
    await writeTree(out, { 'ckpt/other.txt': 'stays' });
    damaged.remove(await packKey());
    await expect(store.restoreFiles('r', { out })).rejects.toMatchObject({ kind: 'corrupt' });
    expect(Object.keys(await readTree(out))).toEqual(['ckpt/other.txt']);
  });

  test.skipIf(process.getuid?.() === 0)('a folder that cannot be written', async () => {
    await mkdir(out, { mode: 0o500 });
    await expect(store.restoreFiles('r', { out })).rejects.toMatchObject({ kind: 'unavailable' });
    await chmod(out, 0o700);
    expect(await readTree(out)).toEqual({});
  });
});

describe('tensors as one safetensors file', () => {
  test.each([
    ['*', ['a.bias', 'a.weight', 'b.weight']],
    ['*.weight', ['a.weight', 'b.weight']],
    ['a.*', ['a.bias', 'a.weight']],
    ['?.bias', ['a.bias']],
    ['a.weight', ['a.weight']],
  ])('the glob %s', async (tensors, names) => {
    const { files, bytes } = await store.restoreFiles('r', { out, tensors });
    expect(files).toEqual(['r-step-3.safetensors']);
    const file = new Uint8Array(await readFile(join(out, files[0])));
    expect(file.length).toBe(bytes);
    const parsed = parseSafetensors(file);
    expect(Object.keys(parsed)).toEqual(names);
    const original = parseSafetensors(tree['model.safetensors']);
    for (const name of names) expect(parsed[name]).toEqual(original[name]);
  });

  test('a state becomes one, too, and that file can be saved again', async () => {
    const state = trainingState(2);
    await (await store.run('s').save(state)).committed;
    const { files } = await store.restoreFiles('s', { out });
    const parsed = parseSafetensors(new Uint8Array(await readFile(join(out, files[0]))));
    expect(parsed['model.embedding']).toMatchObject({ dtype: 'BF16', shape: [64, 32] });
    const again = await store.saveFiles([join(out, files[0])], { run: 'again' });
    expect(again.warnings).toEqual([]);
    const { data } = await store.readTensor('again', 'model.weight');
    expect(new Float32Array(data.slice().buffer)).toEqual(state.model.weight);
  });

  test('a glob that matches nothing is not found', async () => {
    await expect(store.restoreFiles('r', { out, tensors: 'A.*' })).rejects.toMatchObject({
      kind: 'not-found',
    });
    await expect(stat(out)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  test('an existing file is a conflict unless forced', async () => {
    await store.restoreFiles('r', { out, tensors: '*' });
    await expect(store.restoreFiles('r', { out, tensors: 'a.*' })).rejects.toMatchObject({
      kind: 'conflict',
    });
    await store.restoreFiles('r', { out, tensors: 'a.bias', force: true });
    const file = new Uint8Array(await readFile(join(out, 'r-step-3.safetensors')));
    expect(Object.keys(parseSafetensors(file))).toEqual(['a.bias']);
  });

  test('a tensor that is not there is not found', async () => {
    await expect(store.readTensor('r', 'nope')).rejects.toMatchObject({ kind: 'not-found', object: 'nope' });
  });
});

test('a checkpoint of files is no state', async () => {
  await expect(store.run('r').restore()).rejects.toMatchObject({ kind: 'invalid', code: 'not-a-state' });
});
