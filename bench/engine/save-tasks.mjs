/** Saves of a state in memory; each runs in a process of its own. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { createStore } from '../../dist/index.js';
import { secondsUntil } from '../harness.mjs';
import { copySeconds, writeSeconds } from '../limits.mjs';
import { storeOptions } from './store-options.mjs';
import { TrainingState } from './training-state.mjs';

/** Touched memory that memcpy copies to, one tensor after the other and again from its start: larger than any cache. */
const SCRATCH_BYTES = 128 * 2 ** 20;

function limitsOf(state, folder) {
  const scratch = new Uint8Array(SCRATCH_BYTES).fill(1);
  let end = 0;
  const targets = state.buffers.map((buffer) => {
    const length = Math.min(buffer.length, SCRATCH_BYTES);
    end = end + length > SCRATCH_BYTES ? length : end + length;
    return scratch.subarray(end - length, end);
  });
  const sources = state.buffers.map((buffer) => buffer.subarray(0, SCRATCH_BYTES));
  const copied = sources.reduce((sum, { length }) => sum + length, 0);
  return {
    memcpy: () => (copySeconds(sources, targets) * state.bytes) / copied,
    write: () => writeSeconds(join(folder, 'raw'), state.buffers),
  };
}

/**
 * Saves one state again and again, `steps` apart (0: unchanged). Answers for each save with the seconds until the state was
 * copied (`stall`) and until it was durable, and with memcpy and raw write of the same bytes right before it. `synchronous`
 * saves read the state where it is. Of saves with copies the second is not counted but answered apart (`second`): two copies take
 * turns, and it is the one that maps memory for the other one.
 */
export async function saveRepeatedly({ folder, gib, steps, rounds, workers, base, bf16, synchronous }) {
  const state = new TrainingState(gib);
  const store = await createStore(join(folder, 'store'), storeOptions({ workers, base }));
  const limits = limitsOf(state, folder);
  const run = store.run('bench');
  const first = await (await run.save(state.tree(), { synchronous })).committed;
  const saveOnce = async () => {
    state.advance(steps, { bf16 });
    const [memcpy, write] = [limits.memcpy(), limits.write()];
    let stall = 0;
    let saved;
    const durable = await secondsUntil(async () => {
      let handle;
      stall = await secondsUntil(async () => {
        handle = await run.save(state.tree(), { synchronous });
      });
      saved = await handle.committed;
    });
    return { memcpy, write, stall, durable, stored: saved.storedBytes };
  };
  const second = synchronous ? undefined : await saveOnce();
  const results = [];
  for (let round = 0; round < rounds; round++) results.push(await saveOnce());
  await state.verifyStored(store, 'bench');
  await store.close();
  return { bytes: state.bytes, results, second, first: first.storedBytes };
}

/** Saves a state into a fresh store, again and again. */
export async function saveFirst({ folder, gib, rounds, workers }) {
  const state = new TrainingState(gib);
  const limits = limitsOf(state, folder);
  const results = [];
  for (let round = 0; round < rounds; round++) {
    const path = join(folder, 'store');
    const store = await createStore(path, storeOptions({ workers }));
    const write = limits.write();
    let saved;
    const durable = await secondsUntil(async () => {
      saved = await (await store.run('bench').save(state.tree(), { synchronous: true })).committed;
    });
    await store.close();
    rmSync(path, { recursive: true });
    results.push({ write, durable, stored: saved.storedBytes });
  }
  return { bytes: state.bytes, results };
}

/** Memory that saves take above the state: waits for each save, or hands over the next one at once (`ahead`). */
export async function saveMemory({ folder, gib, workers, base, ahead }) {
  const state = new TrainingState(gib);
  const store = await createStore(join(folder, 'store'), storeOptions({ workers, base }));
  const run = store.run('bench');
  const before = process.memoryUsage().rss;
  const pending = [];
  for (let save = 0; save < 3; save++) {
    if (save > 0) state.advance(1);
    const { committed } = await run.save(state.tree(), { synchronous: !ahead });
    pending.push(committed);
  }
  await Promise.all(pending);
  await store.close();
  return { bytes: state.bytes, above: process.resourceUsage().maxRSS * 1024 - before };
}
