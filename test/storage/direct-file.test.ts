/**
 * Objects written past the page cache. Seen to fail when short writes are not continued, when the zeros after the last byte are not
 * cut off, when the size is not looked at before that, and when a refusal is an error.
 */
import * as fs from 'node:fs/promises';
import { afterAll, afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createFileStorage, type FileStorage, pageMemory } from '../../src/storage/index.js';
import { collect } from '../contract/storage-suite.js';
import { randomNumbers } from '../engine/training-state.js';
import { TemporaryDirectories } from './temporary-directories.js';

const MIB = 2 ** 20;

const opened = vi.hoisted(() => ({ flags: [] as number[], refusal: undefined as Error | undefined }));

vi.mock('node:fs/promises', async (importOriginal) => {
  const original = await importOriginal<typeof import('node:fs/promises')>();
  const open: typeof original.open = async (path, flags, mode) => {
    const file = await original.open(path, flags, mode);
    if (typeof flags !== 'number' || (flags & original.constants.O_CREAT) === 0) return file;
    opened.flags.push(flags);
    if (opened.refusal === undefined || (flags & original.constants.O_DIRECT) === 0) return file;
    await file.close();
    throw opened.refusal;
  };
  return { ...original, open };
});

const directories = new TemporaryDirectories();
let storage: FileStorage;
let handles: fs.FileHandle;

beforeEach(async () => {
  const path = await directories.make();
  storage = await createFileStorage(path);
  // So that the directory of packs is durable already.
  await storage.putIfAbsent('packs/old', []);
  await storage.delete('packs/old');
  const file = await fs.open(path);
  handles = Object.getPrototypeOf(file);
  await file.close();
  opened.flags = [];
});
afterEach(() => {
  vi.restoreAllMocks();
  opened.refusal = undefined;
});
afterAll(() => directories.removeAll());

/** Parts of odd lengths with random bytes. */
function partsOf(length: number): Uint8Array[] {
  const next = randomNumbers(length);
  const parts: Uint8Array[] = [];
  for (let left = length; left > 0; left -= parts.at(-1)?.length ?? 0) {
    const size = Math.min(left, 1 + Math.floor(next() * MIB));
    parts.push(Uint8Array.from({ length: size }, (_, index) => (index * 2654435761 * (size | 1)) >>> 24));
  }
  return parts;
}

const wasDirect = () => opened.flags.map((flags) => (flags & fs.constants.O_DIRECT) !== 0);
const keys = async () => (await collect(storage.list(''))).map(({ key }) => key);

async function expectStored(length: number): Promise<void> {
  const parts = partsOf(length);
  expect(await storage.putIfAbsent('packs/a', parts)).toBe(true);
  expect(Buffer.concat(parts).equals((await storage.get('packs/a')) ?? new Uint8Array(0))).toBe(true);
  expect(await keys()).toEqual(['packs/a']);
}

describe('large objects come back as they were', () => {
  test.each([4 * MIB, 4 * MIB + 1, 8 * MIB - 1, 8 * MIB, 8 * MIB + 4096, 13 * MIB + 777])(
    '%i bytes',
    async (length) => {
      await expectStored(length);
      expect(wasDirect()).toEqual([true]);
    },
  );

  test('several at once', async () => {
    const lengths = [5 * MIB, 9 * MIB + 1, 4 * MIB + 9, 6 * MIB];
    const puts = lengths.map((length, at) => storage.putIfAbsent(`packs/${at}`, partsOf(length)));
    expect(await Promise.all(puts)).toEqual([true, true, true, true]);
    for (const [at, length] of lengths.entries()) {
      const read = (await storage.get(`packs/${at}`)) ?? new Uint8Array(0);
      expect(Buffer.concat(partsOf(length)).equals(read)).toBe(true);
    }
  });
});

test('smaller ones go through the page cache', async () => {
  await expectStored(4 * MIB - 1);
  expect(wasDirect()).toEqual([false]);
});

describe('where direct writes are refused, files are written the usual way', () => {
  test.each(['EINVAL', 'ENOTSUP', 'ENOSYS'])('by open, with %s', async (errno) => {
    opened.refusal = systemError(errno);
    await expectStored(5 * MIB);
    expect(wasDirect()).toEqual([true, false]);
  });

  test.each(['EINVAL', 'EOPNOTSUPP'])('by the first write, with %s', async (errno) => {
    vi.spyOn(handles, 'write').mockRejectedValueOnce(systemError(errno));
    await expectStored(5 * MIB);
    expect(wasDirect()).toEqual([true, false]);
  });

  test.each([0, 1000, 4097])('by writing %i bytes only', async (bytesWritten) => {
    vi.spyOn(handles, 'write').mockResolvedValueOnce({ bytesWritten, buffer: '' });
    await expectStored(5 * MIB);
    expect(wasDirect()).toEqual([true, false]);
  });
});

describe('memory that begins with a page', () => {
  test.each([
    { what: 'where a block begins', before: [4096], isCopied: false },
    { what: 'behind blocks that are put together', before: [4000, 96, 8192], isCopied: false },
    { what: 'elsewhere', before: [4097], isCopied: true },
  ])('is written from where it is: $what', async ({ before, isCopied }) => {
    const pages = pageMemory(5 * MIB).map((_, at) => at * 7);
    const whole = pageMemory(5 * MIB);
    whole.set(pages);
    const parts = [...before.map((length) => new Uint8Array(length).fill(9)), whole.subarray(0, 5 * MIB - 5)];
    const write = vi.spyOn(handles, 'write');
    await storage.putIfAbsent('packs/a', [...parts, ...parts]);
    const read = (await storage.get('packs/a')) ?? new Uint8Array(0);
    expect(Buffer.concat([...parts, ...parts]).equals(read)).toBe(true);
    const from = write.mock.calls.map(([bytes]) => (bytes as unknown as Uint8Array).buffer);
    expect(from.includes(whole.buffer)).toBe(!isCopied);
    expect(wasDirect()).toEqual([true]);
  });
});

test('short writes are continued', async () => {
  const { write } = handles as unknown as { write: Write };
  type Write = (bytes: Uint8Array, offset: number, length: number, position: number) => Promise<unknown>;
  vi.spyOn(handles, 'write').mockImplementation(async function (
    this: fs.FileHandle,
    ...[bytes, offset, length, position]: Parameters<Write>
  ) {
    return write.call(this, bytes, offset, Math.min(length, 1.5 * MIB), position);
  } as unknown as typeof handles.write);
  await expectStored(9 * MIB + 5);
  expect(wasDirect()).toEqual([true]);
});

describe('a failed put names the reason and leaves nothing', () => {
  test.each([
    { method: 'write', errno: 'ENOSPC', code: 'disk-full' },
    { method: 'write', errno: 'EIO', code: 'storage-failed' },
    { method: 'truncate', errno: 'EIO', code: 'storage-failed' },
    { method: 'stat', errno: 'EIO', code: 'storage-failed' },
    { method: 'sync', errno: 'EIO', code: 'storage-failed' },
  ] as const)('$method: $errno', async ({ method, errno, code }) => {
    vi.spyOn(handles, method).mockImplementationOnce(() => Promise.reject(systemError(errno)));
    await expect(storage.putIfAbsent('packs/a', partsOf(9 * MIB))).rejects.toMatchObject({
      kind: 'unavailable',
      code,
      object: 'packs/a',
    });
    expect(await keys()).toEqual([]);
    vi.restoreAllMocks();
    await expectStored(9 * MIB);
  });

  test('a last write that claims more than it wrote', async () => {
    const write = vi.spyOn(handles, 'write');
    write.mockResolvedValue({ bytesWritten: 4 * MIB, buffer: '' });
    await expect(storage.putIfAbsent('packs/a', partsOf(8 * MIB))).rejects.toMatchObject({
      code: 'storage-failed',
    });
    expect(await keys()).toEqual([]);
  });
});

function systemError(code: string): Error {
  return Object.assign(new Error(`${code}: injected`), { code });
}
