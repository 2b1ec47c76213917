/**
 * Archives that would fill any memory if somebody unpacked them. Nobody does: they are bytes, kept and given back, and what
 * lies about places and sizes is named. Metadata of a store that inflates to more than it says is given up early.
 *
 * Seen to fail when metadata is inflated whole (`inflatePieces` of one piece: minutes), and when it is inflated into exactly the
 * length that it says.
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { deflateRawSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { inflateExactly } from '../../src/format/envelope.js';
import { makeFolder } from '../engine/folders.js';

const SCRIPT = fileURLToPath(new URL('zip-bomb.mjs', import.meta.url));
/** What a save and a restore of 2 MiB may take on top of what the process has when it begins. */
const MEGABYTES_MAX = 200;
/** CPU time on a slow core; unpacking 2 GiB takes longer. */
const SECONDS_MAX = 5;

test.each([
  ['deflated-pickle', null],
  ['deflated-storage', null],
  ['deflated-arrays', null],
  ['overlapping', 'zip-overlap'],
  ['claimed-sizes', 'zip-overlap'],
  ['claimed-entries', 'zip-directory'],
  ['nested', null],
])('%s: no tensors, saved as bytes, restored', async (shape, code) => {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ['--max-old-space-size=256', SCRIPT, shape, join(await makeFolder(), shape)],
    { encoding: 'utf8' },
  );
  expect(status, stderr).toBe(0);
  const result = JSON.parse(stdout);
  expect(result).toMatchObject({ ranges: 0, code, equal: true });
  expect(result.megabytes).toBeLessThan(MEGABYTES_MAX);
  expect(result.seconds).toBeLessThan(SECONDS_MAX);
});

/** Deflated zeros in one block, 1 GiB in 1 MiB: the longest matches take two bits each, so that bytes repeat. */
function zerosInOneBlock(): Buffer {
  const some = deflateRawSync(Buffer.alloc(2 ** 21), { level: 9 });
  const middle = some.length >>> 2;
  expect(new Set(some.subarray(middle - 50, middle + 50)).size).toBe(1);
  return Buffer.concat([
    some.subarray(0, middle),
    Buffer.alloc(2 ** 20, some[middle]),
    some.subarray(middle),
  ]);
}

test('metadata that inflates to 1 GiB is given up soon after the length that it says', () => {
  const bomb = zerosInOneBlock();
  const before = process.cpuUsage();
  for (const length of [1, bomb.length])
    expect(() => inflateExactly(bomb, length, 'manifests/x')).toThrow(
      expect.objectContaining({ code: 'bad-length' }),
    );
  const { user, system } = process.cpuUsage(before);
  expect((user + system) / 1e6).toBeLessThan(SECONDS_MAX);
});

test('metadata a byte longer than it says is refused', () => {
  const deflated = deflateRawSync(Buffer.alloc(1001));
  expect(() => inflateExactly(deflated, 1000, 'manifests/x')).toThrow(
    expect.objectContaining({ code: 'bad-length' }),
  );
});
