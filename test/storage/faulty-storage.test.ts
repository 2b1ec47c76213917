import { expect, test } from 'vitest';
import { MemoryStorage } from '../../src/storage/index.js';
import { FaultyStorage } from '../contract/faulty-storage.js';
import { bytes, kindOf, storageContract } from '../contract/storage-suite.js';

storageContract('faulty, without a fault', async () => new FaultyStorage(new MemoryStorage()));

test('a call that fails before has no effect, and only that call', async () => {
  const storage = new FaultyStorage(new MemoryStorage(), { at: 2, when: 'before' });
  expect(await storage.putIfAbsent('packs/a', [bytes(1)])).toBe(true);
  expect(await kindOf(storage.putIfAbsent('packs/b', [bytes(1)]))).toBe('unavailable');
  expect(await storage.get('packs/b')).toBeUndefined();
  expect(await storage.putIfAbsent('packs/b', [bytes(1)])).toBe(true);
});

test('a lost answer has taken effect', async () => {
  const storage = new FaultyStorage(new MemoryStorage(), { at: 1, when: 'after' });
  expect(await kindOf(storage.putIfMatch('root', bytes(1), undefined))).toBe('unavailable');
  expect((await storage.getVersioned('root'))?.bytes).toEqual(bytes(1));
});

test('a sticky fault stays, without effect', async () => {
  const storage = new FaultyStorage(new MemoryStorage(), { at: 1, when: 'after', sticky: true });
  for (const key of ['packs/a', 'packs/b', 'packs/c'])
    expect(await kindOf(storage.putIfAbsent(key, [bytes(1)]))).toBe('unavailable');
  expect(await storage.get('packs/a')).toEqual(bytes(1));
  expect(await storage.get('packs/b')).toBeUndefined();
});

test('calls can be chosen and errors made', async () => {
  const matches = ({ method, key }: { method: string; key: string }): boolean =>
    method === 'delete' || key === 'root';
  const error = (): Error => new Error('chosen');
  const storage = new FaultyStorage(new MemoryStorage(), { at: 1, when: 'before', matches, error });
  await storage.putIfAbsent('packs/a', [bytes(1)]);
  await expect(storage.delete('packs/a')).rejects.toThrow('chosen');
  expect(storage.calls).toEqual([{ method: 'delete', key: 'packs/a' }]);
});
