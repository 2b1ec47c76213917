import { execFile } from 'node:child_process';
import { truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { makeFolder } from '../engine/folders.js';

const run = promisify(execFile);

/** Threads need the built library: each scenario is a process of its own. */
async function scenario(...args: string[]): Promise<Record<string, unknown>> {
  const script = join(import.meta.dirname, 'in-threads.mjs');
  const { stdout } = await run(process.execPath, [script, ...args], { timeout: 50_000 });
  return JSON.parse(stdout);
}

describe('saves in worker threads', () => {
  it('give the same bytes whatever their number, with the base in memory or in the store', async () => {
    const alone = await scenario('bytes', '0');
    expect(alone).toMatchObject({ threads: 0, restored: true });
    expect(Object.keys(alone.objects as object).length).toBeGreaterThan(6);
    expect(await scenario('bytes', '1')).toEqual({ ...alone, threads: 1 });
    expect(await scenario('bytes', '2', '0')).toEqual({ ...alone, threads: 2 });
  });

  it('fail as unavailable when a thread dies, and the next save has new ones', async () => {
    const result = { first: 'unavailable worker-lost', second: 'saved', restored: true };
    expect(await scenario('lost')).toEqual(result);
  });

  // Seen to fail when `ComputePool` lets the refusal through: the save fails, untyped, or the process ends by it.
  it.each([
    ['0', { second: 'saved', third: 'saved', threads: 0 }],
    ['1', { second: 'unavailable worker-lost', third: 'saved', threads: 1 }],
  ])('work when the system refuses threads: after %s of them', async (count, outcomes) => {
    expect(await scenario('refused', count)).toEqual({ first: 'saved', restored: true, ...outcomes });
  });

  it('can be aborted, and the next save works', async () => {
    expect(await scenario('aborted')).toEqual({ first: 'aborted aborted', second: 'saved', restored: true });
  });

  it('do not keep a process alive whose store nobody closed', async () => {
    expect(await scenario('open')).toEqual({ first: 'saved', threads: 2 });
  });

  // Seen to fail when a failed save does not stop or not await its digests (`digestDuring` in file-digests.ts).
  it('leave no job under way that reads the files of a save that has failed', async () => {
    const path = join(await makeFolder(), 'large.bin');
    await writeFile(path, '');
    // Digesting it would take minutes.
    await truncate(path, 2 ** 38);
    const result = { first: 'unavailable enough', begun: true, left: 0 };
    expect(await scenario('digesting', path)).toEqual(result);
  });

  // Seen to fail when `ComputePool.receive` never lets go of a thread.
  it.each([
    ['staged', '2'],
    ['first', '2'],
    ['delta', '2'],
    ['delta', '0'],
  ])('do not keep it alive either when aborted: %s, %s threads', async (moment, count) => {
    expect(await scenario('abandoned', moment, count)).toMatchObject({ first: 'aborted aborted' });
  });

  // Seen to fail when `ComputePool.start` lets go of a thread before it listens to it.
  it('do not keep it alive either when the save failed before they had a job', async () => {
    expect(await scenario('idle')).toEqual({ first: 'unavailable storage-failed', threads: 1 });
  });
});

describe('restores in worker threads', () => {
  it.each(['0', '2'])('fill new, given and shared arrays alike: %s threads', async (count) => {
    const equal = Array(6).fill(true);
    expect(await scenario('restores', count)).toEqual({ equal, threads: Number(count) });
  });
});

describe('comparisons in worker threads', () => {
  it('give the same figures, to the bit, as without', async () => {
    const alone = await scenario('differences', '0');
    const weight = { name: 'model.weight', elements: 1_572_864, changedElements: expect.any(Number) };
    expect(alone).toMatchObject({ threads: 0, tensors: [weight, {}, {}] });
    expect(await scenario('differences', '2')).toEqual({ ...alone, threads: 2 });
  });
});
