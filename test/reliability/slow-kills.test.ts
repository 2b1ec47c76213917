import { expect, test } from 'vitest';
import { CRASH_SCRIPTS } from './crash-scripts.js';
import { recordEvidence } from './evidence.js';
import { killAtCalls } from './kills.js';

const POINTS = 10_000;

test.each(CRASH_SCRIPTS)(
  '$name: what was acknowledged survives kill -9 at any call',
  async (script) => {
    const cases = await killAtCalls(script, Math.ceil(POINTS / CRASH_SCRIPTS.length));
    expect(cases).toBeGreaterThanOrEqual(POINTS / CRASH_SCRIPTS.length);
    recordEvidence({ guarantee: 'kills', part: script.name, cases });
  },
  3_600_000,
);
