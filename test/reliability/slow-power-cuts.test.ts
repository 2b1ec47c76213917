import { expect, test } from 'vitest';
import { CRASH_SCRIPTS } from './crash-scripts.js';
import { recordEvidence } from './evidence.js';
import { cutPower } from './power-cuts.js';

const CUTS = 1_000_000;

test.each(CRASH_SCRIPTS)(
  '$name: what was acknowledged survives a power cut at any moment',
  async (script) => {
    const { cuts, disks } = await cutPower(script, Math.ceil(CUTS / CRASH_SCRIPTS.length));
    expect(cuts).toBeGreaterThanOrEqual(CUTS / CRASH_SCRIPTS.length);
    recordEvidence({
      guarantee: 'power-cuts',
      part: `${disks} different disks left by: ${script.name}`,
      cases: cuts,
    });
  },
  3_600_000,
);
