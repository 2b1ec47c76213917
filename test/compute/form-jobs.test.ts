/** Files unpacked and made again by a thread's job: what cannot be written or read is a typed error. */
import { closeSync, existsSync, openSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { rebuildFile, unpackFile } from '../../src/compute/form-jobs.js';
import { loadHasher } from '../../src/hash/index.js';
import { loadKernels } from '../../src/kernels/index.js';
import { scratchFolder } from '../reliability/scratch-folder.js';

const FILE = fileURLToPath(new URL('../../fixtures/zstd/rows-1.zst', import.meta.url));
const stop = new Int32Array(new SharedArrayBuffer(4));

function source() {
  const descriptor = openSync(FILE, 'r');
  onTestFinished(() => closeSync(descriptor));
  return { descriptor, path: FILE, offset: 0, length: statSync(FILE).size };
}

function emptyFile(): string {
  const path = join(scratchFolder(), 'file');
  writeFileSync(path, '');
  return path;
}

test('a file is unpacked and made again, with its digest', async () => {
  const hasher = await loadHasher(loadKernels());
  const [form, target] = [emptyFile(), emptyFile()];
  const { size, frames } = unpackFile({ kind: 'unpack', source: source(), target: form, stop });
  expect({ size, frames }).toEqual({ size: statSync(form).size, frames: 1 });
  const made = rebuildFile(hasher, { kind: 'rebuild', source: form, name: 'x', size, target, stop });
  expect(readFileSync(target).equals(readFileSync(FILE))).toBe(true);
  const digest = hasher.file();
  digest.update(readFileSync(FILE));
  expect(made).toEqual({ size: statSync(FILE).size, digest: digest.digest() });
});

test.runIf(existsSync('/dev/full'))('a full disk is no error of the file', () => {
  expect(() => unpackFile({ kind: 'unpack', source: source(), target: '/dev/full', stop })).toThrow(
    expect.objectContaining({ kind: 'unavailable', code: 'no-scratch' }),
  );
});

test('a form that is damaged is told with the name of the file', async () => {
  const hasher = await loadHasher(loadKernels());
  const form = emptyFile();
  writeFileSync(form, 'TLUP'.padEnd(40, '\0'));
  const job = { kind: 'rebuild', source: form, name: 'weights', size: 40, stop } as const;
  expect(() => rebuildFile(hasher, job)).toThrow(
    expect.objectContaining({ kind: 'unsupported', object: 'weights' }),
  );
});

test('it gives up when nobody wants it any more', () => {
  const stopped = new Int32Array(new SharedArrayBuffer(4)).fill(1);
  const job = { kind: 'unpack', source: source(), target: emptyFile(), stop: stopped } as const;
  expect(() => unpackFile(job)).toThrow(expect.objectContaining({ kind: 'aborted' }));
});
