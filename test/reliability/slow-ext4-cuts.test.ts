import { expect, test } from 'vitest';
import { CRASH_SCRIPTS } from './crash-scripts.js';
import { recordEvidence, recordUntried } from './evidence.js';
import { cutExt4Power } from './ext4-cuts.js';

const CUTS = 500;

test.for(CRASH_SCRIPTS)(
  '$name: what was acknowledged survives a power cut of ext4',
  { timeout: 3_600_000 },
  async (script, context) => {
    const asked = Math.ceil(CUTS / CRASH_SCRIPTS.length);
    const outcome = await cutExt4Power(script, asked);
    if ('untried' in outcome) {
      recordUntried('ext4-power-cuts', outcome.untried);
      return context.skip(`no real power cut: ${outcome.untried}`);
    }
    expect(outcome.cuts).toBe(asked);
    recordEvidence({ guarantee: 'ext4-power-cuts', part: script.name, cases: outcome.cuts });
  },
);
