import { expect, test } from 'vitest';
import {
  type ChunkEntry,
  type ChunkTable,
  decodeSegment,
  encodeSegment,
  idBytes,
} from '../../src/format/index.js';
import type { ChunkId } from '../../src/hash/index.js';
import { EncodingTable } from '../../src/maintenance/encoding-table.js';
import { ChunkIndex } from '../../src/packs/index.js';
import { randomNumbers } from '../engine/training-state.js';
import { hasher } from '../format/examples.js';

const CHUNKS = 3000;
const SEGMENTS = 12;

function idOf(number: number): ChunkId {
  return (Math.imul(number + 1, 0x9e3779b1) >>> 0).toString(16).padStart(8, '0').repeat(4) as ChunkId;
}

function tablesOf(entries: readonly ChunkEntry[]): Iterable<ChunkTable> {
  return decodeSegment(hasher, encodeSegment(hasher, entries), 'segment');
}

/** Pages of two ids each. */
function pagesOf(ids: readonly ChunkId[]): Uint8Array[] {
  const starts = Array.from({ length: Math.ceil(ids.length / 2) }, (_, page) => 2 * page);
  return starts.map((start) =>
    Uint8Array.from(ids.slice(start, start + 2).flatMap((id) => [...idBytes(id)])),
  );
}

/** Segments in which a chunk may have several encodings, each reading chunks of smaller numbers. */
function randomSegments(seed: number): Map<string, ChunkEntry[]> {
  const next = randomNumbers(seed);
  const segments = new Map<string, ChunkEntry[]>();
  for (let segment = 0; segment < SEGMENTS; segment++) {
    const entries: ChunkEntry[] = [];
    for (let number = 0; number < CHUNKS; number++) {
      if (next() < 0.5) continue;
      const height = Math.min(number % 9, 16);
      const references = height === 0 ? [] : [idOf(number - 1)];
      const pack = `0123456789abcdef-${Math.floor(next() * 40)}`;
      const place = { offset: 8 + 10 * number, length: 10, rawLength: 100, checksum: 1 };
      const isFull = next() < 0.1;
      entries.push({
        id: idOf(number),
        pack,
        height: isFull ? 0 : height,
        references: isFull ? [] : references,
        ...place,
      });
    }
    segments.set(`segment-${segment}`, entries);
  }
  return segments;
}

test('the table finds the packs that an index of the same segments finds, in any order of them', () => {
  const segments = randomSegments(7);
  const table = new EncodingTable();
  for (const [name, entries] of segments) table.add(name, tablesOf(entries));
  const next = randomNumbers(8);
  for (let time = 0; time < 20; time++) {
    const order = [...segments.keys()].filter(() => next() < 0.8).sort(() => next() - 0.5);
    const index = new ChunkIndex();
    for (const name of order) index.add(name, segments.get(name) ?? []);
    const wanted = Array.from({ length: 50 }, () => idOf(Math.floor(next() * CHUNKS)));
    const outcome = (find: () => Iterable<string>): unknown => {
      try {
        return [...new Set(find())].sort();
      } catch (error) {
        return (error as { code: string }).code;
      }
    };
    const expected = outcome(() => [...index.closure(wanted, 'm').values()].map(({ pack }) => pack));
    const found = outcome(() => {
      const packs = new Set<string>();
      table.addPacks(packs, pagesOf(wanted), order, 'm');
      return packs;
    });
    expect(found).toEqual(expected);
  }
});

test('a missing chunk and a cycle are named', () => {
  const entry = { pack: '0123456789abcdef-0', offset: 8, length: 1, rawLength: 1, checksum: 0 };
  const table = new EncodingTable();
  const entries = [
    { ...entry, id: idOf(0), height: 1, references: [idOf(1)] },
    { ...entry, id: idOf(1), height: 1, references: [idOf(0)], offset: 9 },
  ];
  table.add('s', tablesOf(entries));
  const packsOf = (id: ChunkId): void => table.addPacks(new Set(), pagesOf([id]), ['s'], 'manifests/m');
  expect(() => packsOf(idOf(0))).toThrow(expect.objectContaining({ code: 'height-order', kind: 'corrupt' }));
  expect(() => packsOf(idOf(9))).toThrow(expect.objectContaining({ code: 'missing-chunk' }));
  expect(() => packsOf(idOf(9))).toThrow(idOf(9));
});
