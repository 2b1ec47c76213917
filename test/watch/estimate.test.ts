/** An estimate is what saving the same files takes, and needs neither a store nor memory for whole checkpoints. */
import { copyFileSync, readdirSync, readlinkSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { createStore, type EstimateOptions, estimateFiles, MemoryStorage } from '../../src/index.js';
import { run } from '../cli/in-process.js';
import { scratchFolder } from '../reliability/scratch-folder.js';
import { weights } from './watched-folder.js';

const FIXTURES = fileURLToPath(new URL('../../fixtures/', import.meta.url));

/** What saving takes, checkpoint by checkpoint: the difference between two looks at the store. */
async function saved(folder: string, sources: readonly string[]): Promise<number[]> {
  const store = await createStore(new MemoryStorage());
  const sizes: number[] = [];
  for (const source of sources)
    sizes.push((await store.saveFiles([join(folder, source)], { run: 'r' })).storedBytes);
  await store.close();
  return sizes;
}

async function compare(folder: string, options: EstimateOptions = {}) {
  const estimate = await estimateFiles(folder, options);
  const { checkpoints } = estimate;
  const real = await saved(
    folder,
    checkpoints.map(({ source }) => source),
  );
  return { estimate, estimated: checkpoints.map(({ storedBytes }) => storedBytes), real };
}

describe('an estimate agrees with saving', () => {
  test.each(['run', 'run-safetensors', 'bf16', 'hf-trainer'])('fixtures/%s', async (name) => {
    const { estimate, estimated, real } = await compare(join(FIXTURES, name), { exclude: ['*.json'] });
    expect(estimate.problems).toEqual([]);
    expect(real.length).toBeGreaterThan(1);
    // Ids and times are compressed along with the rest of the metadata: that makes a few bytes.
    for (const [at, bytes] of estimated.entries()) expect(Math.abs(bytes - real[at])).toBeLessThan(64);
    const { parts, metadataBytes, storedBytes, logicalBytes } = estimate;
    const inParts = parts.reduce((sum, part) => sum + part.fullBytes + part.deltaBytes, 0);
    expect(inParts + metadataBytes).toBe(storedBytes);
    expect(parts.reduce((sum, part) => sum + part.rawBytes, 0)).toBe(logicalBytes);
    expect(estimate.restoreBytesPerSecond).toBeGreaterThan(0);
  });

  test('where chains start again, and where a checkpoint is the same as the one before', async () => {
    const folder = scratchFolder();
    for (let step = 0; step < 24; step++)
      writeFileSync(join(folder, `step-${step}.safetensors`), weights(step === 5 ? 4 : step, 40_000));
    const { estimated, real } = await compare(folder);
    expect(estimated).toHaveLength(24);
    for (const [at, bytes] of estimated.entries()) expect(Math.abs(bytes - real[at])).toBeLessThan(64);
  });
});

test('it writes nothing, and leaves the files as they are', async () => {
  const folder = scratchFolder();
  copyFileSync(join(FIXTURES, 'run/step-100.pth'), join(folder, 'step-100.pth'));
  const before = statSync(join(folder, 'step-100.pth'));
  await estimateFiles(folder);
  expect(readdirSync(folder)).toEqual(['step-100.pth']);
  expect(statSync(join(folder, 'step-100.pth')).ctimeMs).toBe(before.ctimeMs);
});

test('what is not whole is a problem, what is damaged is taken as opaque bytes, the others count', async () => {
  const folder = scratchFolder();
  writeFileSync(join(folder, 'step-1.safetensors'), weights(1));
  writeFileSync(join(folder, 'step-2.safetensors'), weights(2).subarray(0, 5000));
  writeFileSync(join(folder, 'step-3.pth'), '');
  const { checkpoints, problems } = await estimateFiles(folder);
  expect(checkpoints.map(({ source, warnings }) => [source, warnings.map(({ code }) => code)])).toEqual([
    ['step-1.safetensors', []],
    ['step-2.safetensors', ['truncated']],
  ]);
  expect(problems).toMatchObject([{ source: 'step-3.pth', error: { code: 'incomplete' } }]);
});

/** Files below a folder that this process has open. */
function openBelow(folder: string): string[] {
  const links = readdirSync('/proc/self/fd').flatMap((descriptor) => {
    try {
      return [readlinkSync(`/proc/self/fd/${descriptor}`)];
    } catch {
      return [];
    }
  });
  return links.filter((path) => path.startsWith(folder));
}

test.runIf(process.platform === 'linux')('no file stays open, not even one that was deleted', async () => {
  const folder = scratchFolder();
  const path = (step: number): string => join(folder, `step-${step}.safetensors`);
  for (let step = 0; step < 12; step++) writeFileSync(path(step), weights(step, 4000));
  await estimateFiles(folder, {
    onCheckpoint: ({ step }) => {
      if (step === 9) rmSync(path(9));
    },
  });
  expect(openBelow(folder)).toEqual([]);
});

describe('a program that goes on meanwhile', () => {
  test('may delete or replace checkpoints: the others count all the same', async () => {
    const folder = scratchFolder();
    const write = (step: number, seed = step): void =>
      writeFileSync(join(folder, `step-${step}.safetensors`), weights(seed, 40_000));
    for (const step of [1, 2, 3, 4]) write(step);
    const { checkpoints, problems } = await estimateFiles(folder, {
      onCheckpoint: ({ step }) => {
        if (step === 1) rmSync(join(folder, 'step-1.safetensors'));
        if (step === 3) write(3, 9);
      },
    });
    expect(problems).toEqual([]);
    expect(checkpoints.map(({ warnings }) => warnings.map(({ code }) => code))).toEqual([
      [],
      ['base-gone'],
      [],
      ['base-gone'],
    ]);
  });

  test('and what cannot be predicted any more counts in full', async () => {
    const folder = scratchFolder();
    for (const step of [1, 2])
      writeFileSync(join(folder, `step-${step}.safetensors`), weights(step, 4_000_000));
    const sizes = async (onCheckpoint?: () => void): Promise<number[]> => {
      const { checkpoints, problems } = await estimateFiles(folder, { onCheckpoint });
      expect(problems).toEqual([]);
      return checkpoints.map(({ storedBytes }) => storedBytes);
    };
    const [, kept] = await sizes();
    const [, gone] = await sizes(() => rmSync(join(folder, 'step-1.safetensors'), { force: true }));
    expect(gone).toBeGreaterThan(1.2 * kept);
  });
});

test('a folder without checkpoints, or none at all', async () => {
  const folder = scratchFolder();
  await expect(estimateFiles(folder)).rejects.toMatchObject({ code: 'no-checkpoints' });
  await expect(estimateFiles(join(folder, 'none'))).rejects.toMatchObject({ code: 'no-such-folder' });
});

test('the command prints a table, or one object', async () => {
  const folder = join(FIXTURES, 'bf16');
  const { code, stdout } = await run(['estimate', folder]);
  expect(code).toBe(0);
  expect(stdout).toMatch(/^CHECKPOINT +STEP +LOGICAL +STORED +RATIO +SAVE\n/);
  expect(stdout).toMatch(/\nPART +DTYPE +LOGICAL +IN FULL +AS DELTAS +RATIO\n/);
  const json = JSON.parse((await run(['estimate', folder, '--json'])).stdout.trim().split('\n').at(-1) ?? '');
  expect(json.checkpoints.length).toBeGreaterThan(1);
});
