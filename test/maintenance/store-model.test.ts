import { expect, test } from 'vitest';
import { checkAgainstModel } from './store-commands.js';

/** Enough for a few dozen sequences on a slow machine. */
const TIME_LIMIT_MS = 8_000;

test('a store behaves like a map of states under random saves, forgets, dropped groups, collections and compactions', async () => {
  const sequences = await checkAgainstModel({
    sequences: 60,
    maxCommands: 25,
    timeLimitMs: TIME_LIMIT_MS,
    size: 'max',
  });
  expect(sequences).toBeGreaterThan(3);
});
