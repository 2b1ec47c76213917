/**
 * One SIGKILL ends a process in which 25 stores are each held at another call (killed-process.ts). Seen to fail at every call of
 * "forget, compact, gc" when objects are written under their final names (`tryPublish` in durable-file.ts): the root is empty.
 * What is written but not durable survives a SIGKILL: that the root waits for the packs is for the power cuts to show.
 */
import { expect, test } from 'vitest';
import { CRASH_SCRIPTS } from './crash-scripts.js';
import { killAtCalls } from './kills.js';

test.each(CRASH_SCRIPTS)('$name: what was acknowledged survives kill -9 at any call', async (script) => {
  expect(await killAtCalls(script, 75)).toBe(75);
});
