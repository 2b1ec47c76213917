import { expect, test } from 'vitest';
import { FolderFiles, type RandomAccess } from '../../src/adapters/index.js';
import { inMemory } from './sources.js';

const firstByte = async (file: RandomAccess) => (await file.read(0, 1))[0];

test('a file is parsed once, whoever asks', async () => {
  let reads = 0;
  const file = inMemory('ckpt.index', Uint8Array.of(7));
  const counted = {
    ...file,
    read: (offset: number, length: number) => {
      reads++;
      return file.read(offset, length);
    },
  };
  const folder = new FolderFiles(new Map([['ckpt.index', counted]]));
  expect(await Promise.all([1, 2, 3].map(() => folder.parse('ckpt.index', firstByte)))).toEqual([7, 7, 7]);
  expect(reads).toBe(1);
  expect(folder.names()).toEqual(['ckpt.index']);
  expect(folder.sizeOf('ckpt.index')).toBe(1);
});

test('a file that is not there is nothing that fails', async () => {
  expect(await new FolderFiles().parse('ckpt.index', firstByte)).toBeUndefined();
});

test('what is wrong with the content is told from what the file itself threw', async () => {
  const failure = new Error('disk on fire');
  const files = new Map([
    ['short', inMemory('short', new Uint8Array(0))],
    ['broken', { name: 'broken', size: 9, read: () => Promise.reject(failure) }],
  ]);
  const folder = new FolderFiles(files);
  const thrown = async (name: string) => await folder.parse(name, firstByte).catch((error: unknown) => error);
  const damaged = await thrown('short');
  expect(damaged).toMatchObject({ kind: 'corrupt', code: 'truncated', object: 'short' });
  expect(folder.threw(damaged)).toBe(false);
  expect(folder.threw(await thrown('broken'))).toBe(true);
});
