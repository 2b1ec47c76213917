import { expect, test } from 'vitest';
import { CRASH_SCRIPTS } from './crash-scripts.js';
import { type Guarantee, recordEvidence, recordUntried } from './evidence.js';
import { type Injection, injectAtCalls, KILLED, SYNC_FAILS, WRITE_LIES } from './traced-calls.js';

const INJECTIONS: [Guarantee, string, Injection][] = [
  ['kills', 'before each system call', KILLED],
  ['io-errors', 'a real fsync fails', SYNC_FAILS],
  ['io-errors', 'a real write does less than it says', WRITE_LIES],
];

test.for(
  CRASH_SCRIPTS.flatMap((script) =>
    INJECTIONS.map(([guarantee, part, injection]) => ({ script, guarantee, part, injection })),
  ),
)(
  '$script.name, $part: what was acknowledged stays',
  { timeout: 3_600_000 },
  async ({ script, guarantee, part, injection }, context) => {
    const outcome = await injectAtCalls(script, injection);
    if ('untried' in outcome) {
      recordUntried(guarantee, `${part}: ${outcome.untried}`);
      return context.skip(outcome.untried);
    }
    expect(outcome.points).toBeGreaterThan(0);
    recordEvidence({ guarantee, part, cases: outcome.points });
  },
);
