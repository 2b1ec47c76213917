import { expect, test } from 'vitest';
import { recordEvidence } from './evidence.js';
import { stopAtEveryCall, takeTurns, WRITER_SCRIPTS } from './stopped-writers.js';

const SCHEDULES = 1_000;

test.each(WRITER_SCRIPTS)('$name: stopped at any storage call while gc runs to its end', async (script) => {
  const cases = await stopAtEveryCall(script);
  expect(cases).toBeGreaterThan(10);
  recordEvidence({ guarantee: 'stopped-writers', part: script.name, cases });
});

test('two writers, a collector and a reader take turns at random', async () => {
  const cases = await takeTurns(SCHEDULES);
  expect(cases).toBe(SCHEDULES);
  recordEvidence({ guarantee: 'stopped-writers', part: 'random schedules', cases });
});
