import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';

const run = promisify(execFile);

/** Threads need the built library: each scenario is a process of its own. */
async function scenario(name: string): Promise<Record<string, unknown>> {
  const script = join(import.meta.dirname, 'kept-in-threads.mjs');
  const { stdout } = await run(process.execPath, [script, name], { timeout: 50_000 });
  return JSON.parse(stdout);
}

describe('new tensors that threads fill', () => {
  // Seen to fail when a job that fills part of a tensor goes to whatever thread is idle (`ComputePool.run`).
  it('are each made by one thread, whatever their size, and come in plain buffers of their own', async () => {
    const { kept, ...result } = await scenario('mixed');
    expect(result).toEqual({ equal: [true, true], isOwn: true, used: 2, isAllHandedOver: true });
    expect(kept).toBe(7);
  });

  it('are filled by all threads together where one is most of the state', async () => {
    expect(await scenario('lone')).toEqual({ equal: true, jobs: true, kept: 1 });
  });

  // Seen to fail when `Lane.run` sends to a thread that has ended: nothing answers.
  it('are lost with a thread that dies: unavailable, nothing more is begun, and the next restore works', async () => {
    const result = { first: 'unavailable worker-lost', isStopped: true, equal: true };
    expect(await scenario('lost')).toEqual(result);
  });

  // Seen to fail when `fillShares` does not collect what is kept after a failure.
  it('do not stay with a thread when a restore finds damage', async () => {
    const result = { first: 'corrupt bad-checksum', isStopped: true, isReleased: true, equal: true };
    expect(await scenario('damaged')).toEqual(result);
  });
});
