/**
 * Bit flips, truncations, swapped objects: detected or bit-exact, never wrong bytes.
 *
 * Seen to fail when a decoded chunk is not compared with its id and a record not with its checksum (`compute/chunk-jobs.ts`); when
 * manifests do not say their own names (`format/fields.ts`: `readOwnName` returns at once), for one in the place of
 * another; when `check` does not compare chunk ids (`maintenance/record-check.ts`).
 */
import { beforeAll, describe, expect, test } from 'vitest';
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
import { recordEvidence } from './evidence.js';

const BITS = 1000;
const CHECKED_EVERY = 16;

let specimen: Specimen;
let bench: DamageBench;
beforeAll(async () => {
  specimen = await makeSpecimen(600);
  bench = await DamageBench.over(specimen);
});

async function tryAll(damages: Iterable<Damage>, part: string): Promise<number> {
  let cases = 0;
  for (const damage of damages) {
    const { whole } = await bench.tryRestores(damage);
    const isHarmless = whole.length === specimen.states.size;
    if (!isHarmless && cases % CHECKED_EVERY === 0)
      expect(await bench.faults(damage), damage.title).toBeGreaterThan(0);
    cases += 1;
  }
  recordEvidence({ guarantee: 'damage', part, cases });
  return cases;
}

describe('whatever happens to one object', () => {
  test('without damage all checkpoints come back and check finds nothing', async () => {
    const [key, bytes] = [...specimen.objects][0];
    const none = { key, bytes, title: 'no damage' };
    expect((await bench.tryRestores(none)).whole).toHaveLength(specimen.states.size);
    expect(await bench.faults(none)).toBe(0);
  });

  test('a flipped bit', async () => {
    const damages = [...bitsOf(specimen, BITS)].map(([key, bit]) => flippedBit(specimen, key, bit));
    expect(await tryAll(damages, 'bit flips')).toBe(BITS);
  });

  test('objects that are gone, cut off, extended, zeroed, or have sectors of other places', async () => {
    await tryAll(otherDamages(specimen, 12), 'truncations and sectors');
  });

  test('an object in the place of another', async () => {
    await tryAll(misplacedObjects(specimen), 'misplaced objects');
  });
});
