/** Restores into memory; each runs in a process of its own. */
import { closeSync, fsyncSync, openSync, readdirSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { createStore, openStore } from '../../dist/index.js';
import { secondsOf, secondsUntil } from '../harness.mjs';
import { copySeconds, dropFromCache, readSeconds } from '../limits.mjs';
import { storeOptions } from './store-options.mjs';
import { TrainingState } from './training-state.mjs';

/** All files below a folder. */
export function filesBelow(folder) {
  return readdirSync(folder, { recursive: true })
    .map((name) => join(folder, name))
    .filter((path) => statSync(path).isFile());
}

/** Makes a store with one full checkpoint, and a raw file of the same bytes. */
export async function prepareFull({ folder, gib, workers }) {
  const state = new TrainingState(gib);
  const store = await createStore(join(folder, 'store'), storeOptions({ workers, base: 'disk' }));
  await store.run('bench').save(state.tree(), { synchronous: true });
  await state.verifyStored(store, 'bench');
  await store.close();
  const raw = openSync(join(folder, 'raw'), 'w');
  for (const buffer of state.buffers) {
    for (let at = 0; at < buffer.length; at += 2 ** 24) writeSync(raw, buffer.subarray(at, at + 2 ** 24));
  }
  fsyncSync(raw);
  closeSync(raw);
  return { bytes: state.bytes };
}

/**
 * One restore of the newest checkpoint in a fresh process, cold or warm, with the limits right before it; then another (`again`) into the
 * arrays that the first one made.
 */
export async function restoreOnce({ folder, workers, cold }) {
  const [path, raw] = [join(folder, 'store'), join(folder, 'raw')];
  if (!cold) readSeconds(raw);
  const isCold = cold && dropFromCache([raw]);
  const read = readSeconds(raw);
  const source = new Uint8Array(128 * 2 ** 20).fill(1);
  const target = source.slice();
  const memcpy = (copySeconds([source], [target]) * statSync(raw).size) / source.length;
  dropFromCache([raw]);
  if (cold) dropFromCache(filesBelow(path));
  else for (const file of filesBelow(path)) readSeconds(file);
  const store = await openStore(path, storeOptions({ workers }));
  const run = store.run('bench');
  let state;
  const seconds = await secondsUntil(async () => {
    state = await run.restore();
  });
  const again = await secondsUntil(() => run.restore('latest', { into: state }));
  await store.close();
  return { seconds, again, read, memcpy, isCold };
}

/** Writes to each page of new memory. */
export function touchNewMemory({ bytes }) {
  const memory = new Uint8Array(bytes);
  const seconds = secondsOf(() => {
    for (let at = 0; at < bytes; at += 4096) memory[at] = 1;
  });
  return { seconds };
}
