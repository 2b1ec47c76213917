/** Frames of real zstd (fixtures/make_zstd.py) come apart into what they contain, and come back byte for byte. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { Dice, damaged } from '../reliability/dice.js';
import { fileOf, formOf, putTogether, takeApart } from './forms.js';

const FOLDER = new URL('../../fixtures/zstd/', import.meta.url);
const NAMES = readdirSync(FOLDER).flatMap((name) => (name.endsWith('.zst') ? [name.slice(0, -4)] : []));
const CONTENTS: Record<string, [number, string][]> = JSON.parse(
  readFileSync(new URL('contents.json', FOLDER), 'utf8'),
);
const read = (name: string): Uint8Array => new Uint8Array(readFileSync(new URL(`${name}.zst`, FOLDER)));
const same = (a: Uint8Array, b: Uint8Array): boolean => Buffer.from(a).equals(b);
const described = (content: Uint8Array): [number, string] => [
  content.length,
  createHash('sha256').update(content).digest('hex'),
];

describe('a frame', () => {
  test.each(NAMES.filter((name) => !/several|nested/.test(name)))('%s', (name) => {
    const frame = read(name);
    const apart = takeApart(frame);
    if (apart === undefined) throw new Error('is not taken apart');
    expect(described(apart.content)).toEqual(CONTENTS[name][0]);
    expect(apart.end).toBe(frame.length);
    expect(same(putTogether(apart), frame)).toBe(true);
  });

  test('of weights is nothing but its content: the structure takes 1 % of it', () => {
    const structure = takeApart(read('weights-1'))?.structure ?? new Uint8Array();
    expect(structure.length).toBeLessThan(0.01 * read('weights-1').length);
  });

  test('literals of all four kinds, and blocks of all three, are among them', () => {
    const kinds = NAMES.flatMap((name) => blocksOf(read(name)));
    expect(new Set(kinds)).toEqual(
      new Set([
        'raw',
        'repeated',
        'literals raw',
        'literals repeated',
        'literals coded',
        'literals coded again',
      ]),
    );
  });

  test('that needs a dictionary, or has an offset beyond its start, stays as it is', () => {
    const frame = read('text-1');
    const withDictionary = Uint8Array.of(...frame.subarray(0, 4), frame[4] | 1, ...frame.subarray(5));
    expect(takeApart(withDictionary)).toBeUndefined();
    expect(formOf(withDictionary).frames).toBe(0);
  });
});

describe('a file', () => {
  test.each(NAMES)('%s comes back from its unpacked form', (name) => {
    const { form } = formOf(read(name));
    expect(same(fileOf(form), read(name))).toBe(true);
  });

  test('with several frames, something between them and what only begins like one', () => {
    const { form, frames } = formOf(read('several'));
    expect(frames).toBeGreaterThanOrEqual(2);
    expect(Buffer.from(form).includes(' end')).toBe(true);
  });

  test('with a frame in the content of another: both are unpacked', () => {
    const { form } = formOf(read('nested'));
    const raw = takeApart(read('raw'))?.content ?? new Uint8Array();
    expect(Buffer.from(form).includes(Buffer.from(raw))).toBe(true);
    expect(Buffer.from(form).includes('between')).toBe(true);
  });

  test('what is mostly copies stays compressed', () => {
    expect(formOf(read('text-19'))).toMatchObject({ frames: 0 });
  });

  test('what would fill a disk stays compressed', () => {
    const bomb = Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0, 88, ...repeatedBlocks(600));
    const { form, frames } = formOf(bomb);
    expect(frames).toBe(0);
    expect(form.length).toBeLessThan(2 * bomb.length);
    expect(same(fileOf(form), bomb)).toBe(true);
  });

  test('damaged anywhere comes back as it is', () => {
    for (let seed = 1; seed <= 300; seed++) {
      const dice = new Dice(seed);
      const file = damaged(read(dice.pick(NAMES)), dice);
      expect(same(fileOf(formOf(file).form), file), `seed ${seed}`).toBe(true);
    }
  });
});

/** Blocks of one byte, 128 KiB of it each. */
function repeatedBlocks(count: number): number[] {
  const word = (isLast: boolean): number => ((128 * 1024) << 3) | 2 | (isLast ? 1 : 0);
  return Array.from({ length: count }, (_, at) => word(at === count - 1)).flatMap((header) => [
    header & 255,
    (header >> 8) & 255,
    header >> 16,
    7,
  ]);
}

/** The kinds of the blocks and literals of the frame that a file begins with. */
function blocksOf(file: Uint8Array): string[] {
  const kinds: string[] = [];
  if (file[0] !== 0x28) return kinds;
  const isSingle = (file[4] & 32) !== 0;
  let at = (isSingle ? 5 : 6) + [isSingle ? 1 : 0, 2, 4, 8][file[4] >> 6];
  for (let isLast = false; !isLast; ) {
    const word = file[at] | (file[at + 1] << 8) | (file[at + 2] << 16);
    const kind = (word >> 1) & 3;
    const literals = ['raw', 'repeated', 'coded', 'coded again'][file[at + 3] & 3];
    kinds.push(kind === 2 ? `literals ${literals}` : ['raw', 'repeated'][kind]);
    at += 3 + (kind === 1 ? 1 : word >> 3);
    isLast = (word & 1) === 1;
  }
  return kinds;
}
