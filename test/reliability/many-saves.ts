/** Saves without end: what a process holds, and what lies in its store, must not grow with their number. */
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { createStore, keep } from '../../src/index.js';

/** Files in use by this process; not counted where the system does not tell. */
function openFiles(): number {
  return existsSync('/proc/self/fd') ? readdirSync('/proc/self/fd').length : 0;
}

/** Saves `count` states and restores some; forgets as it goes on, so that the store stays small. */
export async function manySaves(folder: string, count: number): Promise<void> {
  const store = await createStore(join(folder, 'store'), { workers: 0 });
  const run = store.run('r');
  const controller = new AbortController();
  const saveOne = async (step: number): Promise<void> => {
    const state = { model: { w: new Float32Array(64).fill(step) }, progress: { step } };
    await (await run.save(state, { signal: controller.signal })).committed;
    if (step % 50 !== 0) return;
    expect(await run.restore()).toEqual(state);
    await store.forget({ run: 'r', keep: [keep.last(2)] });
    await store.gc({ signal: controller.signal });
  };
  for (let step = 1; step <= 50; step++) await saveOne(step);
  await store.close();
  const before = { files: openFiles(), resources: process.getActiveResourcesInfo().length };
  for (let step = 51; step <= count; step++) await saveOne(step);
  await store.close();
  expect(openFiles()).toBeLessThanOrEqual(before.files);
  expect(process.getActiveResourcesInfo().length).toBeLessThanOrEqual(before.resources + 2);
  for (const name of ['tmp', 'leases']) expect(readdirSync(join(folder, 'store', name))).toEqual([]);
  expect(readdirSync(join(folder, 'store', 'root')).length).toBeLessThan(20);
  expect((await store.check({ readData: 100 })).damaged).toEqual([]);
  rmSync(join(folder, 'store'), { recursive: true });
}
