import { expect, test } from 'vitest';
import { createContext } from '../../src/checkpoints/index.js';
import { type ChunkEntry, objectKey } from '../../src/format/index.js';
import type { ChunkId } from '../../src/hash/index.js';
import { MemoryStorage } from '../../src/index.js';
import { Inventory } from '../../src/maintenance/inventory.js';
import { checkPack, type PackFaults } from '../../src/maintenance/pack-check.js';
import { ObjectWriter, PackWriter } from '../../src/packs/index.js';

const idOf = (digit: string): ChunkId => digit.repeat(32) as ChunkId;

/** Writes a pack of two records and checks it against what `claim` makes of its entries. */
async function faultsOf(claim: (entries: ChunkEntry[]) => ChunkEntry[]): Promise<PackFaults> {
  const context = await createContext(new MemoryStorage());
  const packs = new PackWriter(context.hasher, new ObjectWriter(context.storage, '0123456789abcdef'));
  const record = new Uint8Array(50);
  await packs.append({ id: idOf('a'), record, rawLength: 64, height: 0, references: [] });
  await packs.append({ id: idOf('b'), record, rawLength: 64, height: 1, references: [idOf('a')] });
  await packs.finish();
  const [{ pack }] = packs.entries;
  return checkPack(context, await Inventory.take(context.storage), pack, claim(packs.entries));
}

test('a pack that agrees with its segments has no fault, also if they name only some of its records', async () => {
  expect(await faultsOf((entries) => entries)).toEqual({ whole: [], records: [] });
  expect(await faultsOf((entries) => entries.slice(1))).toEqual({ whole: [], records: [] });
});

test.each<[string, Partial<ChunkEntry>]>([
  ['id', { id: idOf('c') }],
  ['offset', { offset: 9 }],
  ['length', { length: 49 }],
  ['rawLength', { rawLength: 65 }],
  ['height', { height: 2 }],
  ['checksum', { checksum: 1 }],
  ['references', { references: [idOf('d')] }],
])('a segment that says another %s is found', async (field, change) => {
  const { whole, records } = await faultsOf(([first, second]) => [first, { ...second, ...change }]);
  const offset = change.offset ?? records[0].offset;
  expect(whole).toEqual([]);
  expect(records).toMatchObject([{ offset, error: { code: 'index-mismatch', offset } }]);
  expect(records[0].error.message).toContain(field);
  expect(records[0].error.object).toBe(objectKey('packs', '0123456789abcdef-0'));
});
