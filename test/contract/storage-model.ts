/** Random commands on a storage, checked against plain maps. */
import fc from 'fast-check';
import { expect } from 'vitest';
import type { Storage } from '../../src/storage/index.js';

export interface StorageModel {
  objects: Map<string, Uint8Array>;
  mutable: Map<string, { bytes: Uint8Array; version: string }>;
}

type StorageCommand = fc.AsyncCommand<StorageModel, Storage>;

const KEYS = ['thetalog.json', 'packs/a', 'packs/b', 'packs/sub/a', 'leases/x'];
const MUTABLE_KEYS = ['root', 'other'];

export function storageCommands(): fc.Arbitrary<Iterable<StorageCommand>> {
  const key = fc.constantFrom(...KEYS);
  const mutableKey = fc.constantFrom(...MUTABLE_KEYS);
  const content = fc.uint8Array({ maxLength: 40 });
  const position = fc.nat({ max: 50 });
  return fc.commands(
    [
      fc.tuple(key, fc.array(content, { maxLength: 3 })).map((args) => put(...args)),
      key.map(get),
      fc.tuple(key, position, position).map((args) => getRange(...args)),
      key.map(remove),
      fc.constantFrom('', 'packs/', 'packs/s', 'leases/x', 'nothing').map(list),
      fc.tuple(mutableKey, content, fc.boolean()).map((args) => replace(...args)),
      fc.tuple(mutableKey, content, fc.boolean()).map((args) => replace(...args)),
      mutableKey.map(read),
    ],
    { maxCommands: 40 },
  );
}

function command(name: string, run: (model: StorageModel, real: Storage) => Promise<void>): StorageCommand {
  return { check: () => true, run, toString: () => name };
}

function put(key: string, parts: Uint8Array[]): StorageCommand {
  return command(`put ${key} [${parts}]`, async ({ objects }, real) => {
    expect(await real.putIfAbsent(key, parts)).toBe(!objects.has(key));
    if (!objects.has(key)) objects.set(key, Uint8Array.from(parts.flatMap((part) => [...part])));
  });
}

function get(key: string): StorageCommand {
  return command(`get ${key}`, async ({ objects }, real) => {
    expect(await real.get(key)).toEqual(objects.get(key));
  });
}

function getRange(key: string, offset: number, length: number): StorageCommand {
  return command(`get ${key} ${offset}+${length}`, async ({ objects }, real) => {
    expect(await real.get(key, { offset, length })).toEqual(objects.get(key)?.slice(offset, offset + length));
  });
}

function remove(key: string): StorageCommand {
  return command(`delete ${key}`, async ({ objects }, real) => {
    await real.delete(key);
    objects.delete(key);
  });
}

/** Mutable objects are left out: storages differ in how many physical objects they make of one. */
function list(prefix: string): StorageCommand {
  return command(`list ${prefix}`, async ({ objects }, real) => {
    const actual = new Map<string, number>();
    for await (const { key, size } of real.list(prefix)) if (KEYS.includes(key)) actual.set(key, size);
    const expected = [...objects].filter(([key]) => key.startsWith(prefix));
    expect(actual).toEqual(new Map(expected.map(([key, content]) => [key, content.length])));
  });
}

function replace(key: string, content: Uint8Array, stale: boolean): StorageCommand {
  return command(`replace ${key}${stale ? ' stale' : ''}`, async ({ mutable }, real) => {
    const current = mutable.get(key);
    const version = await real.putIfMatch(
      key,
      content,
      stale ? `${current?.version ?? ''}0` : current?.version,
    );
    expect(version === undefined).toBe(stale);
    if (version !== undefined) mutable.set(key, { bytes: content, version });
  });
}

function read(key: string): StorageCommand {
  return command(`read ${key}`, async ({ mutable }, real) => {
    expect(await real.getVersioned(key)).toEqual(mutable.get(key));
  });
}
