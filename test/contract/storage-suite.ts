/** What every storage promises. Run by the test file of each storage. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ThetalogError } from '../../src/errors.js';
import type { Storage, StoredObject } from '../../src/storage/index.js';
import { storageCommands } from './storage-model.js';

export interface StorageContractOptions {
  /** Runs of the model-based test; fewer for slow storages. */
  modelRuns?: number;
}

export function storageContract(
  name: string,
  makeStorage: () => Promise<Storage>,
  options: StorageContractOptions = {},
): void {
  describe(`${name}: storage contract`, () => {
    immutableObjects(makeStorage);
    mutableObjects(makeStorage);
    listing(makeStorage);
    refusals(makeStorage);
    test('behaves like a map under random commands', async () => {
      await fc.assert(
        fc.asyncProperty(storageCommands(), async (commands) => {
          const real = await makeStorage();
          await fc.asyncModelRun(
            () => ({ model: { objects: new Map(), mutable: new Map() }, real }),
            commands,
          );
        }),
        { numRuns: options.modelRuns ?? 100 },
      );
    });
  });
}

function immutableObjects(makeStorage: () => Promise<Storage>): void {
  test('an object comes back whole, joined from its parts', async () => {
    const storage = await makeStorage();
    expect(await storage.putIfAbsent('packs/a', [bytes(1, 2), bytes(), bytes(3)])).toBe(true);
    expect(await storage.get('packs/a')).toEqual(bytes(1, 2, 3));
  });

  test('an absent object is undefined, also below an absent directory', async () => {
    const storage = await makeStorage();
    expect(await storage.get('thetalog.json')).toBeUndefined();
    expect(await storage.get('packs/ab/c', { offset: 0, length: 1 })).toBeUndefined();
  });

  test('empty objects exist', async () => {
    const storage = await makeStorage();
    expect(await storage.putIfAbsent('leases/a', [])).toBe(true);
    expect(await storage.get('leases/a')).toEqual(bytes());
    expect(await storage.get('leases/a', { offset: 5, length: 5 })).toEqual(bytes());
    expect(await storage.putIfAbsent('leases/a', [bytes(1)])).toBe(false);
  });

  test.each([
    { offset: 0, length: 5, expected: bytes(10, 11, 12, 13, 14) },
    { offset: 1, length: 2, expected: bytes(11, 12) },
    { offset: 3, length: 9, expected: bytes(13, 14) },
    { offset: 5, length: 1, expected: bytes() },
    { offset: 99, length: 1, expected: bytes() },
    { offset: 2, length: 0, expected: bytes() },
    { offset: 0, length: Number.MAX_SAFE_INTEGER, expected: bytes(10, 11, 12, 13, 14) },
    { offset: Number.MAX_SAFE_INTEGER, length: Number.MAX_SAFE_INTEGER, expected: bytes() },
  ])('range $offset + $length', async ({ offset, length, expected }) => {
    const storage = await makeStorage();
    await storage.putIfAbsent('packs/a', [bytes(10, 11, 12), bytes(13, 14)]);
    expect(await storage.get('packs/a', { offset, length })).toEqual(expected);
    expect(await storage.get('packs/a', { offset, length })).toEqual(expected);
  });

  test('the first put of a key stands', async () => {
    const storage = await makeStorage();
    expect(await storage.putIfAbsent('manifests/a', [bytes(1)])).toBe(true);
    expect(await storage.putIfAbsent('manifests/a', [bytes(2)])).toBe(false);
    expect(await storage.get('manifests/a')).toEqual(bytes(1));
  });

  test('of concurrent puts exactly one wins, and its bytes are the ones stored', async () => {
    const storage = await makeStorage();
    const writers = Array.from({ length: 16 }, (_, index) => index);
    const won = await Promise.all(writers.map((index) => storage.putIfAbsent('leases/a', [bytes(index)])));
    expect(won.filter(Boolean)).toHaveLength(1);
    expect(await storage.get('leases/a')).toEqual(bytes(won.indexOf(true)));
  });

  test('8 MiB in several parts of odd sizes', async () => {
    const storage = await makeStorage();
    const big = new Uint8Array(8 * 2 ** 20).map((_, index) => (index * 2654435761) >>> 13);
    const cuts = [0, 1, 4097, 4097, 3_000_001, big.length];
    const parts = cuts.slice(1).map((end, index) => big.subarray(cuts[index], end));
    expect(await storage.putIfAbsent('packs/big', parts)).toBe(true);
    expect(sameBytes(await storage.get('packs/big'), big)).toBe(true);
    const middle = await storage.get('packs/big', { offset: 2_999_990, length: 70_000 });
    expect(sameBytes(middle, big.subarray(2_999_990, 3_069_990))).toBe(true);
  });

  test('more parts than one system call takes', async () => {
    const storage = await makeStorage();
    const parts = Array.from({ length: 3000 }, (_, index) => bytes(index, index >> 8));
    await storage.putIfAbsent('packs/many', parts);
    expect(
      sameBytes(await storage.get('packs/many'), Uint8Array.from(parts.flatMap((part) => [...part]))),
    ).toBe(true);
  });

  test('what goes in and what comes out are private copies', async () => {
    const storage = await makeStorage();
    const given = bytes(1, 2, 3);
    await storage.putIfAbsent('packs/a', [given]);
    given.fill(9);
    const whole = await storage.get('packs/a');
    whole?.fill(9);
    const part = await storage.get('packs/a', { offset: 0, length: 2 });
    part?.fill(9);
    expect(await storage.get('packs/a')).toEqual(bytes(1, 2, 3));
    expect(whole?.buffer.byteLength).toBe(3);
    expect(Object.getPrototypeOf(whole)).toBe(Uint8Array.prototype);
  });

  test('deleting is idempotent and leaves the neighbours', async () => {
    const storage = await makeStorage();
    await storage.putIfAbsent('packs/a', [bytes(1)]);
    await storage.putIfAbsent('packs/b', [bytes(2)]);
    await storage.get('packs/a', { offset: 0, length: 1 });
    await storage.delete('packs/a');
    await storage.delete('packs/a');
    await storage.delete('segments/absent');
    expect(await storage.get('packs/a')).toBeUndefined();
    expect(await storage.get('packs/a', { offset: 0, length: 1 })).toBeUndefined();
    expect(await storage.get('packs/b')).toEqual(bytes(2));
    expect(await storage.putIfAbsent('packs/a', [bytes(3)])).toBe(true);
    expect(await storage.get('packs/a', { offset: 0, length: 1 })).toEqual(bytes(3));
  });
}

function mutableObjects(makeStorage: () => Promise<Storage>): void {
  test('a mutable object is created once, then replaced by its version', async () => {
    const storage = await makeStorage();
    expect(await storage.getVersioned('root')).toBeUndefined();
    const first = await storage.putIfMatch('root', bytes(1), undefined);
    expect(first).toBeTypeOf('string');
    expect(await storage.putIfMatch('root', bytes(2), undefined)).toBeUndefined();
    expect(await storage.getVersioned('root')).toEqual({ bytes: bytes(1), version: first });
    const second = await storage.putIfMatch('root', bytes(3), first);
    expect(second).not.toBe(first);
    expect(await storage.getVersioned('root')).toEqual({ bytes: bytes(3), version: second });
  });

  test('a stale or unknown version loses and changes nothing', async () => {
    const storage = await makeStorage();
    expect(await storage.putIfMatch('root', bytes(1), '7')).toBeUndefined();
    expect(await storage.getVersioned('root')).toBeUndefined();
    const first = await storage.putIfMatch('root', bytes(1), undefined);
    const second = await storage.putIfMatch('root', bytes(2), first);
    expect(await storage.putIfMatch('root', bytes(3), first)).toBeUndefined();
    expect(await storage.putIfMatch('root', bytes(3), '')).toBeUndefined();
    expect(await storage.putIfMatch('root', bytes(3), '../../x')).toBeUndefined();
    expect(await storage.getVersioned('root')).toEqual({ bytes: bytes(2), version: second });
  });

  test('versions from long ago lose too', async () => {
    const storage = await makeStorage();
    const versions: (string | undefined)[] = [undefined];
    for (let value = 1; value <= 30; value += 1)
      versions.push(await storage.putIfMatch('root', bytes(value), versions.at(-1)));
    for (const version of versions.slice(0, -1))
      expect(await storage.putIfMatch('root', bytes(99), version)).toBeUndefined();
    expect(await storage.getVersioned('root')).toEqual({ bytes: bytes(30), version: versions.at(-1) });
  });

  test('of concurrent creations exactly one wins', async () => {
    const storage = await makeStorage();
    const puts = Array.from({ length: 8 }, (_, index) => storage.putIfMatch('root', bytes(index), undefined));
    const versions = await Promise.all(puts);
    expect(versions.filter((version) => version !== undefined)).toHaveLength(1);
    const winner = versions.findIndex((version) => version !== undefined);
    expect((await storage.getVersioned('root'))?.bytes).toEqual(bytes(winner));
  });

  test('16 concurrent changes are all there, once', async () => {
    const storage = await makeStorage();
    const writers = Array.from({ length: 16 }, (_, index) => index);
    await Promise.all(writers.map((writer) => append(storage, writer)));
    expect([...((await storage.getVersioned('root'))?.bytes ?? [])].sort((a, b) => a - b)).toEqual(writers);
  });

  test('versioned bytes are private copies', async () => {
    const storage = await makeStorage();
    const given = bytes(1, 2);
    await storage.putIfMatch('root', given, undefined);
    given.fill(9);
    (await storage.getVersioned('root'))?.bytes.fill(9);
    expect((await storage.getVersioned('root'))?.bytes).toEqual(bytes(1, 2));
  });

  test('a mutable object may be empty', async () => {
    const storage = await makeStorage();
    const version = await storage.putIfMatch('root', bytes(), undefined);
    expect(await storage.getVersioned('root')).toEqual({ bytes: bytes(), version });
  });

  test('a mutable object is no immutable one, and the other way round', async () => {
    const storage = await makeStorage();
    await storage.putIfMatch('root', bytes(1), undefined);
    await storage.putIfAbsent('packs/a', [bytes(1)]);
    expect(await kindOf(storage.get('root'))).toBe('invalid');
    expect(await kindOf(storage.delete('root'))).toBe('invalid');
    expect(await storage.putIfAbsent('root', [bytes(2)])).toBe(false);
    expect(await kindOf(storage.getVersioned('packs/a'))).toBe('invalid');
    expect(await kindOf(storage.putIfMatch('packs/a', bytes(1), undefined))).toBe('invalid');
    expect((await storage.getVersioned('root'))?.bytes).toEqual(bytes(1));
  });
}

function listing(makeStorage: () => Promise<Storage>): void {
  test('lists by prefix, with sizes', async () => {
    const storage = await makeStorage();
    for (const key of ['packs/aa/1', 'packs/aa/2', 'packs/ab/3', 'packs.old', 'segments/s', 'thetalog.json'])
      await storage.putIfAbsent(key, [new Uint8Array(key.length)]);
    const keysOf = async (prefix: string): Promise<string[]> => {
      const objects = await collect(storage.list(prefix));
      for (const { key, size } of objects) expect(size).toBe(key.length);
      return objects.map(({ key }) => key).sort();
    };
    expect(await keysOf('packs/')).toEqual(['packs/aa/1', 'packs/aa/2', 'packs/ab/3']);
    expect(await keysOf('packs/a')).toEqual(['packs/aa/1', 'packs/aa/2', 'packs/ab/3']);
    expect(await keysOf('packs/aa/')).toEqual(['packs/aa/1', 'packs/aa/2']);
    expect(await keysOf('packs/aa/1')).toEqual(['packs/aa/1']);
    expect(await keysOf('packs')).toEqual(['packs.old', 'packs/aa/1', 'packs/aa/2', 'packs/ab/3']);
    expect(await keysOf('leases/')).toEqual([]);
    expect(await keysOf('../')).toEqual([]);
    expect(await keysOf('')).toHaveLength(6);
  });

  test('lists a mutable object by its key as prefix', async () => {
    const storage = await makeStorage();
    await storage.putIfMatch('root', bytes(1, 2, 3), undefined);
    const objects = await collect(storage.list('root'));
    expect(objects.map(({ size }) => size)).toEqual([3]);
    expect(objects[0].key).toMatch(/^root/);
  });

  test('objects may be deleted while they are listed', async () => {
    const storage = await makeStorage();
    for (let index = 0; index < 70; index += 1) await storage.putIfAbsent(`leases/${index}`, [bytes(1)]);
    const seen = new Set<string>();
    for await (const { key } of storage.list('leases/')) {
      seen.add(key);
      await storage.delete(key);
    }
    expect(seen.size).toBe(70);
    expect(await collect(storage.list(''))).toEqual([]);
  });
}

function refusals(makeStorage: () => Promise<Storage>): void {
  const badKeys = [
    '',
    '/',
    '/a',
    'a/',
    'a//b',
    '.',
    '..',
    'a/..',
    '../a',
    'a/../../b',
    'a/./b',
    'a\\b',
    'a b',
    'ä',
    'a\0b',
    'a\n',
    'C:a',
  ];
  test.each(badKeys)('the key %j is refused everywhere', async (key) => {
    const storage = await makeStorage();
    expect(await kindOf(storage.get(key))).toBe('invalid');
    expect(await kindOf(storage.get(key, { offset: 0, length: 1 }))).toBe('invalid');
    expect(await kindOf(storage.putIfAbsent(key, [bytes(1)]))).toBe('invalid');
    expect(await kindOf(storage.getVersioned(key))).toBe('invalid');
    expect(await kindOf(storage.putIfMatch(key, bytes(1), undefined))).toBe('invalid');
    expect(await kindOf(storage.delete(key))).toBe('invalid');
    expect(await collect(storage.list(''))).toEqual([]);
  });

  test('nothing can be created where unfinished files are', async () => {
    const storage = await makeStorage();
    expect(await kindOf(storage.putIfAbsent('tmp/a', [bytes(1)]))).toBe('invalid');
    expect(await kindOf(storage.putIfMatch('tmp/a', bytes(1), undefined))).toBe('invalid');
    expect(await storage.get('tmp/a')).toBeUndefined();
  });

  test.each([
    { offset: -1, length: 1 },
    { offset: 0, length: -1 },
    { offset: 0.5, length: 1 },
    { offset: 0, length: Number.NaN },
    { offset: 2 ** 53, length: 1 },
  ])('the range $offset + $length is refused', async (range) => {
    const storage = await makeStorage();
    await storage.putIfAbsent('packs/a', [bytes(1)]);
    expect(await kindOf(storage.get('packs/a', range))).toBe('invalid');
  });
}

/** Appends a byte of its own to `root`. A put that answered undefined may stand, so each turn looks first. */
async function append(storage: Storage, writer: number): Promise<void> {
  for (;;) {
    const current = await storage.getVersioned('root');
    const written = current?.bytes ?? bytes();
    if (written.includes(writer)) return;
    if ((await storage.putIfMatch('root', bytes(...written, writer), current?.version)) !== undefined) return;
  }
}

/** The kind of the error that a promise rejects with. */
export async function kindOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (error) {
    return error instanceof ThetalogError ? error.kind : `not a ThetalogError: ${error}`;
  }
  return 'resolved';
}

export async function collect(objects: AsyncIterable<StoredObject>): Promise<StoredObject[]> {
  const all: StoredObject[] = [];
  for await (const object of objects) all.push(object);
  return all;
}

export function bytes(...values: number[]): Uint8Array {
  return Uint8Array.from(values);
}

/** Comparing megabytes with toEqual takes seconds. */
function sameBytes(actual: Uint8Array | undefined, expected: Uint8Array): boolean {
  return actual !== undefined && Buffer.compare(actual, expected) === 0;
}
