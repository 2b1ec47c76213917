/**
 * Saves and restores of several packs with worker threads, on a storage whose calls fail from the n-th on, for all n (of reads for
 * every STRIDE-th). Each must reject soon, hold this process by nothing, and let the store be closed.
 * Usage: node faulty-storage-process.mjs FOLDER STRIDE; prints JSON.
 */
import { deepStrictEqual, equal, ok } from 'node:assert/strict';
import { randomFillSync } from 'node:crypto';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createStore, isThetalogError, MemoryStorage, openStore, ThetalogError } from '../../dist/index.js';

const [folder, stride] = process.argv.slice(2);
/** What takes longer than this hangs; seconds, or several on a machine that has much else to do. */
const PATIENCE_MS = 30_000;
const WORKERS = 2;
/** Random bits of three tensors: two packs of 32 MiB and more. */
const TENSOR_BYTES = 26 * 2 ** 20;
/** How late a failure comes: at once, and when jobs are under way that nobody will wait for. */
const DELAYS_MS = [0, 15];

const state = Object.fromEntries(
  ['a', 'b', 'c'].map((name) => [
    name,
    new Float32Array(randomFillSync(new Uint8Array(TENSOR_BYTES)).buffer),
  ]),
);
const file = join(folder, 'state.safetensors');
writeSafetensors(file);

function writeSafetensors(path) {
  const entries = Object.keys(state).map((name, at) => {
    const data_offsets = [at * TENSOR_BYTES, (at + 1) * TENSOR_BYTES];
    return [name, { dtype: 'F32', shape: [TENSOR_BYTES / 4], data_offsets }];
  });
  const header = Buffer.from(JSON.stringify(Object.fromEntries(entries)));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  writeFileSync(
    path,
    Buffer.concat([length, header, ...Object.values(state).map(({ buffer }) => new Uint8Array(buffer))]),
  );
}

/** Fails its writes, or its reads, from one of them on. */
class FaultyStorage extends MemoryStorage {
  packs = 0;
  published = false;
  #kind;
  #left = Number.POSITIVE_INFINITY;
  #delay = 0;

  failFrom(kind, call) {
    this.#kind = kind;
    this.#left = call;
    this.#delay = DELAYS_MS[call % DELAYS_MS.length];
    this.packs = 0;
    this.published = false;
  }

  async #pass(kind) {
    if (kind !== this.#kind) return;
    this.#left -= 1;
    if (this.#left > 0) return;
    await sleep(this.#delay);
    throw new ThetalogError('unavailable', 'storage-failed', 'out of order');
  }

  async get(...args) {
    await this.#pass('reads');
    return super.get(...args);
  }
  async getVersioned(key) {
    await this.#pass('reads');
    return super.getVersioned(key);
  }
  async putIfAbsent(key, parts) {
    await this.#pass('writes');
    if (key.startsWith('packs/')) this.packs += 1;
    return super.putIfAbsent(key, parts);
  }
  async putIfMatch(...args) {
    await this.#pass('writes');
    this.published = true;
    return super.putIfMatch(...args);
  }
  async delete(key) {
    await this.#pass('writes');
    return super.delete(key);
  }
}

const out = join(folder, 'out');
const OPERATIONS = [
  { name: 'save of files', kind: 'writes', run: (store) => store.saveFiles([file], { run: 'files' }) },
  {
    name: 'save of a state',
    kind: 'writes',
    run: async (store) => (await store.run('state').save(state)).committed,
  },
  {
    name: 'restore to files',
    kind: 'reads',
    run: (store) => store.restoreFiles('files', { out, force: true }),
  },
  {
    name: 'restore of a state',
    kind: 'reads',
    run: async (store) => isSame(await store.run('state').restore()),
  },
  {
    name: 'restore into arrays',
    kind: 'reads',
    run: async (store) => isSame(await store.run('state').restore('latest', { into: zeros() })),
  },
];

function zeros() {
  return Object.fromEntries(Object.keys(state).map((name) => [name, new Float32Array(TENSOR_BYTES / 4)]));
}

function isSame(restored) {
  for (const [name, { buffer }] of Object.entries(state))
    ok(Buffer.from(restored[name].buffer).equals(Buffer.from(buffer)), name);
}

async function inTime(what, promise) {
  const done = new AbortController();
  const late = sleep(PATIENCE_MS, undefined, { signal: done.signal }).then(
    () => Promise.reject(new Error(`${what} takes for ever`)),
    () => {},
  );
  try {
    return await Promise.race([promise, late]);
  } finally {
    done.abort();
  }
}

/** Waits until nothing of the pool holds this process. */
async function released(what) {
  const isHeld = () => process.getActiveResourcesInfo().includes('MessagePort');
  for (let waited = 0; isHeld(); waited += 10) {
    ok(waited < PATIENCE_MS, `${what} holds the process`);
    await sleep(10);
  }
}

/** Returns whether the operation was done all the same. */
async function attempt({ name, kind, run }, storage, call) {
  const what = `${name}, ${kind} failing from call ${call} on`;
  const store = await openStore(storage, { workers: WORKERS });
  storage.failFrom(kind, call);
  const done = await inTime(what, run(store)).then(
    () => true,
    (error) => {
      ok(isThetalogError(error, 'unavailable'), `${what}: ${error.stack}`);
      return false;
    },
  );
  if (kind === 'writes') equal(done, storage.published, what);
  await released(what);
  await inTime(`closing after ${what}`, store.close());
  storage.failFrom(undefined, 0);
  return done;
}

const storage = new FaultyStorage();
await (await createStore(storage)).close();
const cases = {};
for (const operation of OPERATIONS) {
  const step = operation.kind === 'reads' ? Number(stride) : 1;
  cases[operation.name] = 0;
  for (let call = 1; !(await attempt(operation, storage, call)); call += step) cases[operation.name] += 1;
}
ok(readFileSync(join(out, 'state.safetensors')).equals(readFileSync(file)));
rmSync(out, { recursive: true });
const store = await openStore(storage, { workers: WORKERS });
deepStrictEqual((await store.check({ readData: 100 })).damaged, []);
console.log(JSON.stringify({ cases, packs: (await store.stats()).packs }));
// Nobody closes the store, and yet this process must end.
