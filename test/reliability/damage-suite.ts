/** Tries many damages, in `npm test` and in larger numbers in `npm run test:slow`. */
import { expect } from 'vitest';
import type { Damage, DamageBench } from './damage-cases.js';
import { recordEvidence } from './evidence.js';

/**
 * Restores one checkpoint for each damage; of one in `checkedEvery` that made a difference, `check --read-data` must find it.
 * Returns the number of cases.
 */
export async function tryDamages(
  bench: DamageBench,
  damages: Iterable<Damage>,
  part: string,
  checkedEvery: number,
): Promise<number> {
  let cases = 0;
  let different = 0;
  for (const damage of damages) {
    cases += 1;
    const { failed } = await bench.tryNext(damage);
    if (failed.length === 0) continue;
    different += 1;
    if (different % checkedEvery === 0) expect(await bench.faults(damage), damage.title).toBeGreaterThan(0);
  }
  recordEvidence({ guarantee: 'damage', part, cases });
  return cases;
}

/** Repairs a copy of the store for each damage. */
export async function tryRepairs(bench: DamageBench, damages: Iterable<Damage>, part: string): Promise<void> {
  let cases = 0;
  for (const damage of damages) {
    await bench.tryRepair(damage);
    cases += 1;
  }
  recordEvidence({ guarantee: 'damage', part, cases });
}
