import { expect, test } from 'vitest';
import { checkAgainstModel } from './store-commands.js';

test('a store behaves like a map of states under long random sequences of commands', async () => {
  const sequences = await checkAgainstModel({
    sequences: 1500,
    maxCommands: 60,
    timeLimitMs: 240_000,
    size: 'max',
  });
  expect(sequences).toBeGreaterThan(50);
}, 300_000);
