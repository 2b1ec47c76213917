/**
 * Names and links that lead elsewhere: in checkpoints, in the folder restored into, in saved folders and in archives.
 * Seen to fail when assertContained is left out, and when directories below the target are not asked whether they are links.
 */
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { segmentFile } from '../../src/adapters/index.js';
import { MemoryStorage, type Store } from '../../src/index.js';
import { inMemory } from '../adapters/sources.js';
import { run } from '../cli/in-process.js';
import { makeFolder, readTree, writeTree } from '../engine/folders.js';
import { makeStore } from '../engine/make-store.js';
import { soundZip } from './malformed-zip.js';
import { renameInManifest } from './rewritten-manifest.js';

let folder: string;
let out: string;

beforeEach(async () => {
  folder = await makeFolder();
  out = join(folder, 'out');
});

/** A store in memory with one checkpoint, of the files at these paths below `ckpt`. */
async function saved(tree: Record<string, string | Uint8Array>): Promise<Store> {
  await writeTree(join(folder, 'ckpt'), tree);
  const { store } = await makeStore(new MemoryStorage());
  await store.saveFiles([join(folder, 'ckpt')], { run: 'r', step: 1 });
  return store;
}

const text = (bytes: Uint8Array | undefined): string => new TextDecoder().decode(bytes);

describe('names that are odd and not hostile come back as they were', () => {
  const composed = '\u00e4.txt';
  const decomposed = 'a\u0308.txt';
  const names = [
    'a\\b',
    'C:x',
    'A',
    'a',
    composed,
    decomposed,
    '..x',
    'x..',
    '-rf',
    ' ',
    'new\nline',
    'CON',
    'nul.txt',
    'LPT1',
    'ends with a dot.',
    '\u202egnp.exe',
    'x'.repeat(255),
  ];

  test('each of them, beside the others', async () => {
    const tree = Object.fromEntries(names.map((name, index) => [name, `content ${index}`]));
    const store = await saved(tree);
    await store.restoreFiles('r', { out });
    const restored = await readTree(join(out, 'ckpt'));
    expect(Object.fromEntries(Object.entries(restored).map(([name, bytes]) => [name, text(bytes)]))).toEqual(
      tree,
    );
  });
});

describe('names in a checkpoint that lead out of the folder', () => {
  test.each([
    '../../evil',
    '/etc/evil!',
    './ckpt/evl',
    'ckpt//evil',
    'ckpt/../ev',
    'ckpt/e\0vil',
    'ckpt/other',
  ])('%j', async (path) => {
    await writeTree(join(folder, 'ckpt'), { other: 'other', evil1: 'evil' });
    const { store, storage } = await makeStore(new MemoryStorage());
    await store.saveFiles([join(folder, 'ckpt')], { run: 'r', step: 1 });
    await renameInManifest(storage, 'ckpt/evil1', path);
    await expect(store.restoreFiles('r', { out, force: true })).rejects.toMatchObject({
      kind: 'corrupt',
      code: 'bad-path',
    });
    expect(Object.keys(await readTree(folder)).sort()).toEqual(['ckpt/evil1', 'ckpt/other']);
  });
});

describe('links planted in the folder that is restored into', () => {
  test('in the place of a directory they are refused, and nothing is written behind them', async () => {
    const store = await saved({ 'a/w.txt': 'weights', 'top.txt': 'top' });
    const outside = join(folder, 'outside');
    await mkdir(outside);
    await mkdir(join(out, 'ckpt'), { recursive: true });
    await symlink(outside, join(out, 'ckpt/a'));
    for (const force of [false, true])
      await expect(store.restoreFiles('r', { out, force })).rejects.toMatchObject({
        kind: 'conflict',
        code: 'not-a-file',
      });
    expect(await readTree(outside)).toEqual({});
  });

  test('in the place of a file they are replaced, not followed', async () => {
    const store = await saved({ 'w.txt': 'weights' });
    await writeFile(join(folder, 'victim'), 'mine');
    await mkdir(join(out, 'ckpt'), { recursive: true });
    await symlink(join(folder, 'victim'), join(out, 'ckpt/w.txt'));
    await store.restoreFiles('r', { out, force: true });
    expect(await readFile(join(folder, 'victim'), 'utf8')).toBe('mine');
    expect(await readFile(join(out, 'ckpt/w.txt'), 'utf8')).toBe('weights');
  });

  test('the folder itself may be one: that is what was asked for', async () => {
    const store = await saved({ 'w.txt': 'weights' });
    await mkdir(join(folder, 'real'));
    await symlink(join(folder, 'real'), out);
    await store.restoreFiles('r', { out });
    expect(await readFile(join(folder, 'real/ckpt/w.txt'), 'utf8')).toBe('weights');
  });
});

test('links in a saved folder: to files they are saved as files, to directories, loops and nothing they are left out', async () => {
  const ckpt = join(folder, 'ckpt');
  await writeTree(folder, { 'outside/secret.txt': 'elsewhere', 'ckpt/w.txt': 'weights' });
  await symlink(join(folder, 'outside/secret.txt'), join(ckpt, 'file'));
  await symlink(join(folder, 'outside'), join(ckpt, 'directory'));
  await symlink('.', join(ckpt, 'loop'));
  await symlink('self', join(ckpt, 'self'));
  await symlink('nowhere', join(ckpt, 'nothing'));
  const { store } = await makeStore(new MemoryStorage());
  const { warnings } = await store.saveFiles([ckpt], { run: 'r', step: 1 });
  expect(warnings.map(({ object }) => object)).toEqual(
    ['directory', 'loop', 'nothing', 'self'].map((name) => join(ckpt, name)),
  );
  await store.restoreFiles('r', { out });
  expect(Object.keys(await readTree(out)).sort()).toEqual(['ckpt/file', 'ckpt/w.txt']);
});

describe('names in archives are names, never paths', () => {
  const bomb = new Uint8Array(2 ** 16);

  test.each([
    ['../../../../tmp/thetalog-pwned'],
    ['/tmp/thetalog-pwned'],
    ['C:\\thetalog-pwned'],
    ['archive/data/../../x'],
    ['archive/data/\0'],
    ['\u00e4/\u202e'],
  ])('%j', async (name) => {
    const bytes = soundZip([{ name, content: bomb }]);
    const { segmentation } = await segmentFile(inMemory('model.pt', bytes));
    expect(segmentation.ranges).toEqual([]);
    await writeTree(folder, { 'ckpt/model.pt': bytes });
    const store = join(folder, 'store');
    const save = ['save', join(folder, 'ckpt'), '--store', store, '--run', 'r', '--step', '1'];
    expect((await run(['init', store])).code).toBe(0);
    expect((await run(save)).code).toBe(0);
    expect((await run(['restore', 'r', '--out', out, '--store', store])).code).toBe(0);
    expect(await readTree(out)).toEqual({ 'ckpt/model.pt': bytes });
  });
});
