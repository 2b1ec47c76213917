/**
 * Seen to fail when the size of a file is not looked at before it is linked (`stored !== size` in durable-file.ts): a pack
 * without its first bytes is an object; and at every sync when one that fails is ignored (`file.sync()` there): the file is linked.
 */
import { expect, test } from 'vitest';
import { CRASH_SCRIPTS } from './crash-scripts.js';
import { injectAtCalls, KILLED, SYNC_FAILS, WRITE_LIES } from './traced-calls.js';

const [saving] = CRASH_SCRIPTS;

test.for([
  ['the process is killed', KILLED, 4],
  ['a sync fails', SYNC_FAILS, 3],
  ['a write says more than it wrote', WRITE_LIES, 3],
] as const)(
  'at a system call of a save, %s: what was acknowledged stays',
  async ([, injection, points], context) => {
    const outcome = await injectAtCalls(saving, injection, points);
    if ('untried' in outcome) return context.skip(outcome.untried);
    expect(outcome.points).toBeGreaterThan(0);
  },
);
