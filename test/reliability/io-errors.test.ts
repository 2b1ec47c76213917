/**
 * Seen to fail when a sync that fails is ignored (durable-file.ts), and when errors of closing, removing or reading a file are
 * thrown as the system gives them, as several were; repair when it does not wait for its packs (`packs.finish()` in repair.ts
 * left out) and when it takes an error of the storage for damage (`asDamage` throws nothing).
 */
import { describe, expect, test } from 'vitest';
import { CRASH_SCRIPTS } from './crash-scripts.js';
import { DOING_HALF, FAILING_FOR_EVER, FAILING_ONCE, failEveryCall, LOSING_AN_ANSWER } from './io-errors.js';

describe.each(CRASH_SCRIPTS)('$name: what was acknowledged stays', (script) => {
  /** What is left of a repair takes several times as long to look at; `npm run test:slow` goes through all of its calls. */
  const stride = script.name === 'repair' ? 6 : 1;

  test('when any call fails once', async () => {
    expect(await failEveryCall(script, FAILING_ONCE, { stride })).toBeGreaterThan(40);
  });

  test('when all calls fail from any one on', async () => {
    expect(await failEveryCall(script, FAILING_FOR_EVER, { stride })).toBeGreaterThan(40);
  });

  test('when a call works and says that it failed', async () => {
    expect(await failEveryCall(script, LOSING_AN_ANSWER, { stride: 5 * stride })).toBeGreaterThan(8);
  });

  test('when reads and writes do half of what they should', async () => {
    expect(await failEveryCall(script, DOING_HALF, { stride: 50 })).toBeGreaterThan(2);
  });
});
