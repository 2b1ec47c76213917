/**
 * Seen to fail when forget does not look at its signal, as it did not, and when `StagedFiles.discard` or `ObjectWriter.discard`
 * leaves what was written.
 */
import { describe, expect, test } from 'vitest';
import { abortAtCalls, INTERRUPTIBLE, interruptCommand, interruptTwice } from './interruptions.js';
import { scratchFolder } from './scratch-folder.js';

describe.each(INTERRUPTIBLE)('$name leaves nothing behind', (verb) => {
  test('when its signal is aborted at a call', async () => {
    expect((await abortAtCalls(verb, scratchFolder(), 12)).aborted).toBeGreaterThan(0);
  });

  test.each(['stalls', 'stalls and fails'] as const)(
    'when it is aborted at a call that %s',
    async (becomes) => {
      expect((await abortAtCalls(verb, scratchFolder(), 3, becomes)).aborted).toBeGreaterThan(0);
    },
  );

  test('when SIGINT comes at a call: exit 130', async () => {
    expect((await interruptCommand(verb, scratchFolder(), 2)).aborted).toBeGreaterThan(0);
  });
});

test('the second SIGINT ends a process at once', async () => {
  expect(await interruptTwice(INTERRUPTIBLE[0], scratchFolder())).toBe(130);
});
