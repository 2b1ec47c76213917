/** Random commands on a store and on a plain map of what it should hold. */
import fc from 'fast-check';
import { expect } from 'vitest';
import { isThetalogError, keep, type StateValue, type Store } from '../../src/index.js';
import { trainingState } from '../engine/training-state.js';

interface Expected {
  id: string;
  run: string;
  step: number;
  state: StateValue;
}

/** What the store should hold: live checkpoints, oldest first within a run. */
export interface StoreModel {
  checkpoints: Expected[];
  /** Name to checkpoint id. */
  tags: Map<string, string>;
  pins: Set<string>;
}

export interface StoreUnderTest {
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
    model.checkpoints.push({ id, run, step, state });
  });
}

function restore(at: number): StoreCommand {
  return command(
    `restore #${at}`,
    async (model, { store }) => {
      const { id, run, state } = pick(model, at);
      expect(await store.run(run).restore(id)).toEqual(state);
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
export function storeCommands(): fc.Arbitrary<Iterable<StoreCommand>> {
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
      fc.tuple(at, name).map((args) => tag(...args)),
      name.map(untag),
      fc.tuple(at, fc.boolean()).map((args) => pin(...args)),
      at.map(fork),
      fc.constant(gc),
      fc.constant(compact),
      fc.constant(reopen),
    ],
    { maxCommands: 25 },
  );
}

/** Compares all that a store holds with the model, and checks every byte of it. */
export async function expectHolds(model: StoreModel, store: Store): Promise<void> {
  const listed = await store.list();
  const byRun = (run: string): string[] => listed.filter((info) => info.run === run).map(({ id }) => id);
  for (const run of RUNS)
    expect(byRun(run)).toEqual(model.checkpoints.filter((item) => item.run === run).map(({ id }) => id));
  for (const { id, run, state } of model.checkpoints) expect(await store.run(run).restore(id)).toEqual(state);
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
