/** Saves with worker threads, which only the built library has. Usage: node in-threads.mjs SCENARIO; prints JSON. */
import { createHash } from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';
import threads from 'node:worker_threads';

const workers = [];
/** Jobs under way. */
let jobs = 0;
/** Threads that can be had before the system refuses. */
let threadsLeft = Number.POSITIVE_INFINITY;
threads.Worker = class extends threads.Worker {
  constructor(...args) {
    if (threadsLeft-- <= 0) throw Object.assign(new Error('EAGAIN'), { code: 'ERR_WORKER_INIT_FAILED' });
    super(...args);
    workers.push(this);
    this.on('message', () => jobs--);
  }

  postMessage(...args) {
    super.postMessage(...args);
    jobs++;
  }
};
syncBuiltinESMExports();
const { createStore, MemoryStorage, ThetalogError } = await import('../../dist/index.js');

/** 18 MiB, above what threads are started for. */
const ELEMENTS = 524_288 * 3;

function environment() {
  let counter = 0;
  const randomHex = (bytes) =>
    createHash('sha512')
      .update(String(counter++))
      .digest('hex')
      .slice(0, bytes * 2);
  return { now: () => 1_700_000_000_000, randomHex, sleep: async () => {} };
}

/** Weights and moments after a few steps of something like Adam; the last third of the weights never changes. */
function state(step) {
  const [w, m, v] = [0, 1, 2].map(() => new Float32Array(ELEMENTS));
  let seed = 1;
  for (let at = 0; at < ELEMENTS; at++) {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    const noise = seed / 2 ** 32 - 0.5;
    w[at] = noise * (1 + (at < ELEMENTS / 1.5 ? step * 1e-4 : 0));
    m[at] = noise * 1e-3 * Math.cos(step * (at % 7));
    v[at] = noise * noise * (1 + step * 1e-3);
  }
  const slots = { step, exp_avg: m, exp_avg_sq: v };
  const param_groups = [{ lr: 0.001, betas: [0.9, 0.999], params: [0] }];
  return { model: { weight: w }, optimizer: { state: { 0: slots }, param_groups }, progress: { step } };
}

function isSame(a, b) {
  const arrays = ({ model, optimizer }) => [
    model.weight,
    optimizer.state[0].exp_avg,
    optimizer.state[0].exp_avg_sq,
  ];
  const others = arrays(b);
  return arrays(a).every((array, at) => array.every((value, index) => Object.is(value, others[at][index])));
}

async function newStore(options) {
  const storage = new MemoryStorage();
  const store = await createStore(storage, { environment: environment(), chunkElements: 65_536, ...options });
  return { storage, store };
}

async function outcome(promise) {
  try {
    await promise;
    return 'saved';
  } catch (error) {
    return `${error.kind} ${error.code}`;
  }
}

const scenarios = {
  /** The digest of every object of a store after three saves. */
  async bytes(count, baseMemory) {
    const options = { workers: Number(count), ...(baseMemory && { baseMemory: Number(baseMemory) }) };
    const { storage, store } = await newStore(options);
    const run = store.run('r');
    for (const step of [10, 11, 11]) await (await run.save(state(step))).committed;
    const restored = isSame(await run.restore(), state(11));
    await store.close();
    const objects = {};
    for await (const { key } of storage.list('')) {
      const bytes = await storage.get(key).catch(() => undefined);
      if (bytes !== undefined) objects[key] = createHash('sha256').update(bytes).digest('hex');
    }
    return { objects, threads: workers.length, restored };
  },
  /** Restores into new arrays, arrays that are there already, and shared ones; twice each, so that memory is used again. */
  async restores(count) {
    const { store } = await newStore({ workers: Number(count) });
    const run = store.run('r');
    for (const step of [10, 11]) await (await run.save(state(step))).committed;
    const shared = state(1);
    shared.model.weight = new Float32Array(new SharedArrayBuffer(4 * ELEMENTS));
    const equal = [];
    for (const into of [undefined, state(1), shared]) {
      for (const step of [10, 11]) {
        const restored = await run.restore(`step:${step}`, { into });
        equal.push(isSame(restored, state(step)) && (into === undefined || isSame(into, restored)));
      }
    }
    await store.close();
    return { equal, threads: workers.length };
  },
  /** The figures of two checkpoints, one after the other full and a delta. */
  async differences(count) {
    const { store } = await newStore({ workers: Number(count) });
    for (const step of [10, 11, 30]) await (await store.run('r').save(state(step))).committed;
    const { tensors } = await store.diff('r@step:10', 'r@step:30', { norms: true });
    await store.close();
    return { tensors, threads: workers.length };
  },
  /** A thread that dies, then a save with new ones. */
  async lost() {
    const { store } = await newStore({ workers: 2 });
    const { committed } = await store.run('r').save(state(1), { onProgress: () => workers[0]?.terminate() });
    const first = await outcome(committed);
    const second = await outcome((await store.run('r').save(state(2))).committed);
    const restored = isSame(await store.run('r').restore(), state(2));
    await store.close();
    return { first, second, restored };
  },
  /** A save of a file, given by its path, that fails long before the file is digested. */
  async digesting(path) {
    const { store } = await newStore({ workers: 2 });
    let begun = 0;
    const onProgress = () => {
      begun = jobs;
      throw new ThetalogError('unavailable', 'enough', 'no more');
    };
    const first = await outcome(store.saveFiles([path], { run: 'r', onProgress }));
    const left = jobs;
    await store.close();
    return { first, begun: begun > 0, left };
  },
  /** The system refuses threads after the first `count`; if there was one, it dies, too. */
  async refused(count) {
    threadsLeft = Number(count);
    const { store } = await newStore({ workers: 2 });
    const run = store.run('r');
    const first = await outcome((await run.save(state(1))).committed);
    const dying = await run.save(state(2), { onProgress: () => workers[0]?.terminate() });
    const second = await outcome(dying.committed);
    const third = await outcome((await run.save(state(3))).committed);
    const restored = isSame(await run.restore(), state(3));
    await store.close();
    return { first, second, third, restored, threads: workers.length };
  },
  async aborted() {
    const { store } = await newStore({ workers: 2 });
    const abort = new AbortController();
    const options = { signal: abort.signal, onProgress: () => abort.abort() };
    const first = await outcome((await store.run('r').save(state(1), options)).committed);
    const second = await outcome((await store.run('r').save(state(2))).committed);
    const restored = isSame(await store.run('r').restore(), state(2));
    await store.close();
    return { first, second, restored };
  },
  /** Nobody closes the store, and yet the process ends. */
  async open() {
    const { store } = await newStore({ workers: 2 });
    return { first: await outcome((await store.run('r').save(state(1))).committed), threads: workers.length };
  },
  /** A save that is aborted at some moment; nobody closes the store, and yet the process ends. */
  async abandoned(moment, count) {
    const { store } = await newStore({ workers: Number(count) });
    const abort = new AbortController();
    const run = store.run('r');
    if (moment === 'delta') await (await run.save(state(0))).committed;
    const onProgress = () => abort.abort();
    const saving = run.save(state(1), { signal: abort.signal, ...(moment !== 'staged' && { onProgress }) });
    const { committed } = await saving;
    if (moment === 'staged') abort.abort();
    return { first: await outcome(committed), threads: workers.length };
  },
  /** A save that fails before its threads have had a job; nobody closes the store, and yet the process ends. */
  async idle() {
    const { storage, store } = await newStore({ workers: 2 });
    storage.putIfAbsent = async () => {
      throw new ThetalogError('unavailable', 'storage-failed', 'out of order');
    };
    return { first: await outcome((await store.run('r').save(state(1))).committed), threads: workers.length };
  },
};

const [name, ...args] = process.argv.slice(2);
console.log(JSON.stringify(await scenarios[name](...args)));
