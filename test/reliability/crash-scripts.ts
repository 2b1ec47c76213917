/** What a program does to a store in the crash suites, with a journal of what was begun and what was acknowledged. */
import { mkdir, open, readdir } from 'node:fs/promises';
import { createStore, isThetalogError, openStore, type StateValue, type Store } from '../../src/index.js';
import { CHUNK_ELEMENTS, TestEnvironment } from '../engine/make-store.js';
import { randomNumbers } from '../engine/training-state.js';

/**
 * A line of the journal. A checkpoint's key is `run:step`; a restore's keys are paths that may be written, a damage's are
 * checkpoints that need a repair.
 */
export interface JournalEntry {
  readonly kind: 'begin' | 'ack' | 'fail';
  readonly verb: 'create' | 'save' | 'forget' | 'restore' | 'damage' | 'repair' | 'other';
  readonly keys: readonly string[];
}

export interface Session {
  /** The directory of the store; it need not exist. */
  readonly location: string;
  /** A directory for the user's files; it exists. */
  readonly folder: string;
  /** Different for each session on one store: names of objects are made of it. */
  readonly seed: number;
  note(entry: JournalEntry): void;
}

export interface CrashScript {
  readonly name: string;
  /** Makes the store on which the script runs; no faults happen in it. */
  prepare(session: Session): Promise<void>;
  /** Goes on after errors, as a training program may. */
  run(session: Session): Promise<void>;
}

/** A state of a few chunks, of which some change in each step, the same for the same step. */
export function stateOf(step: number): StateValue {
  return {
    model: { weight: drifting(CHUNK_ELEMENTS + 100, 1, step), frozen: drifting(CHUNK_ELEMENTS, 2, 0) },
    optimizer: { state: { 0: { exp_avg: drifting(600, 3, step) } } },
    progress: { step },
  };
}

/** Content of the user's file, mostly the same in all steps. */
export function fileOf(step: number): Uint8Array {
  const next = randomNumbers(7);
  return Uint8Array.from({ length: 2500 }, (_, index) => (index % 97 === step ? step : next() * 256));
}

function drifting(length: number, seed: number, step: number): Float32Array {
  const next = randomNumbers(seed);
  return Float32Array.from({ length }, () => (next() - 0.5) * (1 + step * 0.0001 * next()));
}

/** A week later, so that no lease of another session is alive. */
export function environmentOf(seed: number): TestEnvironment {
  const environment = new TestEnvironment(seed);
  environment.clock += seed * 7 * 24 * 3_600_000;
  return environment;
}

/**
 * Does one verb and writes it down. A failure of the storage is one of the outcomes, and that what should be restored was
 * not saved; any other error ends the script and fails the test.
 */
async function attempt(
  session: Session,
  verb: JournalEntry['verb'],
  keys: readonly string[],
  action: () => Promise<unknown>,
): Promise<void> {
  session.note({ kind: 'begin', verb, keys });
  try {
    await action();
    session.note({ kind: 'ack', verb, keys });
  } catch (error) {
    const expected =
      verb === 'restore' ? (['unavailable', 'not-found'] as const) : (['unavailable'] as const);
    if (!isThetalogError(error, ...expected)) throw error;
    session.note({ kind: 'fail', verb, keys });
  }
}

async function opened(session: Session): Promise<Store | undefined> {
  try {
    return await openStore(session.location, { environment: environmentOf(session.seed), workers: 0 });
  } catch (error) {
    if (!isThetalogError(error, 'unavailable')) throw error;
    return undefined;
  }
}

/** Opens the store, does the work and closes it; nothing is done if it cannot be opened. */
async function withStore(session: Session, work: (store: Store) => Promise<void>): Promise<void> {
  const store = await opened(session);
  if (store === undefined) return;
  await work(store);
  await store.close().catch(() => {});
}

async function make(session: Session): Promise<void> {
  const environment = environmentOf(session.seed);
  const options = { chunkElements: CHUNK_ELEMENTS, environment, workers: 0 };
  await attempt(session, 'create', [], async () => {
    await (await createStore(session.location, options)).close();
  });
}

async function saveState(session: Session, store: Store, run: string, step: number): Promise<void> {
  await attempt(session, 'save', [`${run}:${step}`], async () => {
    await (await store.run(run).save(stateOf(step), { step })).committed;
  });
}

async function forget(session: Session, store: Store, run: string, steps: number[]): Promise<void> {
  const keys = steps.map((step) => `${run}:${step}`);
  await attempt(session, 'forget', keys, async () => {
    const present = (await store.list({ run })).filter(({ step }) => steps.includes(step ?? -1));
    await store.forget({ refs: present.map(({ id }) => id) });
  });
}

async function writeUserFile(session: Session, step: number): Promise<string> {
  const path = `${session.folder}/model-${step}.bin`;
  const file = await open(path, 'wx');
  await file.writev([fileOf(step)]);
  await file.sync();
  await file.close();
  return path;
}

async function saveUserFile(session: Session, store: Store, step: number): Promise<void> {
  const path = `${session.folder}/model-${step}.bin`;
  await attempt(session, 'save', [`files:${step}`], () => store.saveFiles([path], { run: 'files', step }));
}

async function restoreUserFile(session: Session, store: Store, step: number): Promise<void> {
  const out = `${session.folder}/out`;
  await attempt(session, 'restore', [`${out}/model-${step}.bin`], () =>
    store.restoreFiles(`files@step:${step}`, { out, force: true }),
  );
}

const saving: CrashScript = {
  name: 'create and save states',
  prepare: async () => {},
  run: async (session) => {
    await make(session);
    await withStore(session, async (store) => {
      for (const step of [0, 1]) await saveState(session, store, 'a', step);
      await attempt(session, 'other', [], () => store.tag('a@latest', 'best'));
    }).catch(unlessUnmade);
  },
};

/** A store that could not be made cannot be opened. */
function unlessUnmade(error: unknown): void {
  if (!isThetalogError(error, 'not-found')) throw error;
}

const maintaining: CrashScript = {
  name: 'forget, compact, gc',
  prepare: async (session) => {
    await make(session);
    await withStore(session, async (store) => {
      for (const step of [0, 1, 2]) await saveState(session, store, 'a', step);
    });
  },
  run: (session) =>
    withStore(session, async (store) => {
      await forget(session, store, 'a', [0, 1]);
      await attempt(session, 'other', [], () => store.compact());
      await attempt(session, 'other', [], () => store.gc());
      await saveState(session, store, 'a', 3);
    }),
};

const filing: CrashScript = {
  name: 'save and restore files',
  prepare: async (session) => {
    for (const step of [1, 2]) await writeUserFile(session, step);
    await mkdir(`${session.folder}/out`);
    await make(session);
    await withStore(session, (store) => saveUserFile(session, store, 1));
  },
  run: (session) =>
    withStore(session, async (store) => {
      await restoreUserFile(session, store, 1);
      await saveUserFile(session, store, 2);
      await restoreUserFile(session, store, 2);
    }),
};

const TRAILER_BYTES = 16;

/** The footer of the second pack is lost, and with it its index; the first pack does not begin like one. */
const repairing: CrashScript = {
  name: 'repair',
  prepare: async (session) => {
    await make(session);
    const packs: string[] = [];
    await withStore(session, async (store) => {
      for (const step of [0, 1, 2]) {
        await saveState(session, store, 'a', step);
        const names = await readdir(`${session.location}/packs`);
        packs.push(...names.filter((name) => !packs.includes(name)));
      }
    });
    await flipBit(`${session.location}/packs/${packs[0]}`, () => 0);
    await loseFooter(`${session.location}/packs/${packs[1]}`);
    session.note({ kind: 'ack', verb: 'damage', keys: ['a:1', 'a:2'] });
  },
  run: (session) =>
    withStore(session, async (store) => {
      await attempt(session, 'repair', [], () => store.repair());
      await saveState(session, store, 'b', 3);
    }),
};

/** Where the footer of a pack begins, as the trailer at its end says. */
export function footerStart(pack: Uint8Array): number {
  const at = pack.byteOffset + pack.byteLength - TRAILER_BYTES;
  return Number(new DataView(pack.buffer).getBigUint64(at, true));
}

/** Damages the footer of a pack; its copy at the beginning stays. */
export function loseFooter(path: string): Promise<void> {
  return flipBit(path, (pack) => footerStart(pack) + 30);
}

async function flipBit(path: string, offsetIn: (bytes: Uint8Array) => number): Promise<void> {
  const file = await open(path, 'r+');
  const { size } = await file.stat();
  const bytes = new Uint8Array(size);
  await file.read(bytes, 0, size, 0);
  const offset = offsetIn(bytes);
  bytes[offset] ^= 4;
  await file.write(bytes, offset, 1, offset);
  await file.close();
}

/** Everything that writes to a store belongs into one of these scripts. */
export const CRASH_SCRIPTS: readonly CrashScript[] = [saving, maintaining, filing, repairing];

/** Returns the paths below the folder of restored files. */
export async function restoredFiles(folder: string): Promise<string[]> {
  return (await readdir(`${folder}/out`).catch(() => [])).map((name) => `${folder}/out/${name}`);
}
