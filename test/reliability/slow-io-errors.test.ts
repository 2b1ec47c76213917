import { describe, expect, test } from 'vitest';
import { CRASH_SCRIPTS } from './crash-scripts.js';
import { recordEvidence } from './evidence.js';
import {
  DOING_HALF,
  FAILING_FOR_EVER,
  FAILING_ONCE,
  type FaultShape,
  failEveryCall,
  LOSING_AN_ANSWER,
} from './io-errors.js';

/** Of each shape, over all scripts together. */
const SHAPES: [string, FaultShape, number][] = [
  ['once', FAILING_ONCE, 10_000],
  ['for ever', FAILING_FOR_EVER, 10_000],
  ['answer lost', LOSING_AN_ANSWER, 2_000],
  ['half done', DOING_HALF, 1_000],
];

describe.each(CRASH_SCRIPTS)('$name: what was acknowledged stays', (script) => {
  test.each(SHAPES)('when a call fails: %s', async (part, shape, faults) => {
    const faultsMin = Math.ceil(faults / CRASH_SCRIPTS.length);
    const cases = await failEveryCall(script, shape, { faultsMin });
    expect(cases).toBeGreaterThanOrEqual(faultsMin);
    recordEvidence({ guarantee: 'io-errors', part, cases });
  });
});
