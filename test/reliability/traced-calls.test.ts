import { expect, test } from 'vitest';
import { CRASH_SCRIPTS } from './crash-scripts.js';
import { injectAtCalls, KILLED, SYNC_FAILS, WRITE_LIES } from './traced-calls.js';

const [saving] = CRASH_SCRIPTS;

test.for([
  ['killed before', KILLED, 4],
  ['told that it failed, a sync', SYNC_FAILS, 2],
  ['told of bytes that it did not write,', WRITE_LIES, 3],
] as const)(
  '%s the n-th system call: what was acknowledged stays',
  async ([, injection, points], context) => {
    const outcome = await injectAtCalls(saving, injection, points);
    if ('untried' in outcome) return context.skip(outcome.untried);
    expect(outcome.points).toBeGreaterThan(0);
  },
);
