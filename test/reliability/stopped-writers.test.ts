/**
 * Seen to fail when a save, a compaction or a fork whose pages were collected reports damage instead of starting over, as they once
 * did; when a repair does so; and when it takes records where they are from packs of another that is under way and fails
 * (repair.ts: `unfinished` is empty), which loses a checkpoint.
 */
import { expect, test } from 'vitest';
import { stopAtEveryCall, takeTurns, WRITER_SCRIPTS } from './stopped-writers.js';

test.each(WRITER_SCRIPTS)('$name: stopped at any storage call while gc runs to its end', async (script) => {
  expect(await stopAtEveryCall(script)).toBeGreaterThan(10);
});

test('two writers, a collector and a reader take turns at random', async () => {
  expect(await takeTurns(25)).toBe(25);
});
