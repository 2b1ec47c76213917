/** System calls that fail, lie or stop half-way: no false answer, nothing half-written under a final name. */
import * as fs from 'node:fs/promises';
import { afterAll, afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { ThetalogError } from '../../src/errors.js';
import { createFileStorage, FileStorage, openFileStorage } from '../../src/storage/index.js';
import { bytes, collect } from '../contract/storage-suite.js';
import { TemporaryDirectories } from './temporary-directories.js';

const links = vi.hoisted(() => ({
  answer: undefined as ((link: () => Promise<void>) => Promise<void>) | undefined,
}));

/** What happened, in order: `sync PATH` and `link PATH`. */
const log = vi.hoisted(() => ({ events: [] as string[], paths: new WeakMap<object, string>() }));

vi.mock('node:fs/promises', async (importOriginal) => {
  const original = await importOriginal<typeof import('node:fs/promises')>();
  const link: typeof original.link = (from, to) => {
    const { answer } = links;
    links.answer = undefined;
    log.events.push(`link ${to}`);
    return answer === undefined ? original.link(from, to) : answer(() => original.link(from, to));
  };
  const open: typeof original.open = async (path, ...rest) => {
    const file = await original.open(path, ...rest);
    log.paths.set(file, String(path));
    return file;
  };
  return { ...original, link, open };
});

const directories = new TemporaryDirectories();
let storage: FileStorage;
let handles: fs.FileHandle;

beforeEach(async () => {
  const path = await directories.make();
  storage = await createFileStorage(path);
  await storage.putIfAbsent('packs/old', [bytes(1)]);
  const file = await fs.open(path);
  handles = Object.getPrototypeOf(file);
  await file.close();
});
afterEach(() => {
  vi.restoreAllMocks();
  links.answer = undefined;
});
afterAll(() => directories.removeAll());

describe('a failed put names the reason and leaves nothing', () => {
  test.each([
    { errno: 'ENOSPC', kind: 'unavailable', code: 'disk-full' },
    { errno: 'EDQUOT', kind: 'unavailable', code: 'disk-full' },
    { errno: 'EIO', kind: 'unavailable', code: 'storage-failed' },
    { errno: 'EMFILE', kind: 'unavailable', code: 'storage-failed' },
    { errno: 'EROFS', kind: 'unavailable', code: 'storage-denied' },
    { errno: 'EACCES', kind: 'unavailable', code: 'storage-denied' },
  ])('$errno', async ({ errno, kind, code }) => {
    for (const method of ['writev', 'sync', 'stat'] as const) {
      const spy = vi.spyOn(handles, method).mockImplementationOnce(() => Promise.reject(systemError(errno)));
      const error = await errorOf(storage.putIfAbsent('packs/new', [bytes(1, 2)]));
      expect(spy).toHaveBeenCalled();
      expect(error).toMatchObject({ kind, code, object: 'packs/new', cause: { code: errno } });
      expect(error.hint).toBeTypeOf('string');
      expect(await keys()).toEqual(['packs/old']);
      vi.restoreAllMocks();
    }
    expect(await storage.putIfAbsent('packs/new', [bytes(3)])).toBe(true);
    expect(await storage.get('packs/new')).toEqual(bytes(3));
  });
});

describe('order of a put', () => {
  const eventsOf = async (put: Promise<unknown>, location: string): Promise<string[]> => {
    const { sync } = handles;
    log.events = [];
    vi.spyOn(handles, 'sync').mockImplementation(async function (this: fs.FileHandle) {
      await sync.call(this);
      log.events.push(`sync ${log.paths.get(this)}`);
    });
    await put;
    return log.events.map((event) =>
      event
        .replace(`${location}/`, '')
        .replace(location, '.')
        .replace(/\.[0-9a-f]{16}$/, '.RANDOM'),
    );
  };

  test('new directories, then the content, then the name, then the directory of the name', async () => {
    const fresh = new FileStorage(storage.location);
    expect(await eventsOf(fresh.putIfAbsent('packs/sub/a', [bytes(1)]), fresh.location)).toEqual([
      'sync .',
      'sync packs',
      'sync .',
      'sync tmp/a.RANDOM',
      'link packs/sub/a',
      'sync packs/sub',
    ]);
  });

  test('directories known to be durable are not synced again', async () => {
    expect(await eventsOf(storage.putIfAbsent('packs/a', [bytes(1)]), storage.location)).toEqual([
      'sync tmp/a.RANDOM',
      'link packs/a',
      'sync packs',
    ]);
  });

  test('a put that comes second makes the first one durable', async () => {
    const fresh = new FileStorage(storage.location);
    await fresh.putIfAbsent('packs/other', []);
    const events = await eventsOf(fresh.putIfAbsent('packs/old', [bytes(1)]), fresh.location);
    expect(events.at(-1)).toBe('sync packs');
  });

  test('a new store is durable up to the first directory that was there', async () => {
    const parent = await directories.make();
    const events = await eventsOf(createFileStorage(`${parent}/a/b`), parent);
    expect(events.slice(0, 2)).toEqual(['sync .', 'sync a']);
  });
});

test('a name whose directory could not be synced is taken back', async () => {
  const sync = vi.spyOn(handles, 'sync');
  sync.mockImplementationOnce(() => Promise.resolve());
  sync.mockImplementationOnce(() => Promise.reject(systemError('EIO')));
  expect(await errorOf(storage.putIfAbsent('packs/new', [bytes(1)]))).toMatchObject({
    code: 'storage-failed',
  });
  expect(await keys()).toEqual(['packs/old']);
});

test('a generation whose directory could not be synced leaves the outcome open, never a success', async () => {
  const version = await storage.putIfMatch('root', bytes(1), undefined);
  const sync = vi.spyOn(handles, 'sync');
  sync.mockImplementationOnce(() => Promise.resolve());
  sync.mockImplementationOnce(() => Promise.reject(systemError('EIO')));
  expect(await errorOf(storage.putIfMatch('root', bytes(2), version))).toMatchObject({ kind: 'unavailable' });
  expect((await (await openFileStorage(storage.location)).getVersioned('root'))?.bytes).toEqual(bytes(2));
});

test('a reader syncs what it saw before it returns it, once per generation', async () => {
  await storage.putIfMatch('root', bytes(1), undefined);
  const reader = await openFileStorage(storage.location);
  const sync = vi.spyOn(handles, 'sync').mockImplementationOnce(() => Promise.reject(systemError('EIO')));
  expect(await errorOf(reader.getVersioned('root'))).toMatchObject({ kind: 'unavailable' });
  await reader.getVersioned('root');
  await reader.getVersioned('root');
  expect(sync).toHaveBeenCalledTimes(2);
});

test('short writes are continued', async () => {
  const writev = handles.writev as (buffers: Uint8Array[]) => Promise<unknown>;
  const short = async function (this: fs.FileHandle, buffers: Uint8Array[]): Promise<unknown> {
    return writev.call(this, [buffers[0].subarray(0, 3)]);
  };
  vi.spyOn(handles, 'writev').mockImplementation(short as typeof handles.writev);
  await storage.putIfAbsent('packs/new', [bytes(1, 2), bytes(), bytes(3, 4, 5, 6, 7, 8, 9), bytes(10)]);
  expect(await storage.get('packs/new')).toEqual(bytes(1, 2, 3, 4, 5, 6, 7, 8, 9, 10));
});

test.each([
  { lie: 'more than was written', bytesWritten: 2 },
  { lie: 'no progress', bytesWritten: 0 },
])('a write that claims $lie is found out', async ({ bytesWritten }) => {
  vi.spyOn(handles, 'writev').mockResolvedValueOnce({ bytesWritten, buffers: [] });
  expect(await errorOf(storage.putIfAbsent('packs/new', [bytes(1, 2)]))).toMatchObject({
    code: 'storage-failed',
  });
  expect(await keys()).toEqual(['packs/old']);
});

test('short reads are continued', async () => {
  await storage.putIfAbsent('packs/new', [bytes(1, 2, 3, 4, 5, 6, 7)]);
  type Read = (buffer: Uint8Array, offset: number, length: number, position: number) => Promise<unknown>;
  const read = handles.read as unknown as Read;
  const short = async function (
    this: fs.FileHandle,
    ...[buffer, offset, length, position]: Parameters<Read>
  ) {
    return read.call(this, buffer, offset, Math.min(length, 3), position);
  };
  vi.spyOn(handles, 'read').mockImplementation(short as unknown as typeof handles.read);
  expect(await storage.get('packs/new')).toEqual(bytes(1, 2, 3, 4, 5, 6, 7));
});

test('a read error is unavailable, and the storage goes on', async () => {
  vi.spyOn(handles, 'read').mockRejectedValueOnce(systemError('EIO'));
  const range = { offset: 0, length: 1 };
  expect(await errorOf(storage.get('packs/old', range))).toMatchObject({
    code: 'storage-failed',
    object: 'packs/old',
  });
  expect(await storage.get('packs/old', range)).toEqual(bytes(1));
});

test('a link that took effect and answered EEXIST has won', async () => {
  links.answer = async (link) => {
    await link();
    throw systemError('EEXIST');
  };
  expect(await storage.putIfAbsent('packs/new', [bytes(7)])).toBe(true);
  expect(await storage.get('packs/new')).toEqual(bytes(7));
});

test.each(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'])(
  'a file system without links is refused: %s',
  async (errno) => {
    const path = await directories.make();
    links.answer = () => Promise.reject(systemError(errno));
    expect(await errorOf(createFileStorage(path))).toMatchObject({
      kind: 'unsupported',
      code: 'no-hard-links',
    });
    expect(await fs.readdir(`${path}/tmp`)).toEqual([]);
  },
);

test('a file system whose links replace files is refused', async () => {
  const path = await directories.make();
  links.answer = async (link) => {
    await link();
    links.answer = () => Promise.resolve();
  };
  expect(await errorOf(createFileStorage(path))).toMatchObject({
    kind: 'unsupported',
    code: 'no-hard-links',
  });
});

test('a put survives the removal of its directories and of its unfinished file', async () => {
  await storage.putIfAbsent('packs/sub/a', [bytes(1)]);
  await fs.rm(storage.location, { recursive: true });
  await fs.mkdir(storage.location);
  expect(await storage.putIfAbsent('packs/sub/b', [bytes(2)])).toBe(true);
  links.answer = async (link) => {
    await fs.rm(`${storage.location}/tmp`, { recursive: true });
    return link();
  };
  expect(await storage.putIfAbsent('packs/sub/c', [bytes(3)])).toBe(true);
  expect(await storage.get('packs/sub/c')).toEqual(bytes(3));
  expect(await keys()).toEqual(['packs/sub/b', 'packs/sub/c']);
});

test('a store that is gone is unavailable', async () => {
  await fs.rm(storage.location, { recursive: true });
  expect(await errorOf(storage.putIfAbsent('packs/a', [bytes(1)]))).toMatchObject({ kind: 'unavailable' });
  expect(await errorOf(collect(storage.list('')))).toMatchObject({ kind: 'unavailable' });
});

async function keys(): Promise<string[]> {
  return (await collect(storage.list(''))).map(({ key }) => key).sort();
}

async function errorOf(promise: Promise<unknown>): Promise<ThetalogError> {
  const error = await promise.then(
    () => 'resolved',
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(ThetalogError);
  return error as ThetalogError;
}

function systemError(code: string): Error {
  return Object.assign(new Error(`${code}: injected`), { code });
}
