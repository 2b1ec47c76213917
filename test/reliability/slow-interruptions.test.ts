import { describe, expect, test } from 'vitest';
import { abortAtCalls, INTERRUPTIBLE, interruptCommand, interruptTwice } from './interruptions.js';
import { scratchFolder } from './scratch-folder.js';

describe.each(INTERRUPTIBLE)('$name leaves nothing behind', (verb) => {
  test('when its signal is aborted at any call', async () => {
    const { aborted } = await abortAtCalls(verb, scratchFolder(), Number.POSITIVE_INFINITY);
    expect(aborted).toBeGreaterThan(10);
  });

  test.each(['stalls', 'stalls and fails'] as const)(
    'when it is aborted at a call that %s',
    async (becomes) => {
      expect(
        (await abortAtCalls(verb, scratchFolder(), Number.POSITIVE_INFINITY, becomes)).aborted,
      ).toBeGreaterThan(0);
    },
  );

  test('when SIGINT comes at any call: exit 130', async () => {
    const { aborted, done } = await interruptCommand(verb, scratchFolder(), 100);
    expect(aborted).toBeGreaterThan(10);
    expect(aborted + done).toBe(100);
  });

  test('the second SIGINT ends the process at once', async () => {
    expect(await interruptTwice(verb, scratchFolder())).toBe(130);
  });
});
