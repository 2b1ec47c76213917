/**
 * Saves, restores and maintenance that are told to stop at one of their file system calls: by an AbortSignal in this process, by
 * SIGINT in a process of their own. Either way they end with `aborted` and as if they had never begun, or are done.
 */
import { deepStrictEqual, equal, ok } from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createStore, type ErrorKind, isThetalogError, openStore, type Store } from '../../src/index.js';
import { CHUNK_ELEMENTS } from '../engine/make-store.js';
import { buildModule } from './built-modules.js';
import { FaultGate } from './call-faults.js';
import { fileOf, loseFooter } from './crash-scripts.js';
import { interceptFileCalls } from './file-calls.js';

const EXECUTABLE = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const ABORTED = 130;

/** A verb as the library has it, and as the command line has it. */
export interface Interruptible {
  readonly name: string;
  run(store: Store, place: string, signal: AbortSignal): Promise<unknown>;
  args(place: string): string[];
  /** Makes the work that it is for. */
  prepare?(place: string): Promise<void>;
  /** Checkpoints that are there when it is done. */
  readonly steps: readonly number[];
  /** Files that it has written then. */
  readonly out?: readonly string[];
}

/** Steps 1 to 3 are saved, file 4 is there to be saved, and what only step 9 had is there to be collected. */
const BEFORE = [1, 2, 3];

/** Room for one of two tensors. */
const SHARD_BYTES = 3000;

export const INTERRUPTIBLE: readonly Interruptible[] = [
  {
    name: 'save',
    run: (store, place, signal) => store.saveFiles([`${place}/model-4.bin`], { run: 'r', step: 4, signal }),
    args: (place) => ['save', `${place}/model-4.bin`, '--run', 'r', '--step', '4'],
    steps: [1, 2, 3, 4],
  },
  {
    name: 'restore',
    run: (store, place, signal) => store.restoreFiles('r@step:3', { out: `${place}/out`, signal }),
    args: (place) => ['restore', 'r@step:3', '--out', `${place}/out`],
    steps: BEFORE,
    out: ['model.bin'],
  },
  {
    name: 'export',
    run: (store, place, signal) => store.export('w', { out: `${place}/out`, shardSize: SHARD_BYTES, signal }),
    args: (place) => ['export', 'w', '--out', `${place}/out`, '--shard-size', String(SHARD_BYTES)],
    prepare: async (place) => {
      const store = await openStore(`${place}/store`, { workers: 0 });
      const [a, b] = [4, 5].map((step) => new Float32Array(fileOf(step).buffer));
      await (await store.run('w').save({ model: { a, b } })).committed;
      await store.close();
    },
    steps: BEFORE,
    out: [
      'model-00001-of-00002.safetensors',
      'model-00002-of-00002.safetensors',
      'model.safetensors.index.json',
    ],
  },
  {
    name: 'gc',
    run: (store, _, signal) => store.gc({ signal }),
    args: () => ['gc'],
    steps: BEFORE,
  },
  {
    name: 'compact',
    run: (store, _, signal) => store.compact({ signal }),
    args: () => ['compact'],
    steps: BEFORE,
  },
  {
    name: 'forget',
    run: (store, _, signal) => store.forget({ refs: ['r@step:2'], signal }),
    args: () => ['forget', 'r@step:2'],
    steps: [1, 3],
  },
  {
    name: 'repair',
    run: (store, _, signal) => store.repair({ signal }),
    args: () => ['repair'],
    prepare: async (place) => {
      for (const name of readdirSync(`${place}/store/packs`))
        await loseFooter(`${place}/store/packs/${name}`);
    },
    steps: BEFORE,
  },
];

async function prepare(verb: Interruptible, place: string): Promise<void> {
  for (const name of ['tmp', 'files']) mkdirSync(`${place}/${name}`, { recursive: true });
  const store = await createStore(`${place}/store`, { chunkElements: CHUNK_ELEMENTS, workers: 0 });
  for (const step of [1, 2, 3, 9]) {
    const path = `${place}/files/model.bin`;
    writeFileSync(path, fileOf(step));
    await store.saveFiles([path], { run: step === 9 ? 'other' : 'r', step });
  }
  await store.forget({ refs: ['other@step:9'] });
  rmSync(`${place}/files`, { recursive: true });
  writeFileSync(`${place}/model-4.bin`, fileOf(4));
  await store.close();
  await verb.prepare?.(place);
}

/** A verb that has been told to stop: how often it did, and how often it was done all the same. */
export interface Interrupted {
  aborted: number;
  done: number;
}

/** Much longer than a call takes. */
const STALL_MS = 50;
/** Much longer than it takes to take back what was written. */
const PROMPT_MS = 10_000;

/** What becomes of the call at which the signal fires: it goes on, or it hangs for long and then works or fails. */
export type CallAtAbort = 'works' | 'stalls' | 'stalls and fails';

/** Fires an AbortSignal at `points` file system calls of a verb, spread evenly, or at all of them if they are fewer. */
export async function abortAtCalls(
  verb: Interruptible,
  scratch: string,
  points: number,
  becomes: CallAtAbort = 'works',
): Promise<Interrupted> {
  const template = join(scratch, 'template');
  await prepare(verb, template);
  const came: Interrupted = { aborted: 0, done: 0 };
  const attempt = async (at: number): Promise<number> => {
    const place = join(scratch, `at-${at}`);
    cpSync(template, place, { recursive: true });
    const controller = new AbortController();
    const gate = abortingGate(controller, at, becomes);
    const release = interceptFileCalls(place, gate);
    const begun = performance.now();
    let store: Store | undefined;
    const work = async () => {
      store = await openStore(`${place}/store`, { workers: 0 });
      await verb.run(store, place, controller.signal);
    };
    const kinds: ErrorKind[] = becomes === 'stalls and fails' ? ['aborted', 'unavailable'] : ['aborted'];
    const isDone = await endsWell(work(), kinds).finally(release);
    await store?.close();
    if (at <= gate.count) came[isDone ? 'done' : 'aborted'] += 1;
    const title = `${verb.name}, aborted at call ${at}, which ${becomes}`;
    ok(performance.now() - begun < PROMPT_MS, `${title}: it took too long`);
    await assertSound(verb, place, isDone, title, becomes === 'stalls and fails');
    rmSync(place, { recursive: true });
    return gate.count;
  };
  const calls = await attempt(Number.POSITIVE_INFINITY);
  const stride = Math.max(1, calls / points);
  for (let at = 1; at <= calls; at += stride) await attempt(Math.floor(at));
  rmSync(template, { recursive: true });
  return came;
}

function abortingGate(controller: AbortController, at: number, becomes: CallAtAbort): FaultGate {
  if (becomes === 'works') {
    const gate: FaultGate = new FaultGate(undefined, {
      counted: () => void (gate.count === at && controller.abort()),
    });
    return gate;
  }
  const stalled = (resume: () => void): void => {
    controller.abort();
    setTimeout(resume, STALL_MS);
  };
  const errno = becomes === 'stalls' ? undefined : 'EIO';
  return new FaultGate({ kind: 'stall', at, errno }, { stalled });
}

async function endsWell(work: Promise<unknown>, kinds: readonly ErrorKind[]): Promise<boolean> {
  try {
    await work;
    return true;
  } catch (error) {
    if (!isThetalogError(error, ...kinds)) throw error;
    return false;
  }
}

/** Sends SIGINT at `points` file system calls of a command, spread evenly from the first one on. */
export async function interruptCommand(
  verb: Interruptible,
  scratch: string,
  points: number,
): Promise<Interrupted> {
  const template = join(scratch, 'template');
  await prepare(verb, template);
  const hook = buildModule(join(import.meta.dirname, 'interrupted-process.ts'), join(scratch, 'program'));
  const came: Interrupted = { aborted: 0, done: 0 };
  const attempt = async (at: number): Promise<number> => {
    const place = join(scratch, `at-${at}`);
    cpSync(template, place, { recursive: true });
    const title = `${verb.name}, SIGINT at call ${at}`;
    const { code, calls } = await runInterrupted(verb, hook, place, at, 1);
    ok(code === 0 || (at > 0 && code === ABORTED), `${title}: exit ${code}`);
    if (at > 0) came[code === 0 ? 'done' : 'aborted'] += 1;
    await assertSound(verb, place, code === 0, title);
    rmSync(place, { recursive: true });
    return calls;
  };
  const calls = await attempt(0);
  for (let point = 0; point < points; point++) await attempt(1 + Math.floor((point * calls) / points));
  rmSync(template, { recursive: true });
  return came;
}

/** Sends SIGINT twice while a call never ends; the store must be sound. Returns the exit code. */
export async function interruptTwice(verb: Interruptible, scratch: string): Promise<number> {
  const place = join(scratch, 'twice');
  await prepare(verb, place);
  const hook = buildModule(join(import.meta.dirname, 'interrupted-process.ts'), join(scratch, 'program'));
  const { code } = await runInterrupted(verb, hook, place, 5, 2);
  const store = await openStore(`${place}/store`, { workers: 0 });
  // What was to be repaired is damaged still.
  if (verb.prepare !== undefined) await store.repair();
  deepStrictEqual((await store.check({ readData: 100 })).damaged, []);
  deepStrictEqual(await stepsOf(store), BEFORE);
  await store.close();
  return code ?? -1;
}

async function runInterrupted(
  verb: Interruptible,
  hook: string,
  place: string,
  at: number,
  signals: number,
): Promise<{ code: number | null; calls: number }> {
  const counted = `${place}/tmp/calls`;
  const env = {
    ...process.env,
    TMPDIR: `${place}/tmp`,
    THETALOG_STORE: `${place}/store`,
    INTERRUPTED: JSON.stringify({ place, at, signals, counted }),
  };
  const child = spawn(process.execPath, ['--import', hook, EXECUTABLE, ...verb.args(place)], {
    env,
    stdio: 'ignore',
  });
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
  const calls = Number(readFileSync(counted, 'utf8'));
  rmSync(counted);
  return { code, calls };
}

async function stepsOf(store: Store): Promise<(number | null)[]> {
  return (await store.list({ run: 'r' })).map(({ step }) => step).sort((a, b) => Number(a) - Number(b));
}

/** The store is sound, has what it must have, and nothing temporary is left anywhere, unless a call could not remove it. */
async function assertSound(
  verb: Interruptible,
  place: string,
  isDone: boolean,
  title: string,
  hadFailure = false,
): Promise<void> {
  const store = await openStore(`${place}/store`, { workers: 0 });
  if (verb.prepare !== undefined && !isDone) {
    if (!hadFailure) deepStrictEqual(storedFiles(place), storedFiles(join(place, '../template')), title);
    await store.repair();
  }
  deepStrictEqual((await store.check({ readData: 100 })).damaged, [], title);
  deepStrictEqual(await stepsOf(store), isDone ? verb.steps : BEFORE, title);
  if (!hadFailure) await assertNothingLeft(verb, place, isDone, title, store);
  await store.close();
}

async function assertNothingLeft(
  verb: Interruptible,
  place: string,
  isDone: boolean,
  title: string,
  store: Store,
): Promise<void> {
  for (const name of ['tmp', 'leases']) deepStrictEqual(filesIn(`${place}/store/${name}`), [], title);
  deepStrictEqual(filesIn(`${place}/tmp`), [], title);
  const written = isDone ? verb.out : undefined;
  equal(existsSync(`${place}/out`), written !== undefined, `${title}: out`);
  if (written !== undefined) deepStrictEqual(readdirSync(`${place}/out`).sort(), written, title);
  if (verb.name === 'restore' && isDone) {
    ok(readFileSync(`${place}/out/model.bin`).equals(fileOf(3)), title);
  }
  // What was not to be collected before is not there to be collected after, other than what was replaced.
  if (!isDone && verb.prepare === undefined) {
    const { objects } = await store.gc();
    ok(verb.name === 'gc' ? objects <= COLLECTABLE : objects === COLLECTABLE, `${title}: ${objects} left`);
  }
}

/** Objects of the checkpoint that was forgotten before. */
const COLLECTABLE = 3;

function storedFiles(place: string): string[] {
  return (readdirSync(`${place}/store`, { recursive: true }) as string[]).sort();
}

function filesIn(path: string): string[] {
  return existsSync(path) ? readdirSync(path) : [];
}
