import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import {
  type ChunkEntry,
  checkPackHeader,
  decodeFooterCopy,
  decodePackFooter,
  decodePackTrailer,
  decodeRecordsStart,
  encodePackFront,
  objectKey,
  PACK_HEADER_BYTES,
  PACK_TRAILER_BYTES,
} from '../../src/format/index.js';
import { type ChunkId, type Hasher, loadHasher } from '../../src/hash/index.js';
import { loadKernels } from '../../src/kernels/index.js';
import { ObjectWriter, type PackedChunk, PackWriter } from '../../src/packs/index.js';
import { MemoryStorage } from '../../src/storage/index.js';

const MIB = 2 ** 20;
const BLOCK_BYTES = 4096;

let hasher: Hasher;
beforeAll(async () => {
  hasher = await loadHasher(loadKernels());
});

function chunk(at: number, length: number): PackedChunk {
  const record = new Uint8Array(length).fill(at + 1);
  const id = at.toString(16).padStart(32, '0') as ChunkId;
  return { id, record, rawLength: length, height: 0, references: [] };
}

/** Writes chunks of these lengths and returns the packs, and the entries of each, as its footer and the copy of that say. */
async function write(lengths: readonly number[]) {
  const storage = new MemoryStorage();
  const packs = new PackWriter(hasher, new ObjectWriter(storage, '0123456789abcdef'));
  for (const [at, length] of lengths.entries()) await packs.append(chunk(at, length));
  await packs.finish();
  const names = [...new Set(packs.entries.map(({ pack }) => pack))];
  const written = names.map(async (pack) => {
    const bytes = (await storage.get(objectKey('packs', pack))) ?? new Uint8Array(0);
    const trailer = bytes.subarray(bytes.length - PACK_TRAILER_BYTES);
    const { offset, length } = decodePackTrailer(trailer, bytes.length, pack);
    const footer = bytes.subarray(offset, offset + length);
    checkPackHeader(bytes, pack);
    const copy = bytes.subarray(PACK_HEADER_BYTES, decodeRecordsStart(bytes, pack));
    return {
      bytes,
      entries: [...decodePackFooter(hasher, footer, offset, pack, pack)],
      copied: [...decodeFooterCopy(hasher, copy, pack, pack)],
      told: packs.entries.filter((entry) => entry.pack === pack),
      copyEnd: PACK_HEADER_BYTES + copy.length,
      recordsEnd: offset,
    };
  });
  return Promise.all(written);
}

describe('packs', () => {
  test('say twice where each record lies, and so do the entries', async () => {
    const packs = await write([1, 9 * MIB, 5, 11 * MIB, 12 * MIB, 4096, 4095]);
    expect(packs).toHaveLength(2);
    for (const { bytes, entries, copied, told, recordsEnd } of packs) {
      expect(entries).toEqual(told);
      expect(copied).toEqual(told);
      for (const { id, offset, length } of entries) {
        const record = chunk(Number.parseInt(id, 16), length).record;
        expect(Buffer.compare(bytes.subarray(offset, offset + length), record)).toBe(0);
      }
      for (const [at, { offset, length }] of entries.entries())
        expect(entries[at + 1]?.offset ?? recordsEnd).toBe(offset + length);
    }
  });

  test('that are full have their records from a block of the disk on, behind zeros; others behind the copy', async () => {
    const [full, rest] = await write([15 * MIB, 16 * MIB, MIB - 1, 1, 77]);
    expect(full.entries[0].offset % BLOCK_BYTES).toBe(0);
    expect(full.bytes.subarray(full.copyEnd, full.entries[0].offset).every((byte) => byte === 0)).toBe(true);
    expect(full.entries[0].offset - full.copyEnd).toBeLessThan(BLOCK_BYTES);
    expect(rest.entries[0].offset).toBe(rest.copyEnd);
  });
});

describe('the front of a pack', () => {
  test('ends at a multiple of the alignment, or has no zeros, and its copy says where records lie', () => {
    let aligned = 0;
    const lengths = fc.array(fc.integer({ min: 1, max: 2 ** 22 }), { minLength: 1, maxLength: 300 });
    fc.assert(
      fc.property(lengths, (all) => {
        let offset = 0;
        const entries = all.map((length, at): ChunkEntry => {
          const { record: _, ...parts } = chunk(at, 1);
          const entry = { ...parts, pack: 'p', offset, length, rawLength: length, checksum: at };
          offset += length;
          return entry;
        });
        const front = encodePackFront(hasher, entries, BLOCK_BYTES);
        const copyEnd = decodeRecordsStart(front, 'p');
        const copied = [...decodeFooterCopy(hasher, front.subarray(PACK_HEADER_BYTES, copyEnd), 'p', 'p')];
        expect(copied).toEqual(entries.map((entry) => ({ ...entry, offset: entry.offset + front.length })));
        if (front.length % BLOCK_BYTES === 0) aligned += 1;
        else expect(front).toHaveLength(copyEnd);
        const plain = encodePackFront(hasher, entries, 1);
        expect(decodeRecordsStart(plain, 'p')).toBe(plain.length);
      }),
      { numRuns: 200 },
    );
    expect(aligned).toBeGreaterThan(190);
  });
});
