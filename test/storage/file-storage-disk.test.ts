/** What real disks hold besides objects: leftovers, links, full and read-only file systems, huge files. */
import { mkdir, open, readdir, readlink, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { createFileStorage, FileStorage, openFileStorage } from '../../src/storage/index.js';
import { bytes, collect, kindOf } from '../contract/storage-suite.js';
import { canMount, TemporaryDirectories } from './temporary-directories.js';

const directories = new TemporaryDirectories();
const mountable = canMount();
afterAll(() => directories.removeAll());

test('creating makes the parents, and again is no error', async () => {
  const path = join(await directories.make(), 'a', 'b', 'store');
  const first = await createFileStorage(path);
  await first.putIfAbsent('packs/a', [bytes(1)]);
  const second = await createFileStorage(path);
  expect(await second.get('packs/a')).toEqual(bytes(1));
  expect(await readdir(join(path, 'tmp'))).toEqual([]);
});

test('opening what is not there makes nothing', async () => {
  const parent = await directories.make();
  await expect(openFileStorage(join(parent, 'store'))).rejects.toMatchObject({
    kind: 'not-found',
    code: 'no-such-directory',
  });
  expect(await readdir(parent)).toEqual([]);
});

test('a file where the store should be, or above it, is refused', async () => {
  const path = join(await directories.make(), 'file');
  await writeFile(path, 'x');
  for (const place of [path, join(path, 'store')])
    for (const make of [createFileStorage, openFileStorage])
      await expect(make(place)).rejects.toMatchObject({ kind: 'invalid', code: 'not-a-directory' });
});

test('a file where a directory of the store should be, and the other way round, is refused', async () => {
  const storage = await createFileStorage(await directories.make());
  await storage.putIfAbsent('packs', [bytes(1)]);
  expect(await kindOf(storage.putIfAbsent('packs/a', [bytes(1)]))).toBe('invalid');
  expect(await kindOf(storage.get('packs/a'))).toBe('invalid');
  expect(await kindOf(storage.delete('packs/a'))).toBe('invalid');
  await storage.putIfAbsent('segments/a', [bytes(1)]);
  expect(await kindOf(storage.get('segments'))).toBe('invalid');
  expect(await storage.putIfAbsent('segments', [bytes(1)])).toBe(false);
});

test('leftovers of a crash are no objects, but are listed and can be removed', async () => {
  const storage = await createFileStorage(await directories.make());
  const leftover = 'tmp/a.0123456789abcdef';
  await writeFile(join(storage.location, leftover), 'half');
  expect(await storage.get(leftover)).toBeUndefined();
  expect(await storage.get('packs/a')).toBeUndefined();
  expect(await collect(storage.list('tmp/'))).toEqual([{ key: leftover, size: 4 }]);
  expect(await storage.putIfAbsent('packs/a', [bytes(1)])).toBe(true);
  await storage.delete(leftover);
  expect(await collect(storage.list('tmp/'))).toEqual([]);
});

test('links inside a store are not followed', async () => {
  const outside = await directories.make();
  await writeFile(join(outside, 'a'), 'secret');
  const storage = await createFileStorage(await directories.make());
  await symlink(outside, join(storage.location, 'packs'));
  await mkdir(join(storage.location, 'manifests'));
  await symlink(join(outside, 'a'), join(storage.location, 'manifests', 'a'));
  expect(await kindOf(storage.get('packs/a'))).toBe('unsupported');
  expect(await kindOf(storage.putIfAbsent('packs/b', [bytes(1)]))).toBe('unsupported');
  expect(await kindOf(storage.delete('packs/a'))).toBe('unsupported');
  expect(await kindOf(storage.getVersioned('packs'))).toBe('unsupported');
  expect(await kindOf(storage.get('manifests/a'))).toBe('unsupported');
  expect(await storage.putIfAbsent('manifests/a', [bytes(1)])).toBe(false);
  expect(await collect(storage.list(''))).toEqual([]);
  expect(await readdir(outside)).toEqual(['a']);
});

test('the store itself may be reached through a link', async () => {
  const path = await directories.make();
  const alias = join(await directories.make(), 'alias');
  await symlink(path, alias);
  const storage = await createFileStorage(alias);
  await storage.putIfAbsent('packs/a', [bytes(1)]);
  expect(await readdir(join(path, 'packs'))).toEqual(['a']);
});

test('an object of 3 GiB is read in parts, never whole', async () => {
  const storage = await createFileStorage(await directories.make());
  await storage.putIfAbsent('packs/huge', []);
  const file = await open(join(storage.location, 'packs/huge'), 'r+');
  await file.write(bytes(1, 2, 3), 0, 3, 3 * 2 ** 30);
  await file.close();
  await expect(storage.get('packs/huge')).rejects.toMatchObject({ kind: 'invalid', code: 'read-too-large' });
  await expect(storage.get('packs/huge', { offset: 1, length: 2 ** 31 })).rejects.toMatchObject({
    kind: 'invalid',
  });
  expect(await storage.get('packs/huge', { offset: 3 * 2 ** 30 - 1, length: 99 })).toEqual(bytes(0, 1, 2, 3));
  expect(await collect(storage.list('packs/'))).toEqual([{ key: 'packs/huge', size: 3 * 2 ** 30 + 3 }]);
});

test('few packs stay open, none after close, and none that was deleted is read', async () => {
  const storage = await createFileStorage(await directories.make(), { openFilesMax: 3 });
  const other = new FileStorage(storage.location);
  const names = Array.from({ length: 10 }, (_, index) => `packs/${index}`);
  for (const key of names) await storage.putIfAbsent(key, [bytes(1, 2, 3)]);
  const readAll = (): Promise<unknown> =>
    Promise.all([...names, ...names].map((key) => storage.get(key, { offset: 1, length: 1 })));
  await readAll();
  await readAll();
  expect(await openPacks(storage)).toBe(3);
  for (const key of names) await other.delete(key);
  for (const key of names) expect(await storage.get(key, { offset: 1, length: 1 })).toBeUndefined();
  for (const key of names) await other.putIfAbsent(key, [bytes(4, 5, 6)]);
  for (const key of names) expect(await storage.get(key, { offset: 1, length: 1 })).toEqual(bytes(5));
  await storage.close();
  expect(await openPacks(storage)).toBe(0);
  expect(await storage.get('packs/1', { offset: 0, length: 1 })).toEqual(bytes(4));
  await expect.poll(() => openPacks(storage), { timeout: 3000 }).toBe(0);
});

test('a reader sees a growing store only in whole objects', async () => {
  const storage = await createFileStorage(await directories.make());
  const content = new Uint8Array(2 ** 20).fill(7);
  let writing = true;
  const writer = (async () => {
    for (let index = 0; index < 20; index += 1)
      await storage.putIfAbsent(`packs/${index}`, [content, content]);
    writing = false;
  })();
  while (writing) {
    for await (const { size } of storage.list('packs/')) expect(size).toBe(2 * content.length);
    const newest = await storage.get('packs/19');
    if (newest !== undefined) expect(newest.length).toBe(2 * content.length);
  }
  await writer;
});

test.skipIf(!mountable)('a full disk refuses new objects and keeps the old ones', async () => {
  const storage = await createFileStorage(await directories.mount(256));
  const version = await storage.putIfMatch('root', bytes(1), undefined);
  const content = new Uint8Array(50_000).fill(1);
  let stored = 0;
  const full = { kind: 'unavailable', code: 'disk-full' };
  const fill = async (): Promise<void> => {
    for (; ; stored += 1) await storage.putIfAbsent(`packs/${stored}`, [content]);
  };
  await expect(fill()).rejects.toMatchObject(full);
  expect(stored).toBeGreaterThan(2);
  expect(await storage.get(`packs/${stored}`)).toBeUndefined();
  expect(await collect(storage.list('tmp/'))).toEqual([]);
  await expect(storage.putIfMatch('root', content, version)).rejects.toMatchObject(full);
  expect(await storage.getVersioned('root')).toEqual({ bytes: bytes(1), version });
  for (let index = 0; index < stored; index += 1)
    expect((await storage.get(`packs/${index}`))?.length).toBe(50_000);
  await storage.delete('packs/0');
  expect(await storage.putIfAbsent('packs/next', [content])).toBe(true);
});

test.skipIf(!mountable)('a read-only store is read, and refuses to be written', async () => {
  const path = await directories.mount(256);
  const writable = await createFileStorage(path);
  await writable.putIfAbsent('packs/a', [bytes(1)]);
  await writable.putIfMatch('root', bytes(2), undefined);
  directories.remountReadOnly(path);
  const storage = await openFileStorage(path);
  expect(await storage.get('packs/a')).toEqual(bytes(1));
  expect(await storage.getVersioned('root')).toEqual({ bytes: bytes(2), version: '1' });
  const denied = { kind: 'unavailable', code: 'storage-denied' };
  await expect(storage.putIfAbsent('packs/b', [bytes(1)])).rejects.toMatchObject(denied);
  await expect(storage.putIfMatch('root', bytes(3), '1')).rejects.toMatchObject(denied);
  await expect(storage.delete('packs/a')).rejects.toMatchObject(denied);
  await expect(createFileStorage(join(path, 'new'))).rejects.toMatchObject(denied);
});

/** How many descriptors of this process point into the packs of the storage. */
async function openPacks(storage: FileStorage): Promise<number> {
  let count = 0;
  for (const descriptor of await readdir('/proc/self/fd')) {
    const target = await readlink(`/proc/self/fd/${descriptor}`).catch(() => '');
    if (target.startsWith(join(storage.location, 'packs'))) count += 1;
  }
  return count;
}
