import { expect, test } from 'vitest';
import { packsToMerge, type SmallPack } from '../../src/maintenance/repack.js';
import { randomNumbers } from '../engine/training-state.js';

const MIB = 2 ** 20;

/** Saves one small pack after another with a compaction after each few; returns the packs that stay and the bytes copied. */
function saves(count: number, perCompaction: number): { packs: SmallPack[]; copied: number; saved: number } {
  const next = randomNumbers(5);
  let packs: SmallPack[] = [];
  let copied = 0;
  let saved = 0;
  for (let save = 0; save < count; save++) {
    const size = Math.round(80_000 + 40_000 * next());
    saved += size;
    packs.push({ name: `save-${save}`, size });
    if ((save + 1) % perCompaction !== 0) continue;
    const small = packs.filter((pack) => pack.size < 8 * MIB);
    const merging = new Set(packsToMerge(small, 0));
    if (merging.size === 0) continue;
    const merged = packs.filter(({ name }) => merging.has(name)).reduce((sum, pack) => sum + pack.size, 0);
    copied += merged;
    packs = [...packs.filter(({ name }) => !merging.has(name)), { name: `merged-${save}`, size: merged }];
  }
  return { packs, copied, saved };
}

test.each([1, 4, 10])(
  'with a compaction after every %d saves packs stay few, and none is copied more than once a level',
  (per) => {
    const [some, many] = [saves(200, per), saves(3200, per)];
    const smallOf = ({ packs }: { packs: SmallPack[] }): number =>
      packs.filter(({ size }) => size < 8 * MIB).length;
    expect(smallOf(some)).toBeLessThan(20);
    expect(smallOf(many)).toBeLessThan(20);
    // Levels from 64 KiB to 8 MiB by factors of 4: four.
    expect(many.copied).toBeLessThan(5 * many.saved);
  },
);

test('three packs of a size stay; a fourth, also one that is being filled, merges them; others stay', () => {
  const three = ['a', 'b', 'c'].map((name) => ({ name, size: 100_000 }));
  expect(packsToMerge(three, 0)).toEqual([]);
  expect(packsToMerge(three, 100_000)).toEqual(['a', 'b', 'c']);
  expect(packsToMerge([...three, { name: 'large', size: 5 * MIB }], 6 * MIB)).toEqual([]);
  const four = [...three, { name: 'd', size: 120_000 }];
  expect(packsToMerge([...four, { name: 'large', size: 5 * MIB }], 0)).toEqual(['a', 'b', 'c', 'd']);
});
