import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { progressText } from '../../src/cli/progress.js';
import { temporaryFolder, writeWeights } from './command-line.js';
import { run } from './in-process.js';

/** A clock that advances whenever it is read, far enough for every throttle. */
function hurriedClock(): () => number {
  let time = 0;
  return () => {
    time += 20_000;
    return time;
  };
}

let folder = '';
let file = '';
let store = '';

beforeAll(async () => {
  folder = await temporaryFolder();
  store = join(folder, 'store');
  file = await writeWeights(join(folder, 'weights.safetensors'), 1);
  expect((await run(['init', store])).code).toBe(0);
});

function save(...flags: string[]): string[] {
  return ['save', file, '--run', 'base', '--store', store, ...flags];
}

describe('where progress goes', () => {
  test('a terminal: one line that is rewritten on stderr and gone at the end', async () => {
    const { code, stdout, stderr } = await run(save(), { tty: true, now: hurriedClock() });
    expect(code).toBe(0);
    expect(stdout).toMatch(/^saved .*\n$/);
    expect(stderr).toContain('\r\x1b[Ksave: ');
    expect(stderr.endsWith('\r\x1b[K')).toBe(true);
    expect(stderr).not.toContain('\n');
  });

  test('elsewhere: plain lines on stderr', async () => {
    const { stdout, stderr } = await run(save(), { now: hurriedClock() });
    expect(stdout).toMatch(/^saved [^\n]*\n$/);
    expect(stderr).toMatch(/^(save: [^\n\r]*\n)+$/);
  });

  test('--json: objects on stdout before the result, nothing on stderr', async () => {
    const { stdout, stderr } = await run(save('--json'), { now: hurriedClock() });
    expect(stderr).toBe('');
    const objects = stdout
      .trimEnd()
      .split('\n')
      .map((line): Record<string, unknown> => JSON.parse(line));
    const result = objects.pop();
    expect(result).toMatchObject({ run: 'base', warnings: [] });
    expect(objects.length).toBeGreaterThan(0);
    for (const object of objects)
      expect(object).toEqual({ progress: expect.objectContaining({ phase: 'save' }) });
  });

  test('-q: nowhere', async () => {
    const { stdout, stderr } = await run(save('-q'), { tty: true, now: hurriedClock() });
    expect(stdout).toMatch(/^[0-9a-f]{32}\n$/);
    expect(stderr).toBe('');
  });
});

test('an abort exits with 130 and leaves no checkpoint', async () => {
  const { code, stdout, stderr } = await run(['save', file, '--run', 'stopped', '--store', store], {
    signal: AbortSignal.abort(),
  });
  expect([code, stdout]).toEqual([130, '']);
  expect(stderr).toMatch(/^thetalog: /);
  expect((await run(['list', 'stopped', '--store', store])).code).toBe(3);
});

describe('the line', () => {
  test('bytes read and stored, ratio and remaining time', () => {
    const progress = {
      phase: 'save',
      bytesRead: 3 * 2 ** 20,
      bytesStored: 2 ** 20,
      bytesTotal: 12 * 2 ** 20,
    };
    expect(progressText(progress, 5000)).toBe(
      'save: 3.00 MiB of 12.0 MiB (25 %), stored 1.00 MiB, 3.00x, ETA 0:15',
    );
  });

  test('an unknown total', () => {
    const progress = { phase: 'check', bytesRead: 1024, bytesStored: 0, bytesTotal: 0 };
    expect(progressText(progress, 5000)).toBe('check: 1.00 KiB read');
  });
});
