/** Stores with many checkpoints and with many chunks. */
import { join } from 'node:path';
import { createStore, openStore } from '../../dist/index.js';
import { randomNumbers, secondsUntil } from '../harness.mjs';
import { storeOptions } from './store-options.mjs';

/** Elements in a chunk of the store with many chunks: the least there may be. */
const SMALL_CHUNK = 1024;

function smallState(step) {
  const next = randomNumbers(step + 1);
  const weights = Float32Array.from({ length: 4096 }, () => next() / 2 ** 32);
  return { model: { weights, bias: weights.slice(0, 64) }, progress: { step } };
}

/** Saves until there are `few` and then `many` checkpoints; at both marks measures saves, resumes and lists. */
export async function growth({ folder, few, many, rounds, workers }) {
  const path = join(folder, 'store');
  let store = await createStore(path, storeOptions({ workers }));
  const result = {};
  let step = 0;
  const save = async () => (await store.run('bench').save(smallState(++step))).committed;
  for (const [name, count] of [
    ['few', few],
    ['many', many],
  ]) {
    while (step < count) await save();
    const times = { save: [], resume: [], list: [] };
    for (let round = 0; round < rounds; round++) {
      await store.close();
      store = await openStore(path, storeOptions({ workers }));
      times.list.push(await secondsUntil(() => store.list({ last: 20 })));
      await store.close();
      store = await openStore(path, storeOptions({ workers }));
      times.resume.push(await secondsUntil(() => store.run('bench').restore()));
      times.save.push(await secondsUntil(save));
    }
    result[name] = times;
  }
  await store.close();
  return result;
}

/** Makes a store of `chunks` chunks in `runs` checkpoints of small chunks, all different. */
export async function manyChunks({ folder, chunks, runs, workers }) {
  const store = await createStore(join(folder, 'store'), {
    ...storeOptions({ workers }),
    chunkElements: SMALL_CHUNK,
  });
  const length = Math.ceil(chunks / runs) * SMALL_CHUNK;
  const data = new Uint8Array(length);
  const words = new Uint32Array(data.buffer);
  for (let run = 0; run < runs; run++) {
    const next = randomNumbers(run + 1);
    for (let at = 0; at < words.length; at += SMALL_CHUNK / 4) words[at] = next();
    for (let at = 1; at < words.length; at += SMALL_CHUNK / 4) words[at] = at + run;
    const tensor = { dtype: 'u8', shape: [length], data };
    await (await store.run(`run-${run}`).save({ model: { tensor } })).committed;
  }
  await store.close();
  return {};
}

/** Collects garbage once in a fresh process. */
export async function collectOnce({ folder, workers }) {
  const store = await openStore(join(folder, 'store'), storeOptions({ workers }));
  const seconds = await secondsUntil(() => store.gc());
  await store.close();
  return { seconds };
}
