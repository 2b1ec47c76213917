import { expect, test } from 'vitest';
import type { ChunkEntry } from '../../src/format/index.js';
import type { ChunkId } from '../../src/hash/index.js';
import { MemoryStorage } from '../../src/index.js';
import { ChunkIndex, encodingsToDecode, readRecords } from '../../src/packs/index.js';

const MIB = 2 ** 20;

class RangeLog extends MemoryStorage {
  readonly ranges: { offset: number; length: number }[] = [];

  override get(key: string, range?: { offset: number; length: number }): Promise<Uint8Array | undefined> {
    if (range !== undefined) this.ranges.push(range);
    return super.get(key, range);
  }
}

const id = (number: number): ChunkId => number.toString(16).padStart(32, '0') as ChunkId;

function entry(number: number, place: Partial<ChunkEntry>): ChunkEntry {
  return {
    id: id(number),
    pack: 'p',
    offset: 0,
    length: 10,
    rawLength: 10,
    height: 0,
    references: [],
    checksum: 0,
    ...place,
  };
}

async function packOf(bytes: number): Promise<RangeLog> {
  const storage = new RangeLog();
  const pack = new Uint8Array(bytes);
  for (let at = 0; at < bytes; at++) pack[at] = at % 251;
  await storage.putIfAbsent('packs/p', [pack]);
  return storage;
}

test('records near one another are read at once, and come back in the order asked for', async () => {
  const storage = await packOf(1000);
  const entries = [entry(3, { offset: 500 }), entry(1, { offset: 0 }), entry(2, { offset: 10, length: 30 })];
  const records = await readRecords(storage, entries);
  expect(storage.ranges).toEqual([{ offset: 0, length: 510 }]);
  expect(records.map(({ entry: { offset }, bytes }) => [offset, bytes.length, bytes[0]])).toEqual([
    [500, 10, 500 % 251],
    [0, 10, 0],
    [10, 30, 10],
  ]);
});

test('a wide gap and a long run each begin another read', async () => {
  const storage = await packOf(20 * MIB);
  await readRecords(storage, [entry(1, { offset: 0 }), entry(2, { offset: MIB })]);
  expect(storage.ranges).toEqual([
    { offset: 0, length: 10 },
    { offset: MIB, length: 10 },
  ]);
  storage.ranges.length = 0;
  const large = Array.from({ length: 10 }, (_, at) => entry(at, { offset: at * MIB, length: MIB }));
  await readRecords(storage, large);
  expect(storage.ranges.map(({ length }) => length)).toEqual([4 * MIB, 4 * MIB, 2 * MIB]);
});

test('a missing pack and a pack that ends too early are named with the place', async () => {
  const storage = await packOf(25);
  await expect(readRecords(storage, [entry(1, { pack: 'q' })])).rejects.toMatchObject({
    code: 'missing-object',
    object: 'packs/q',
  });
  await expect(readRecords(storage, [entry(1, {}), entry(2, { offset: 20 })])).rejects.toMatchObject({
    code: 'truncated',
    object: 'packs/p',
    offset: 20,
  });
});

test('what chunks need comes lowest first, each once, without what is known', () => {
  const index = new ChunkIndex();
  index.add('s', [
    entry(1, { offset: 0 }),
    entry(2, { offset: 10, height: 1, references: [id(1)] }),
    entry(3, { offset: 20, height: 2, references: [id(2), id(1)] }),
    entry(4, { offset: 5, height: 1, references: [id(1)] }),
  ]);
  const order = (wanted: ChunkId[], known: ChunkId[] = []): ChunkId[] =>
    encodingsToDecode(index, wanted, 'manifests/m', (chunk) => known.includes(chunk)).map(
      (found) => found.id,
    );
  expect(order([id(3), id(4), id(3)])).toEqual([id(1), id(4), id(2), id(3)]);
  expect(order([id(3)], [id(2)])).toEqual([id(1), id(3)]);
  expect(order([id(3)], [id(3)])).toEqual([]);
  expect(() => order([id(9)])).toThrow(/needs chunk/);
});
