/** Random commands on a store and on a plain map of what it should hold. */
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { expect } from 'vitest';
import { isThetalogError, keep, MemoryStorage, type Store } from '../../src/index.js';
import { makeStore, openAgain } from '../engine/make-store.js';
import { type TrainingState, trainingState } from '../engine/training-state.js';

interface Expected {
  id: string;
  run: string;
  step: number;
  state: TrainingState;
  /** Groups that are left, of those that training states have. */
  left: readonly StateGroup[];
}

const STATE_GROUPS = ['model', 'optimizer'] as const;
type StateGroup = (typeof STATE_GROUPS)[number];

/** What the store should hold: live checkpoints, oldest first within a run. */
interface StoreModel {
  checkpoints: Expected[];
  /** Name to checkpoint id. */
  tags: Map<string, string>;
  pins: Set<string>;
}

interface StoreUnderTest {
  store: Store;
  /** Opens the store again, as another process would. */
  reopen(): Promise<Store>;
}

type StoreCommand = fc.AsyncCommand<StoreModel, StoreUnderTest>;

const RUNS = ['a', 'b', 'c'];
const TAGS = ['x', 'y'];

function command(
  name: string,
  run: (model: StoreModel, real: StoreUnderTest) => Promise<void>,
  check: (model: Readonly<StoreModel>) => boolean = () => true,
): StoreCommand {
  return { check, run, toString: () => name };
}

function hasAny(model: Readonly<StoreModel>): boolean {
  return model.checkpoints.length > 0;
}

/** Picks a live checkpoint; `at` is any number. */
function pick(model: Readonly<StoreModel>, at: number): Expected {
  return model.checkpoints[at % model.checkpoints.length];
}

function isProtected(model: Readonly<StoreModel>, id: string): boolean {
  return model.pins.has(id) || [...model.tags.values()].includes(id);
}

function save(run: string, step: number, seed: number): StoreCommand {
  return command(`save ${run} step ${step} seed ${seed}`, async (model, { store }) => {
    const state = trainingState(step, seed);
    const { id } = await (await store.run(run).save(state)).committed;
    model.checkpoints.push({ id, run, step, state, left: STATE_GROUPS });
  });
}

/** Whatever is left comes back, bit for bit, and nothing else. */
async function expectRestores({ id, run, state, left }: Expected, store: Store): Promise<void> {
  const isWhole = left.length === STATE_GROUPS.length;
  const { model, optimizer } = state;
  const rest = {
    ...state,
    model: left.includes('model') ? model : {},
    optimizer: left.includes('optimizer') ? optimizer : withoutMoments(state),
  };
  expect(await store.run(run).restore(id, isWhole ? {} : { groups: [...left] })).toEqual(rest);
  if (!isWhole) await expect(store.run(run).restore(id)).rejects.toMatchObject({ code: 'group-dropped' });
}

function withoutMoments({
  progress,
  optimizer: { param_groups },
}: TrainingState): TrainingState['optimizer'] {
  return { state: { 0: { step: (progress as { step: number }).step } }, param_groups };
}

function restore(at: number): StoreCommand {
  return command(
    `restore #${at}`,
    async (model, { store }) => {
      await expectRestores(pick(model, at), store);
    },
    hasAny,
  );
}

function forgetOne(at: number): StoreCommand {
  return command(
    `forget #${at}`,
    async (model, { store }) => {
      const { id } = pick(model, at);
      const outcome = await store.forget({ refs: [id] }).then(
        () => 'done',
        (error: unknown) => (isThetalogError(error) ? error.kind : 'untyped'),
      );
      expect(outcome).toBe(isProtected(model, id) ? 'conflict' : 'done');
      if (outcome === 'done') model.checkpoints = model.checkpoints.filter((item) => item.id !== id);
    },
    hasAny,
  );
}

function forgetAllBut(last: number, every: number): StoreCommand {
  return command(`forget --keep-last ${last} --keep-every ${every}`, async (model, { store }) => {
    await store.forget({ keep: [keep.last(last), keep.every(every)] });
    model.checkpoints = model.checkpoints.filter((item) => {
      const ofRun = model.checkpoints.filter(({ run }) => run === item.run);
      const recent = ofRun.slice(-last).includes(item);
      const newest = ofRun.findLast(({ step }) => step === item.step) === item;
      return recent || (newest && item.step % every === 0) || isProtected(model, item.id);
    });
  });
}

function dropAllBut(at: number, group: StateGroup): StoreCommand {
  return command(
    `forget #${at} --keep-groups ${group}`,
    async (model, { store }) => {
      const item = pick(model, at);
      const outcome = await store.forget({ refs: [item.id], keepGroups: [group] }).then(
        () => 'done',
        (error: unknown) => (isThetalogError(error) ? error.kind : 'untyped'),
      );
      const possible = item.left.includes(group) ? 'done' : 'invalid';
      expect(outcome).toBe(isProtected(model, item.id) ? 'conflict' : possible);
      if (outcome === 'done') item.left = [group];
    },
    hasAny,
  );
}

function dropOldMoments(whole: number): StoreCommand {
  return command(`forget --keep-last ${whole} --keep-groups model:last=9`, async (model, { store }) => {
    await store.forget({ keep: [keep.last(whole), keep.groups(['model']).last(9)] });
    model.checkpoints = model.checkpoints.filter((item) => {
      if (isProtected(model, item.id)) return true;
      const ofRun = model.checkpoints.filter(({ run }) => run === item.run);
      if (ofRun.slice(-whole).includes(item)) return true;
      const weights = ofRun.filter(({ left }) => left.includes('model')).slice(-9);
      if (!weights.includes(item)) return false;
      item.left = ['model'];
      return true;
    });
  });
}

function diff(a: number, b: number): StoreCommand {
  return command(
    `diff #${a} #${b}`,
    async (model, { store }) => {
      const [before, after] = [pick(model, a), pick(model, b)];
      const { tensors } = await store.diff(before.id, after.id, { norms: a > b });
      const both = before.left.filter((group) => after.left.includes(group));
      expect(new Set(tensors.map(({ group }) => group))).toEqual(new Set(both));
      for (const { name, change, group } of tensors) {
        if (group !== 'model') continue;
        const [from, to] = [before, after].map(({ state }) => state.model[name.slice('model.'.length)]);
        expect([name, change]).toEqual([name, isDeepStrictEqual(from, to) ? 'equal' : 'changed']);
      }
    },
    hasAny,
  );
}

function tag(at: number, name: string): StoreCommand {
  return command(
    `tag #${at} ${name}`,
    async (model, { store }) => {
      const { id } = pick(model, at);
      const present = model.tags.get(name);
      const tagging = store.tag(id, name);
      if (present !== undefined && present !== id) {
        await expect(tagging).rejects.toMatchObject({ kind: 'conflict' });
      } else {
        await tagging;
        model.tags.set(name, id);
        expect((await store.show(name)).id).toBe(id);
      }
    },
    hasAny,
  );
}

function untag(name: string): StoreCommand {
  return command(
    `untag ${name}`,
    async (model, { store }) => {
      await store.untag(name);
      model.tags.delete(name);
    },
    (model) => model.tags.has(name),
  );
}

function pin(at: number, pinned: boolean): StoreCommand {
  return command(
    `${pinned ? 'pin' : 'unpin'} #${at}`,
    async (model, { store }) => {
      const { id } = pick(model, at);
      await (pinned ? store.pin(id) : store.unpin(id));
      if (pinned) model.pins.add(id);
      else model.pins.delete(id);
    },
    hasAny,
  );
}

function fork(at: number): StoreCommand {
  return command(
    `fork #${at}`,
    async (model, { store }) => {
      const source = pick(model, at);
      const { id } = await store.fork(source.id, 'c');
      model.checkpoints.push({ ...source, id, run: 'c' });
    },
    (model) => hasAny(model) && !model.checkpoints.some(({ run }) => run === 'c'),
  );
}

const gc = command('gc', async (_model, { store }) => {
  await store.gc();
  expect(await store.gc()).toMatchObject({ objects: 0, skippedObjects: 0 });
});

const compact = command('compact', async (_model, { store }) => {
  const before = await store.stats();
  const result = await store.compact();
  expect(result.liveBytesAfter).toBeLessThanOrEqual(result.liveBytesBefore + result.shorteningBytes);
  expect(result.maxHeightAfter).toBeLessThanOrEqual(Math.max(1, result.maxHeightBefore));
  await store.gc();
  expect((await store.stats()).logicalBytes).toBe(before.logicalBytes);
});

const reopen = command('reopen', async (_model, real) => {
  real.store = await real.reopen();
});

/** Commands that a store and the model take alike. */
function storeCommands(maxCommands: number, size: ModelCheck['size']): fc.Arbitrary<Iterable<StoreCommand>> {
  const at = fc.nat(50);
  const run = fc.constantFrom(...RUNS);
  const name = fc.constantFrom(...TAGS);
  const saving = fc.tuple(run, fc.nat(6), fc.integer({ min: 1, max: 2 })).map((args) => save(...args));
  return fc.commands(
    [
      saving,
      saving,
      saving,
      at.map(restore),
      at.map(forgetOne),
      fc
        .tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 2, max: 4 }))
        .map((args) => forgetAllBut(...args)),
      fc.tuple(at, fc.constantFrom<StateGroup>(...STATE_GROUPS)).map((args) => dropAllBut(...args)),
      fc.integer({ min: 1, max: 3 }).map(dropOldMoments),
      fc.tuple(at, at).map((args) => diff(...args)),
      fc.tuple(at, name).map((args) => tag(...args)),
      name.map(untag),
      fc.tuple(at, fc.boolean()).map((args) => pin(...args)),
      at.map(fork),
      fc.constant(gc),
      fc.constant(compact),
      fc.constant(reopen),
    ],
    { maxCommands, size },
  );
}

/** Compares all that a store holds with the model, and checks every byte of it. */
async function expectHolds(model: StoreModel, store: Store): Promise<void> {
  const listed = await store.list();
  const byRun = (run: string): string[] => listed.filter((info) => info.run === run).map(({ id }) => id);
  for (const run of RUNS)
    expect(byRun(run)).toEqual(model.checkpoints.filter((item) => item.run === run).map(({ id }) => id));
  for (const item of model.checkpoints) await expectRestores(item, store);
  for (const info of listed) {
    expect(info.pinned).toBe(model.pins.has(info.id));
    expect(info.tags.sort()).toEqual(
      [...model.tags]
        .filter(([, id]) => id === info.id)
        .map(([name]) => name)
        .sort(),
    );
  }
  expect(await store.check({ readData: 100 })).toMatchObject({ checkpoints: listed.length, damaged: [] });
}

interface ModelCheck {
  /** At most as many sequences of commands. */
  sequences: number;
  maxCommands: number;
  timeLimitMs: number;
  /** `max`: sequences are as long as they may be. */
  size?: 'max';
}

/** Runs sequences of commands, compares what they leave with the model, and returns how many there was time for. */
export async function checkAgainstModel({
  sequences,
  maxCommands,
  timeLimitMs,
  size,
}: ModelCheck): Promise<number> {
  let run = 0;
  await fc.assert(
    fc.asyncProperty(storeCommands(maxCommands, size), async (commands) => {
      const storage = new MemoryStorage();
      const { store } = await makeStore(storage);
      const model: StoreModel = { checkpoints: [], tags: new Map(), pins: new Set() };
      let seed = 1;
      const real = { store, reopen: () => openAgain(storage, ++seed) };
      await fc.asyncModelRun(() => ({ model, real }), commands);
      await expectHolds(model, real.store);
      run += 1;
    }),
    { numRuns: sequences, interruptAfterTimeLimit: timeLimitMs, markInterruptAsFailure: false },
  );
  return run;
}
