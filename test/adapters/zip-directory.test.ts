import { expect, test } from 'vitest';
import { readZipDirectory } from '../../src/adapters/zip-directory.js';
import { inMemory } from './sources.js';
import { torchFile } from './torch-zip-writer.js';

async function archiveBytes(): Promise<Uint8Array> {
  return torchFile((archive) => ({ w: archive.zeros(4) }), { name: 'run' }).bytes();
}

test('lists all records in the order of the directory with the place of their bytes', async () => {
  const bytes = await archiveBytes();
  const entries = await readZipDirectory(inMemory('run.pt', bytes));
  expect(entries.map(({ name }) => name)).toEqual([
    'run/data.pkl',
    'run/.format_version',
    'run/.storage_alignment',
    'run/byteorder',
    'run/data/0',
    'run/version',
    'run/.data/serialization_id',
  ]);
  const order = entries.find(({ name }) => name.endsWith('byteorder'));
  const start = order?.dataOffset ?? 0;
  expect(new TextDecoder().decode(bytes.subarray(start, start + (order?.bytes ?? 0)))).toBe('little');
  expect(entries.every(({ stored, hasDescriptor }) => stored && hasDescriptor)).toBe(true);
});

test('a comment is allowed, junk after it is not', async () => {
  const bytes = await archiveBytes();
  const commented = new Uint8Array([...bytes, 0x50, 0x4b, 5]);
  commented[bytes.length - 2] = 3;
  expect(await readZipDirectory(inMemory('run.pt', commented))).toHaveLength(7);
  const junk = new Uint8Array([...bytes, 0]);
  await expect(readZipDirectory(inMemory('run.pt', junk))).rejects.toMatchObject({ code: 'zip-end' });
});

test('a prefix in front of the archive is refused', async () => {
  const bytes = await archiveBytes();
  const shifted = new Uint8Array([1, 2, 3, 4, ...bytes]);
  await expect(readZipDirectory(inMemory('run.pt', shifted))).rejects.toMatchObject({ kind: 'corrupt' });
});

test('every byte of directory and end records that is changed is either noticed or without effect', async () => {
  const bytes = await archiveBytes();
  const sound = await readZipDirectory(inMemory('run.pt', bytes));
  const directoryOffset =
    bytes.length - 98 - sound.reduce((sum, { nameBytes }) => sum + 46 + nameBytes.length, 0);
  for (let at = directoryOffset; at < bytes.length; at++) {
    const damaged = bytes.slice();
    damaged[at] ^= 0x41;
    const entries = await readZipDirectory(inMemory('run.pt', damaged)).catch((error: unknown) => {
      expect(error).toMatchObject({ name: 'ThetalogError' });
      return undefined;
    });
    if (entries === undefined) continue;
    const places = entries.map(({ dataOffset, bytes: length }) => [dataOffset, length]);
    expect(places).toEqual(sound.map(({ dataOffset, bytes: length }) => [dataOffset, length]));
  }
});
