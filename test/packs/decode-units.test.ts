import { expect, test } from 'vitest';
import type { ChunkEntry } from '../../src/format/index.js';
import type { ChunkId } from '../../src/hash/index.js';
import { ChunkIndex, type DecodeUnit, decodeUnits } from '../../src/packs/index.js';

const MIB = 2 ** 20;

/** Ids are readable here: no unit looks into them. */
const id = (name: string): ChunkId => name as ChunkId;

class IndexMaker {
  readonly index = new ChunkIndex();
  private offset = 0;

  add(name: string, references: string[] = [], rawLength = MIB): void {
    const heights = references.map((reference) => this.index.get(id(reference))?.height ?? 0);
    const entry: ChunkEntry = {
      id: id(name),
      pack: 'p',
      offset: this.offset,
      length: 10,
      rawLength,
      height: references.length === 0 ? 0 : 1 + Math.max(...heights),
      references: references.map(id),
      checksum: 0,
    };
    this.offset += 10;
    this.index.add('s', [entry]);
  }

  units(groups: string[][]): DecodeUnit<ChunkId>[] {
    return decodeUnits(
      this.index,
      groups.map((group) => group.map(id)),
      (wanted) => [wanted],
      'manifests/m',
    );
  }
}

const numbers = (count: number): number[] => Array.from({ length: count }, (_, number) => number);

/** Weights on moments on one another, as an update rule predicts them, over `saves` saves. */
function family(saves: number, chunks: number): IndexMaker {
  const made = new IndexMaker();
  for (const save of numbers(saves)) {
    for (const chunk of numbers(chunks)) {
      const name = (role: string, at: number): string => `${role}${at}-${chunk}`;
      const base = (role: string): string[] => (save === 0 ? [] : [name(role, save - 1)]);
      made.add(name('m', save), base('m'));
      made.add(name('v', save), save === 0 ? [] : [...base('v'), name('m', save), ...base('m')]);
      made.add(name('w', save), save === 0 ? [] : [...base('w'), name('m', save), name('v', save)]);
    }
  }
  return made;
}

test('weights and moments that read one another are decoded together, every encoding once', () => {
  const made = family(3, 20);
  const groups = ['w', 'm', 'v'].map((role) => numbers(20).map((chunk) => `${role}2-${chunk}`));
  const units = made.units(groups);
  const decoded = units.flatMap(({ entries }) => entries.map((entry) => entry.id));
  expect(units.length).toBeGreaterThan(5);
  expect(decoded).toHaveLength(20 * 9);
  expect(new Set(decoded).size).toBe(decoded.length);
  expect(new Set(units.flatMap(({ wanted }) => wanted))).toEqual(new Set(groups.flat()));
});

test('in a unit each comes after all that it reads', () => {
  const made = family(4, 3);
  for (const { entries } of made.units([numbers(3).map((chunk) => `w3-${chunk}`)])) {
    const places = new Map(entries.map((entry, place) => [entry.id, place]));
    for (const [place, { references }] of entries.entries())
      for (const reference of references) expect(places.get(reference)).toBeLessThan(place);
  }
});

test('a chunk that very many read does not make one unit of all', () => {
  const made = new IndexMaker();
  made.add('zeros');
  for (const chunk of numbers(100)) made.add(`m${chunk}`, ['zeros']);
  const units = made.units([numbers(100).map((chunk) => `m${chunk}`)]);
  expect(units.length).toBeGreaterThan(3);
  for (const { entries } of units) expect(entries.filter((entry) => entry.id === 'zeros')).toHaveLength(1);
});

test('a small tensor is not cut apart, a large one is', () => {
  const made = new IndexMaker();
  for (const chunk of numbers(10)) made.add(`small${chunk}`);
  for (const chunk of numbers(100)) made.add(`large${chunk}`);
  const small = numbers(10).map((chunk) => `small${chunk}`);
  const units = made.units([small, numbers(100).map((chunk) => `large${chunk}`)]);
  expect(units[0].wanted).toEqual(small);
  expect(units.length).toBeGreaterThan(4);
  for (const { bytes } of units) expect(bytes).toBeLessThanOrEqual(24 * MIB);
});

test('what takes two chunks has both in its unit, and what many take ties nothing together', () => {
  const made = new IndexMaker();
  const pairs: ChunkId[][] = [];
  made.add('zeros', []);
  for (const at of numbers(40)) {
    made.add(`a${at}`, []);
    made.add(`b${at}`, at % 2 === 0 ? [`a${at}`] : []);
    pairs.push([id(`a${at}`), id(`b${at}`)], [id('zeros'), id(`b${at}`)]);
  }
  const units = decodeUnits(made.index, [pairs], (pair) => pair, 'manifests/m');
  expect(units.flatMap(({ wanted }) => wanted).length).toBe(pairs.length);
  for (const { wanted, entries } of units) {
    const there = new Set(entries.map((entry) => entry.id));
    expect(wanted.flat().every((needed) => there.has(needed))).toBe(true);
  }
  expect(units.length).toBeGreaterThan(3);
  const decoded = units
    .flatMap(({ entries }) => entries.map((entry) => entry.id))
    .filter((one) => one !== 'zeros');
  expect(new Set(decoded).size).toBe(decoded.length);
});
