/**
 * Restores into memory that worker threads make and keep until it is full, which only the built library has.
 * Usage: node kept-in-threads.mjs SCENARIO; prints JSON.
 */
import { syncBuiltinESMExports } from 'node:module';
import threads from 'node:worker_threads';

/** For each key of memory that a thread was told to keep, the thread; the same of those that were asked for. */
const filled = new Map();
const handedOver = new Map();
let restoreJobs = 0;
/** Called with each thread and the number of its job, once that was sent. */
let sent = () => {};
threads.Worker = class extends threads.Worker {
  postMessage(message, ...rest) {
    super.postMessage(message, ...rest);
    const { job } = message;
    if (job.kind === 'hand-over') for (const key of job.keys) handedOver.set(key, this);
    if (job.kind !== 'restore') return;
    for (const { kind, key } of job.targets) {
      if (kind !== 'kept') continue;
      if (filled.has(key) && filled.get(key) !== this) throw new Error('Two threads fill one tensor.');
      filled.set(key, this);
    }
    sent(this, restoreJobs++);
  }
};
syncBuiltinESMExports();
const { createStore, MemoryStorage } = await import('../../dist/index.js');

/** Elements of the tensors of a state: two of several units of work, some of one, some of a part of one. */
const MIXED = { a: 7.6e6, b: 6.9e6, c: 2e6, d: 2e6, e: 1.5e6, f: 1e5, g: 65_536, h: 1000, i: 1, j: 0 };
/** Most of it is one tensor. */
const LONE = { a: 7.6e6, b: 3e5, c: 1000 };

function stateOf(sizes) {
  let seed = 1;
  const tensor = (length) =>
    Float32Array.from({ length }, () => {
      seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
      return seed / 2 ** 32;
    });
  return Object.fromEntries(Object.entries(sizes).map(([name, length]) => [name, tensor(length)]));
}

function isSame(a, b) {
  return Object.entries(a).every(([name, array]) => Buffer.compare(bytesOf(array), bytesOf(b[name])) === 0);
}

function bytesOf({ buffer, byteOffset, byteLength }) {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

async function saved(sizes) {
  const storage = new MemoryStorage();
  const store = await createStore(storage, { workers: 2 });
  const model = stateOf(sizes);
  const run = store.run('r');
  await (await run.save({ model })).committed;
  return { storage, store, run, model };
}

/** Whether each thread was asked for all that it was told to keep. */
function isAllHandedOver() {
  return [...filled].every(([key, thread]) => handedOver.get(key) === thread);
}

async function restored({ run, model }) {
  return isSame(model, (await run.restore()).model);
}

async function failure(restoring) {
  return restoring.then(
    () => 'restored',
    ({ kind, code }) => `${kind} ${code}`,
  );
}

const scenarios = {
  /** Twice, and each tensor in a plain buffer of its own, at its start. */
  async mixed() {
    const opened = await saved(MIXED);
    const equal = [await restored(opened), await restored(opened)];
    const { model } = await opened.run.restore();
    const arrays = Object.values(model);
    const isOwn = arrays.every(
      ({ buffer, byteLength }) => buffer instanceof ArrayBuffer && buffer.byteLength === byteLength,
    );
    await opened.store.close();
    const used = new Set(filled.values()).size;
    return { equal, isOwn, kept: filled.size / 3, used, isAllHandedOver: isAllHandedOver() };
  },
  async lone() {
    const opened = await saved(LONE);
    const equal = await restored(opened);
    await opened.store.close();
    return { equal, jobs: restoreJobs > 2, kept: filled.size };
  },
  /** A thread dies in the middle of a restore; the next one has a new thread. */
  async lost() {
    const opened = await saved(MIXED);
    sent = (thread, number) => {
      if (number === 3) thread.terminate();
    };
    const first = await failure(opened.run.restore());
    const left = restoreJobs;
    const equal = await restored(opened);
    await opened.store.close();
    return { first, isStopped: left < restoreJobs - left, equal };
  },
  /** A chunk is damaged: the restore stops, threads keep nothing of it, and the next one works. */
  async damaged() {
    const opened = await saved(MIXED);
    const { storage } = opened;
    const get = storage.get.bind(storage);
    let reads = 0;
    storage.get = async (key, ...rest) => {
      const bytes = await get(key, ...rest);
      if (key.startsWith('packs/') && reads++ === 3) bytes[bytes.length >> 1] ^= 1;
      return bytes;
    };
    const first = await failure(opened.run.restore());
    const left = restoreJobs;
    const isReleased = isAllHandedOver();
    const equal = await restored(opened);
    await opened.store.close();
    return { first, isStopped: left < restoreJobs - left, isReleased, equal };
  },
};

console.log(JSON.stringify(await scenarios[process.argv[2]]()));
