/**
 * `io-errors` fails every call of scripts that do their jobs on the test's own thread and fill less than a pack: it sees neither
 * threads nor uploads under way, nor whether a process ends. Seen to fail when `ComputePool.start` lets go of a thread before it
 * listens to it, as it did: a save that failed before the thread had a job left its process waiting for ever.
 */
import { expect, test } from 'vitest';
import { stopStorage } from './faulty-storage.js';

test('when the storage stops working, saves and restores in threads fail in time and hold nothing', async () => {
  const { cases, packs } = await stopStorage(6);
  expect(cases).toEqual({
    'save of files': 8,
    'save of a state': 8,
    'restore to files': 6,
    'restore of a state': 6,
    'restore into arrays': 6,
  });
  expect(packs).toBe(6);
}, 300_000);
