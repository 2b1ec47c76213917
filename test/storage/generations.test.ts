/** Mutable objects on disk: what a writer or reader that was stopped at the worst moment sees. */
import { readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, expect, test, vi } from 'vitest';
import { createFileStorage, type FileStorage, openFileStorage } from '../../src/storage/index.js';
import { bytes, kindOf } from '../contract/storage-suite.js';
import { TemporaryDirectories } from './temporary-directories.js';

/** Runs once, before the first link or open whose target ends like this. */
interface Stop {
  call: 'link' | 'open';
  target: string;
  meanwhile: () => Promise<void>;
}

const stops = vi.hoisted(() => ({ next: undefined as Stop | undefined }));

vi.mock('node:fs/promises', async (importOriginal) => {
  const original = await importOriginal<typeof import('node:fs/promises')>();
  const stopAt = async (call: Stop['call'], target: string): Promise<void> => {
    const stop = stops.next;
    if (stop?.call !== call || !target.endsWith(stop.target)) return;
    stops.next = undefined;
    await stop.meanwhile();
  };
  const link: typeof original.link = async (from, to) => {
    await stopAt('link', String(to));
    return original.link(from, to);
  };
  const open: typeof original.open = async (path, ...rest) => {
    await stopAt('open', String(path));
    return original.open(path, ...rest);
  };
  return { ...original, link, open };
});

const directories = new TemporaryDirectories();
afterAll(() => directories.removeAll());
afterEach(() => {
  stops.next = undefined;
});

test('a writer that slept until its generation was made and deleted has lost', async () => {
  const sleeper = await createFileStorage(await directories.make());
  const version = await putTimes(sleeper, 7);
  stops.next = {
    call: 'link',
    target: fileOf(8),
    meanwhile: async () => {
      await putTimes(await openFileStorage(sleeper.location), 23);
      expect(await rootFiles(sleeper)).not.toContain(fileOf(8));
    },
  };
  expect(await sleeper.putIfMatch('root', bytes(99), version)).toBeUndefined();
  expect(stops.next).toBeUndefined();
  expect(await rootFiles(sleeper)).not.toContain(fileOf(8));
  expect(await sleeper.getVersioned('root')).toEqual({ bytes: bytes(30), version: '30' });
});

test('a writer that slept with its generation still there has lost', async () => {
  const sleeper = await createFileStorage(await directories.make());
  const version = await putTimes(sleeper, 7);
  stops.next = {
    call: 'link',
    target: fileOf(8),
    meanwhile: async () => void (await putTimes(await openFileStorage(sleeper.location), 1)),
  };
  expect(await sleeper.putIfMatch('root', bytes(99), version)).toBeUndefined();
  expect(await sleeper.getVersioned('root')).toEqual({ bytes: bytes(8), version: '8' });
});

test('a creator that slept until the first generations were deleted has lost', async () => {
  const sleeper = await createFileStorage(await directories.make());
  stops.next = {
    call: 'link',
    target: fileOf(1),
    meanwhile: async () => void (await putTimes(await openFileStorage(sleeper.location), 20)),
  };
  expect(await sleeper.putIfMatch('root', bytes(99), undefined)).toBeUndefined();
  expect((await sleeper.getVersioned('root'))?.version).toBe('20');
});

test('the boundary is there before a generation is deleted', async () => {
  const storage = await createFileStorage(await directories.make());
  const version = await putTimes(storage, 11);
  let seen: string[] = [];
  stops.next = {
    call: 'link',
    target: boundaryOf(4),
    meanwhile: async () => {
      seen = await rootFiles(storage);
    },
  };
  await storage.putIfMatch('root', bytes(12), version);
  expect(seen).toContain(fileOf(1));
  expect(await rootFiles(storage)).toEqual([5, 6, 7, 8, 9, 10, 11, 12].map(fileOf).concat(boundaryOf(4)));
});

test('a failed cleaning does not fail the put, and a later one makes up for it', async () => {
  const storage = await createFileStorage(await directories.make());
  let version = await putTimes(storage, 11);
  stops.next = { call: 'link', target: boundaryOf(4), meanwhile: () => Promise.reject(new Error('no')) };
  version = await storage.putIfMatch('root', bytes(12), version);
  expect(version).toBe('12');
  expect(await rootFiles(storage)).toHaveLength(12);
  await putTimes(storage, 4);
  expect(await rootFiles(storage)).toHaveLength(8 + 1);
});

test('a reader whose generation is deleted under its hands reads the newest', async () => {
  const storage = await createFileStorage(await directories.make());
  await putTimes(storage, 3);
  stops.next = {
    call: 'open',
    target: fileOf(3),
    meanwhile: async () => void (await putTimes(await openFileStorage(storage.location), 17)),
  };
  expect(await storage.getVersioned('root')).toEqual({ bytes: bytes(20), version: '20' });
});

test('a writer that dies between its link and its check leaves a ghost that nobody sees', async () => {
  const storage = await createFileStorage(await directories.make());
  await putTimes(storage, 20);
  await writeFile(join(storage.location, 'root', fileOf(2)), bytes(99));
  const version = await putTimes(storage, 4);
  expect(await storage.getVersioned('root')).toEqual({ bytes: bytes(24), version });
  expect(await rootFiles(storage)).not.toContain(fileOf(2));
});

test('the directory stays small', async () => {
  const storage = await createFileStorage(await directories.make());
  await putTimes(storage, 100);
  const files = await rootFiles(storage);
  expect(files.filter((name) => name.startsWith('boundary.'))).toEqual([88, 92].map(boundaryOf));
  expect(files.filter((name) => !name.startsWith('boundary.'))).toHaveLength(8);
});

test('a root whose living generations are gone is damaged, not new', async () => {
  const storage = await createFileStorage(await directories.make());
  await putTimes(storage, 12);
  for (const name of await rootFiles(storage))
    if (!name.startsWith('boundary.')) await rm(join(storage.location, 'root', name));
  await writeFile(join(storage.location, 'root', fileOf(3)), bytes(99));
  expect(await kindOf(storage.getVersioned('root'))).toBe('corrupt');
  expect(await storage.putIfMatch('root', bytes(1), undefined)).toBeUndefined();
});

test('files of other names beside the generations are ignored', async () => {
  const storage = await createFileStorage(await directories.make());
  const version = await putTimes(storage, 2);
  for (const name of [
    '.DS_Store',
    '7',
    '99999999999999999999',
    'boundary.9',
    'boundary.99999999999999999999',
  ])
    await writeFile(join(storage.location, 'root', name), 'x');
  expect(await storage.getVersioned('root')).toEqual({ bytes: bytes(2), version });
  expect(await storage.putIfMatch('root', bytes(3), version)).toBe('3');
});

test('generations and boundaries are listed as what they are', async () => {
  const storage = await createFileStorage(await directories.make());
  await putTimes(storage, 12);
  const sizes = new Map<string, number>();
  for await (const { key, size } of storage.list('root/')) sizes.set(key, size);
  expect(sizes.size).toBe(9);
  expect(sizes.get(`root/${fileOf(12)}`)).toBe(1);
  expect(sizes.get(`root/${boundaryOf(4)}`)).toBe(0);
});

/** Each put stores the number of its generation. Returns the last version. */
async function putTimes(storage: FileStorage, times: number): Promise<string | undefined> {
  let version = (await storage.getVersioned('root'))?.version;
  for (let count = 0; count < times; count += 1) {
    version = await storage.putIfMatch('root', bytes(Number(version ?? 0) + 1), version);
    expect(version).toBeDefined();
  }
  return version;
}

async function rootFiles(storage: FileStorage): Promise<string[]> {
  return (await readdir(join(storage.location, 'root'))).sort();
}

function fileOf(generation: number): string {
  return String(generation).padStart(20, '0');
}

function boundaryOf(generation: number): string {
  return `boundary.${fileOf(generation)}`;
}
