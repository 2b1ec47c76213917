import { expect, test } from 'vitest';
import { createContext, type StoreContext } from '../../src/checkpoints/index.js';
import { fromBase } from '../../src/codec/index.js';
import type { ThetalogError } from '../../src/errors.js';
import type { ChunkEntry } from '../../src/format/index.js';
import type { ChunkId } from '../../src/hash/index.js';
import { MemoryStorage } from '../../src/index.js';
import { NeededRecords } from '../../src/maintenance/needed-records.js';
import { RecordCheck } from '../../src/maintenance/record-check.js';
import { ObjectWriter, PackWriter } from '../../src/packs/index.js';

const ATTEMPT = '0123456789abcdef';

/** Writes chunks of these bytes, each against the one before if `chained`, under the ids given or their true ones. */
async function writeChain(
  context: StoreContext,
  chunks: { raw: Uint8Array; id?: ChunkId }[],
  chained = true,
): Promise<ChunkEntry[]> {
  const packs = new PackWriter(context.hasher, new ObjectWriter(context.storage, ATTEMPT));
  const entries: ChunkEntry[] = [];
  for (const { raw, id } of chunks) {
    const previous = chained ? entries.at(-1) : undefined;
    const base = previous === undefined ? undefined : chunks[entries.length - 1].raw;
    const { record, prediction } = context.codec.encode(raw, 'f32', fromBase(base), 'fast');
    const usesBase = prediction !== undefined;
    entries.push(
      await packs.append({
        id: id ?? context.hasher.chunkId(raw),
        record,
        rawLength: raw.length,
        height: usesBase && previous !== undefined ? previous.height + 1 : 0,
        references: usesBase && previous !== undefined ? [previous.id] : [],
      }),
    );
  }
  await packs.finish();
  return entries;
}

function floats(seed: number, change = 0): Uint8Array {
  const values = Float32Array.from({ length: 2000 }, (_, index) => Math.sin(index * seed));
  for (let index = 0; index < change; index++) values[index * 9] += 1;
  return new Uint8Array(values.buffer);
}

async function faultsOf(
  context: StoreContext,
  entries: readonly ChunkEntry[],
  percent = 100,
): Promise<{ faults: [ChunkEntry, string][]; records: number }> {
  const needed = new NeededRecords();
  for (const entry of entries) needed.add(entry);
  const faults: [ChunkEntry, string][] = [];
  let records = 0;
  await new RecordCheck(context, needed, {
    percent,
    onRecord: () => {
      records += 1;
    },
    onFault: (entry: ChunkEntry, error: ThetalogError) => faults.push([entry, error.code]),
  }).run();
  return { faults, records };
}

test('every record of a chain is read once', async () => {
  const context = await createContext(new MemoryStorage());
  const entries = await writeChain(
    context,
    [0, 1, 2, 3, 4].map((change) => ({ raw: floats(1, change) })),
  );
  expect(entries.map(({ height }) => height)).toEqual([0, 1, 2, 3, 4]);
  expect(await faultsOf(context, entries)).toEqual({ faults: [], records: 5 });
});

test('a record whose checksum is right but whose bytes are another chunk is found', async () => {
  const context = await createContext(new MemoryStorage());
  const wrongId = 'f'.repeat(32) as ChunkId;
  const entries = await writeChain(context, [
    { raw: floats(1) },
    { raw: floats(1, 1), id: wrongId },
    { raw: floats(2) },
  ]);
  const { faults, records } = await faultsOf(context, entries);
  expect(faults).toEqual([[entries[1], 'chunk-id']]);
  expect(records).toBe(3);
});

test('what is built on a bad record is still read, and blamed only for its own damage', async () => {
  const context = await createContext(new MemoryStorage());
  const chain = [0, 1, 2].map((change) => ({ raw: floats(1, change) }));
  const entries = await writeChain(context, chain);
  const damaged = [
    { ...entries[0], checksum: entries[0].checksum ^ 1 },
    entries[1],
    { ...entries[2], checksum: 0 },
  ];
  const { faults } = await faultsOf(context, damaged);
  expect(faults.map(([entry, code]) => [entries.findIndex(({ id }) => id === entry.id), code])).toEqual([
    [0, 'bad-checksum'],
    [2, 'bad-checksum'],
  ]);
});

test('another encoding of a bad base serves in its place', async () => {
  const storage = new MemoryStorage();
  const context = await createContext(storage);
  const entries = await writeChain(
    context,
    [0, 1].map((change) => ({ raw: floats(1, change) })),
  );
  const packs = new PackWriter(context.hasher, new ObjectWriter(storage, 'fedcba9876543210'));
  const { record } = context.codec.encode(floats(1), 'f32', [], 'max');
  const second = await packs.append({ ...entries[0], record });
  await packs.finish();
  const wrong = { ...entries[1], id: 'e'.repeat(32) as ChunkId };
  const { faults, records } = await faultsOf(context, [{ ...entries[0], checksum: 7 }, second, wrong]);
  expect(faults.map(([entry, code]) => [entry.id, code])).toEqual([
    [entries[0].id, 'bad-checksum'],
    [wrong.id, 'chunk-id'],
  ]);
  expect(records).toBe(2);
});

test('a sample brings the bases of what it chose', async () => {
  const context = await createContext(new MemoryStorage());
  const entries = await writeChain(
    context,
    [0, 1, 2, 3, 4, 5].map((change) => ({ raw: floats(3, change) })),
  );
  const shares = entries.map(({ id }) => (Number.parseInt(id.slice(0, 8), 16) / 2 ** 32) * 100);
  const lowest = shares.indexOf(Math.min(...shares));
  const { faults, records } = await faultsOf(context, entries, Math.min(...shares) + 1e-6);
  expect(faults).toEqual([]);
  expect(records).toBe(lowest + 1);
});
