/** The damage suite over every bit of a store of 64 KiB, and 200,000 of a larger one. */
import { expect, test } from 'vitest';
import {
  bitsOf,
  type Damage,
  DamageBench,
  flippedBit,
  makeSpecimen,
  misplacedObjects,
  otherDamages,
  type Specimen,
} from './damage-cases.js';
import { tryDamages, tryRepairs } from './damage-suite.js';

/** Elements that make a store of a bit more than 64 KiB, one of some 200 KiB, and a tiny one. */
const SMALL = 4000;
const LARGE = 12_000;
const TINY = 300;
/** A case takes about a millisecond of a quiet core. */
const TIMEOUT_MS = 3_600_000;
const SMALL_BITS = 2 ** 19;
const LARGE_BITS = 200_000;

function* flips(specimen: Specimen, count: number, seed?: number): Generator<Damage> {
  for (const [key, bit] of bitsOf(specimen, count, seed)) yield flippedBit(specimen, key, bit);
}

test(
  'every bit of a store of 64 KiB',
  async () => {
    const specimen = await makeSpecimen(SMALL);
    const total = [...specimen.objects.values()].reduce((sum, { length }) => sum + length * 8, 0);
    expect(total).toBeGreaterThanOrEqual(SMALL_BITS);
    const bench = await DamageBench.over(specimen);
    const cases = await tryDamages(bench, flips(specimen, total), 'every bit of 64 KiB', 500);
    expect(cases).toBe(total);
  },
  TIMEOUT_MS,
);

test(
  'bits of a larger store, and all else that can happen to its objects',
  async () => {
    const specimen = await makeSpecimen(LARGE);
    const bench = await DamageBench.over(specimen);
    await tryDamages(bench, flips(specimen, LARGE_BITS), 'bits of a larger store', 2000);
    await tryDamages(bench, otherDamages(specimen, 200), 'truncations and sectors', 50);
    await tryDamages(bench, misplacedObjects(specimen), 'misplaced objects', 1);
  },
  TIMEOUT_MS,
);

test(
  'repair after 5,000 damages',
  async () => {
    const specimen = await makeSpecimen(TINY);
    const bench = await DamageBench.over(specimen);
    await tryRepairs(bench, flips(specimen, 4000, 3), 'repairs');
    await tryRepairs(bench, otherDamages(specimen, 20), 'repairs');
  },
  TIMEOUT_MS,
);
