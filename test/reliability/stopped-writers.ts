/** Writers that stop at a storage call while another process collects without grace, or take turns with it at random. */
import {
  createStore,
  isThetalogError,
  MemoryStorage,
  openStore,
  type Storage,
  type Store,
} from '../../src/index.js';
import { CHUNK_ELEMENTS } from '../engine/make-store.js';
import { HookedStorage } from '../maintenance/hooked-storage.js';
import { expectationOf, expectSurvived } from './crash-oracle.js';
import { environmentOf, footerStart, type JournalEntry, stateOf } from './crash-scripts.js';
import { seededRandom } from './seeded-random.js';

type Note = (entry: JournalEntry) => void;

export interface WriterScript {
  readonly name: string;
  /** It begins with a store in which no pack has its footer. */
  readonly damaged?: boolean;
  run(store: Store, note: Note): Promise<void>;
}

/** Whoever loses to a collection too often, or finds what it works on forgotten, gives up with one of these. */
const GIVING_UP = ['conflict', 'not-found'] as const;

async function attempt(
  note: Note,
  verb: JournalEntry['verb'],
  keys: string[],
  action: () => Promise<unknown>,
): Promise<void> {
  note({ kind: 'begin', verb, keys });
  try {
    await action();
    note({ kind: 'ack', verb, keys });
  } catch (error) {
    if (!isThetalogError(error, ...GIVING_UP)) throw error;
    note({ kind: 'fail', verb, keys });
  }
}

function save(store: Store, note: Note, run: string, step: number): Promise<void> {
  return attempt(note, 'save', [`${run}:${step}`], async () => {
    await (await store.run(run).save(stateOf(step), { step })).committed;
  });
}

function forget(store: Store, note: Note, run: string, step: number): Promise<void> {
  return attempt(note, 'forget', [`${run}:${step}`], () => store.forget({ refs: [`${run}@step:${step}`] }));
}

export const WRITER_SCRIPTS: readonly WriterScript[] = [
  { name: 'save', run: (store, note) => save(store, note, 'a', 3) },
  { name: 'compact', run: (store, note) => attempt(note, 'other', [], () => store.compact()) },
  {
    name: 'forget, fork and save',
    run: async (store, note) => {
      await forget(store, note, 'b', 0);
      await attempt(note, 'save', ['c:2'], () => store.fork('a@step:2', 'c'));
      await save(store, note, 'c', 4);
    },
  },
  {
    name: 'repair',
    damaged: true,
    run: (store, note) => attempt(note, 'repair', [], () => store.repair()),
  },
];

interface Prepared {
  readonly storage: MemoryStorage;
  readonly journal: JournalEntry[];
}

async function prepared(): Promise<Prepared> {
  const storage = new MemoryStorage();
  const journal: JournalEntry[] = [];
  const options = { chunkElements: CHUNK_ELEMENTS, environment: environmentOf(1), workers: 0 };
  const store = await createStore(storage, options);
  for (const step of [0, 1, 2]) await save(store, (entry) => journal.push(entry), 'a', step);
  await save(store, (entry) => journal.push(entry), 'b', 0);
  return { storage, journal };
}

/** Copies a store; `change` may change the bytes of its objects, the root apart. */
export async function copyOf(
  storage: Storage,
  change: (key: string, bytes: Uint8Array) => void = () => {},
): Promise<MemoryStorage> {
  const copy = new MemoryStorage();
  for await (const { key } of storage.list('')) {
    const bytes = await (key === 'root' ? undefined : storage.get(key));
    if (bytes === undefined) continue;
    change(key, bytes);
    await copy.putIfAbsent(key, [bytes]);
  }
  const root = await storage.getVersioned('root');
  if (root !== undefined) await copy.putIfMatch('root', root.bytes, undefined);
  return copy;
}

/** A seed is also the weeks by which a clock is ahead: for the later one all leases have run out. */
function open(storage: Storage, seed: number): Promise<Store> {
  return openStore(storage, { environment: environmentOf(seed), workers: 0 });
}

async function damaged({ storage, journal }: Prepared): Promise<Prepared> {
  const copy = await copyOf(storage, (key, bytes) => {
    if (key.startsWith('packs/')) bytes[footerStart(bytes) + 30] ^= 4;
  });
  const keys = journal.flatMap((entry) => entry.keys);
  return { storage: copy, journal: [...journal, { kind: 'ack', verb: 'damage', keys }] };
}

/** Stops a writer once at each of its storage calls; returns how many there were. */
export async function stopAtEveryCall(script: WriterScript): Promise<number> {
  const sound = await prepared();
  const { storage, journal } = script.damaged === true ? await damaged(sound) : sound;
  const counting = new HookedStorage(await copyOf(storage), async () => {});
  await script.run(await open(counting, 2), () => {});
  for (let at = 1; at <= counting.calls; at++) {
    const copy = await copyOf(storage);
    const entries = [...journal];
    const note: Note = (entry) => void entries.push(entry);
    const hooked = new HookedStorage(copy, async () => {
      if (hooked.calls !== at) return;
      const collector = await open(copy, 30);
      if (script.damaged === true) {
        await attempt(note, 'repair', [], () => collector.repair());
        await save(collector, note, 'd', 5);
      }
      for (const step of at % 2 === 0 ? [1, 2] : [0, 1, 2]) await forget(collector, note, 'a', step);
      if (at % 3 === 0) await attempt(note, 'other', [], () => collector.compact());
      await collector.gc();
    });
    await script.run(await open(hooked, 2), note);
    await survived(copy, entries, `${script.name}, stopped at call ${at}`);
  }
  return counting.calls;
}

async function survived(storage: Storage, journal: JournalEntry[], title: string): Promise<void> {
  try {
    await expectSurvived(storage, '/nowhere', expectationOf(journal));
  } catch (error) {
    throw new Error(`${title}: ${String(error)}`, { cause: error });
  }
}

/** Two writers, a collector that forgets and collects twice, and a reader take turns, call by call. */
export async function takeTurns(schedules: number): Promise<number> {
  const { storage, journal } = await prepared();
  for (let seed = 1; seed <= schedules; seed++) {
    const copy = await copyOf(storage);
    const entries = [...journal];
    const note: Note = (entry) => void entries.push(entry);
    const turns = new Turns(seededRandom(seed));
    const actor = (number: number) => open(new HookedStorage(copy, () => turns.wait()), number);
    const [writer, other, collector, reader] = await Promise.all([2, 3, 30, 4].map(actor));
    await turns.play(() => [
      WRITER_SCRIPTS[seed % WRITER_SCRIPTS.length].run(writer, note),
      save(other, note, 'b', 5),
      collect(collector, note),
      read(reader),
    ]);
    await survived(copy, entries, `schedule ${seed}`);
  }
  return schedules;
}

async function collect(store: Store, note: Note): Promise<void> {
  await forget(store, note, 'a', 1);
  await store.gc();
  await forget(store, note, 'a', 2);
  await store.gc();
}

async function read(store: Store): Promise<void> {
  for (const ref of ['step:0', 'step:2', 'latest']) {
    const state = await store
      .run('a')
      .restore(ref)
      .catch((error: unknown) => {
        if (!isThetalogError(error, 'not-found')) throw error;
      });
    if (state === undefined && ref === 'step:0') throw new Error('step 0 is lost');
  }
}

/** Lets one of the calls that wait go on at a time. */
class Turns {
  private readonly waiting: (() => void)[] = [];
  private readonly random: (limit: number) => number;
  private playing = false;

  constructor(random: (limit: number) => number) {
    this.random = random;
  }

  wait(): Promise<void> {
    if (!this.playing) return Promise.resolve();
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  /** Starts the actors and ends when all have ended. */
  async play(start: () => Promise<void>[]): Promise<void> {
    this.playing = true;
    const actors = start();
    let left = actors.length;
    const all = Promise.all(
      actors.map((actor) =>
        actor.finally(() => {
          left -= 1;
        }),
      ),
    );
    all.catch(() => {});
    while (left > 0) {
      await new Promise(setImmediate);
      if (this.waiting.length > 0) this.waiting.splice(this.random(this.waiting.length), 1)[0]();
    }
    await all;
  }
}
