/** Chains of saves: restores at every depth, compaction, collection. */
import { join } from 'node:path';
import { createStore, keep } from '../../dist/index.js';
import { secondsUntil } from '../harness.mjs';
import { writeSeconds } from '../limits.mjs';
import { storeOptions } from './store-options.mjs';
import { TrainingState } from './training-state.mjs';

/** Saves `count` checkpoints `steps` apart. */
async function saveChain(store, name, state, { count, steps }) {
  const run = store.run(name);
  for (let save = 0; save < count; save++) {
    if (save > 0) state.advance(steps);
    await (await run.save(state.tree())).committed;
  }
  state.verify(await run.restore());
}

/** Seconds to restore each checkpoint of a run, by step, in rounds. */
async function timeRestores(store, name, rounds) {
  const checkpoints = await store.run(name).list();
  const times = checkpoints.map(({ step, height }) => ({ step, height, seconds: [] }));
  for (let round = 0; round < rounds; round++) {
    for (const { step, seconds } of times)
      seconds.push(await secondsUntil(() => store.run(name).restore(`step:${step}`)));
  }
  return times;
}

export async function chains({ folder, gib, rounds, workers, near, far }) {
  const state = new TrainingState(gib);
  const store = await createStore(join(folder, 'store'), storeOptions({ workers }));
  await saveChain(store, 'near', state, { count: near, steps: 1 });
  const nearTimes = await timeRestores(store, 'near', rounds);
  const other = new TrainingState(gib, 2);
  await saveChain(store, 'far', other, { count: far, steps: 10 });
  const farTimes = await timeRestores(store, 'far', rounds);
  const write = [];
  for (let round = 0; round < rounds; round++) write.push(writeSeconds(join(folder, 'raw'), state.buffers));
  const [first] = await store.run('near').list();
  const before = (await store.stats()).storedBytes;
  let compacted;
  const compactSeconds = await secondsUntil(async () => {
    compacted = await store.compact();
  });
  await store.gc();
  const after = (await store.stats()).storedBytes;
  const headTimes = await timeHeads(store, rounds);
  state.verify(await store.run('near').restore());
  other.verify(await store.run('far').restore());
  const collected = await collect(store, { near, far });
  await store.close();
  const compact = { seconds: compactSeconds, chunks: compacted.chunksEncoded + compacted.chunksCopied };
  const sizes = { before, after, full: first.storedBytes };
  const { bytes, chunks } = state;
  return { bytes, chunks, nearTimes, farTimes, headTimes, write, compact, sizes, collected };
}

async function timeHeads(store, rounds) {
  const seconds = [];
  for (let round = 0; round < rounds; round++)
    for (const name of ['near', 'far']) seconds.push(await secondsUntil(() => store.run(name).restore()));
  return seconds;
}

/** Forgets all but the heads and frees what only the others needed. */
async function collect(store, counts) {
  await store.forget({ keep: [keep.last(1)] });
  let compacted;
  const compactSeconds = await secondsUntil(async () => {
    compacted = await store.compact();
  });
  let freed;
  const seconds = await secondsUntil(async () => {
    freed = await store.gc();
  });
  const chunks = compacted.chunksEncoded + compacted.chunksCopied;
  return { seconds, bytes: freed.bytes, checkpoints: counts.near + counts.far - 2, compactSeconds, chunks };
}
