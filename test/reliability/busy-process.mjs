/**
 * One of several processes on one store: saves states and files, restores, forgets, tags, forks, collects and compacts at
 * random until told to stop, and writes down, synced, what the store acknowledged. Every state and file carries a token.
 * Usage: node busy-process.mjs STORE SCRATCH NAME SEED UNTIL (ms since 1970)
 */
import { appendFileSync, closeSync, fsyncSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { isThetalogError, openStore } from '../../dist/index.js';
import { fileOf, isExact, stateOf } from './token-content.mjs';

const [location, scratch, name, seed, until] = process.argv.slice(2);
const store = await openStore(location, { workers: 0 });
const log = openSync(join(scratch, `${name}.log`), 'a');
const RUNS = ['a', 'b', 'c'];
/** What may happen to an operation that others interfere with. */
const EXPECTED = ['not-found', 'conflict'];

let state = Number(seed) >>> 0 || 1;
function random(limit) {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return Math.floor((state / 2 ** 32) * limit);
}

/** Synced before anything else happens: what is in the log has happened, and may be all that is left of this process. */
function write(entry) {
  writeSync(log, `${JSON.stringify(entry)}\n`);
  fsyncSync(log);
}

let counter = 0;
function newToken() {
  counter += 1;
  return `${name}-${process.pid}-${counter}`;
}

async function saveState() {
  const token = newToken();
  const run = RUNS[random(RUNS.length)];
  const { id } = await (await store.run(run).save(stateOf(token), { meta: { token } })).committed;
  write({ saved: id, run, token });
}

async function saveFile() {
  const token = newToken();
  const run = RUNS[random(RUNS.length)];
  const file = join(scratch, `${name}.bin`);
  writeFileSync(file, fileOf(token));
  const { id } = await store.saveFiles([file], { run, meta: { token } });
  write({ saved: id, run, token });
}

async function someCheckpoint() {
  const all = await store.list();
  return all.length === 0 ? undefined : all[random(all.length)];
}

async function restore() {
  const info = await someCheckpoint();
  if (info === undefined) return;
  if (!(await isExact(store, info, join(scratch, `${name}.out`))))
    throw new Error(`${info.id} came back with other bytes`);
  write({ restored: info.id });
}

async function forget() {
  const all = await store.list();
  if (all.length < 12) return;
  const doomed = all[random(all.length)];
  write({ forgetting: doomed.id });
  await store.forget({ refs: [doomed.id] });
}

async function tag() {
  const info = await someCheckpoint();
  if (info !== undefined) await store.tag(info.id, `${name}-${random(3)}`);
}

async function fork() {
  const info = await someCheckpoint();
  if (info === undefined) return;
  const run = `fork-${name}-${random(4)}`;
  const made = await store.fork(info.id, run);
  write({ forked: made.id, run });
}

const ACTIONS = [
  saveState,
  saveState,
  saveState,
  saveFile,
  saveFile,
  restore,
  restore,
  forget,
  forget,
  tag,
  fork,
];
const RARE = [
  () => store.gc(),
  () => store.gc(),
  () => store.compact(),
  () => store.untag(`${name}-${random(3)}`),
];

while (Date.now() < Number(until)) {
  const action = random(10) === 0 ? RARE[random(RARE.length)] : ACTIONS[random(ACTIONS.length)];
  try {
    await action();
  } catch (error) {
    if (isThetalogError(error, ...EXPECTED)) continue;
    appendFileSync(join(scratch, 'failures'), `${name} ${action.name}: ${error.stack}\n`);
    process.exit(1);
  }
}
await store.close();
closeSync(log);
