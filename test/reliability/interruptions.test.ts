/**
 * Seen to fail when forget does not look at its signal, as it did not, and when `StagedFiles.discard` or `ObjectWriter.discard`
 * leaves what was written.
 */
import { describe, expect, test } from 'vitest';
import { makeFolder } from '../engine/folders.js';
import { abortAtCalls, INTERRUPTIBLE, interruptCommand, interruptTwice } from './interruptions.js';

describe.each(INTERRUPTIBLE)('$name leaves nothing behind', (verb) => {
  test('when its signal is aborted at a call', async () => {
    expect((await abortAtCalls(verb, await makeFolder(), 12)).aborted).toBeGreaterThan(0);
  });

  test('when SIGINT comes at a call: exit 130', async () => {
    expect((await interruptCommand(verb, await makeFolder(), 2)).aborted).toBeGreaterThan(0);
  });
});

test('the second SIGINT ends a process at once', async () => {
  expect(await interruptTwice(INTERRUPTIBLE[0], await makeFolder())).toBe(130);
});
