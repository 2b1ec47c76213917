/** Seen to fail when a save does not look at gcEpoch (save.ts), and when a save or compaction whose pages were collected fails instead of starting over, as they did. */
import { expect, test } from 'vitest';
import { stopAtEveryCall, takeTurns, WRITER_SCRIPTS } from './stopped-writers.js';

test.each(WRITER_SCRIPTS)('$name: stopped at any storage call while gc runs to its end', async (script) => {
  expect(await stopAtEveryCall(script)).toBeGreaterThan(10);
});

test('two writers, a collector and a reader take turns at random', async () => {
  expect(await takeTurns(25)).toBe(25);
});
