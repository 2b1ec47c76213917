/**
 * Bit flips, truncations, swapped objects: detected or bit-exact, never wrong bytes.
 *
 * Seen to fail when an object is taken for another one (`format/fields.ts`: `readOwnName` returns its name without a look); when
 * records are decoded without a look at checksum and id (`compute/chunk-jobs.ts`).
 */
import { beforeAll, describe, expect, test } from 'vitest';
import {
  bitsOf,
  DamageBench,
  flippedBit,
  makeSpecimen,
  misplacedObjects,
  otherDamages,
  type Specimen,
} from './damage-cases.js';
import { tryDamages, tryRepairs } from './damage-suite.js';

/** Many times what a quiet core takes. */
const TIMEOUT_MS = 240_000;
const BITS = 18_000;
const CHECKED_EVERY = 25;
const REPAIRED_BITS = 250;

let specimen: Specimen;
let bench: DamageBench;
beforeAll(async () => {
  specimen = await makeSpecimen(300);
  bench = await DamageBench.over(specimen);
});

describe('whatever happens to one object', () => {
  test(
    'without damage all checkpoints come back and check finds nothing',
    async () => {
      const [key, bytes] = [...specimen.objects][0];
      const none = { key, bytes, title: 'no damage' };
      expect((await bench.tryRestores(none)).failed).toEqual([]);
      expect(await bench.faults(none)).toBe(0);
    },
    TIMEOUT_MS,
  );

  test(
    'a flipped bit',
    async () => {
      const damages = [...bitsOf(specimen, BITS)].map(([key, bit]) => flippedBit(specimen, key, bit));
      expect(await tryDamages(bench, damages, 'bit flips', CHECKED_EVERY)).toBe(BITS);
    },
    TIMEOUT_MS,
  );

  test(
    'objects that are gone, cut off, extended, zeroed, or have sectors of other places',
    async () => {
      const cases = await tryDamages(
        bench,
        otherDamages(specimen, 30),
        'truncations and sectors',
        CHECKED_EVERY,
      );
      expect(cases).toBeGreaterThan(1500);
    },
    TIMEOUT_MS,
  );

  test(
    'an object in the place of another',
    async () => {
      expect(await tryDamages(bench, misplacedObjects(specimen), 'misplaced objects', 3)).toBeGreaterThan(
        200,
      );
    },
    TIMEOUT_MS,
  );

  test(
    'repair leaves a sound store, in which all is that could be restored before',
    async () => {
      const bits = [...bitsOf(specimen, REPAIRED_BITS, 2)].map(([key, bit]) =>
        flippedBit(specimen, key, bit),
      );
      await tryRepairs(
        bench,
        [...bits, ...otherDamages(specimen, 2), ...misplacedObjects(specimen)],
        'repairs',
      );
    },
    TIMEOUT_MS,
  );
});
