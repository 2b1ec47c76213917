/**
 * Memory for records is mapped by the first operations and used again by all later ones: shared memory that is dropped stays until a collector
 * comes, which it gives no reason to. Seen to fail when reads take memory of their own size, and when `rest` drops all but 16 MiB.
 */
import { expect, test } from 'vitest';
import type { ChunkEntry } from '../../src/format/index.js';
import type { ChunkId } from '../../src/hash/index.js';
import { MemoryStorage } from '../../src/index.js';
import { readRecords, SpareMemory } from '../../src/packs/index.js';
import { Dice } from '../reliability/dice.js';

const MIB = 2 ** 20;
const PACK_BYTES = 64 * MIB;

/** Fills the memory that it is given, as files do. */
class FillingStorage extends MemoryStorage {
  override async get(_: string, range?: { offset: number; length: number }, memory?: Uint8Array) {
    return memory?.subarray(0, range?.length) ?? new Uint8Array(range?.length ?? 0);
  }
}

function entryAt(offset: number, length: number): ChunkEntry {
  const id = `${offset}-${length}` as ChunkId;
  return { id, pack: 'p', offset, length, rawLength: length, height: 0, references: [], checksum: 0 };
}

test('units of any size, hundreds of operations: what they need at once, not more', async () => {
  const dice = new Dice(7);
  const spare = new SpareMemory();
  const mapped = new Set<ArrayBufferLike>();
  const readUnit = async (): Promise<Set<ArrayBufferLike>> => {
    const entries = Array.from({ length: 6 + dice.below(10) }, () =>
      entryAt(dice.below(PACK_BYTES - MIB), 50_000 + dice.below(900_000)),
    );
    const records = await readRecords(new FillingStorage(), entries, spare);
    return new Set(records.map(({ bytes }) => bytes.buffer));
  };
  let early = 0;
  for (let operation = 0; operation < 300; operation++) {
    for (let batch = 0; batch < 3; batch++) {
      const units = [await readUnit(), await readUnit(), await readUnit(), await readUnit()];
      for (const buffer of units.flatMap((unit) => [...unit])) {
        mapped.add(buffer);
        spare.give(buffer);
      }
    }
    spare.rest();
    if (operation === 30) early = mapped.size;
  }
  const bytes = [...mapped].reduce((sum, { byteLength }) => sum + byteLength, 0);
  expect(mapped.size - early).toBeLessThan(60);
  expect(bytes).toBeLessThan(256 * MIB);
});

test('what no operation of eight needed is dropped, but for 16 MiB', () => {
  const spare = new SpareMemory();
  const use = (count: number): Set<ArrayBufferLike> => {
    const taken = Array.from({ length: count }, () => spare.take(4 * MIB).buffer);
    for (const buffer of taken) spare.give(buffer);
    spare.rest();
    return new Set(taken);
  };
  const many = use(20);
  for (let operation = 0; operation < 8; operation++) use(1);
  const again = use(20);
  expect([...again].filter((buffer) => many.has(buffer))).toHaveLength(4);
});
