import { expect, test } from 'vitest';
import { recordEvidence } from './evidence.js';
import { stopStorage } from './faulty-storage.js';

test('when the storage stops working at any call, saves and restores in threads fail in time and hold nothing', async () => {
  const { cases } = await stopStorage(1);
  const tried = Object.values(cases).reduce((sum, count) => sum + count);
  expect(tried).toBeGreaterThan(60);
  recordEvidence({ guarantee: 'io-errors', part: 'for ever, in threads', cases: tried });
}, 900_000);
