/**
 * What must hold after a crash: acknowledged ⊆ restorable ⊆ acknowledged ∪ in flight, each bit for bit; `check` with all
 * data finds nothing; the next save and collection work, and nothing is left over.
 */
import { deepStrictEqual, equal, fail, ok } from 'node:assert/strict';
import { mkdir, open } from 'node:fs/promises';
import {
  createStore,
  isThetalogError,
  openStore,
  type StateValue,
  type Storage,
  type Store,
} from '../../src/index.js';
import { CHUNK_ELEMENTS } from '../engine/make-store.js';
import { environmentOf, fileOf, type JournalEntry, restoredFiles, stateOf } from './crash-scripts.js';

export interface Expectation {
  /** The store was made and that was acknowledged. */
  created: boolean;
  /** Keys of checkpoints that must be there, and that may be there. */
  must: Set<string>;
  may: Set<string>;
  /** Something was damaged, so that there is something to repair. */
  damaged: boolean;
  /** Keys of those that cannot be restored before that is done; all others can. */
  hidden: Set<string>;
}

/** Seed of whoever looks, and the weeks by which that is later than all scripts. */
const LATER = 90;

const EMPTY: Expectation = {
  created: false,
  must: new Set(),
  may: new Set(),
  damaged: false,
  hidden: new Set(),
};

/** What a journal lets one expect, given what its script began with. */
export function expectationOf(journal: readonly JournalEntry[], before: Expectation = EMPTY): Expectation {
  const { must, may, hidden } = before;
  const expected = { ...before, must: new Set(must), may: new Set(may), hidden: new Set(hidden) };
  for (const { kind, verb, keys } of journal) {
    if (verb === 'create' && kind === 'ack') expected.created = true;
    if (verb === 'damage') expected.damaged = true;
    if (verb === 'repair' && kind === 'ack') expected.hidden.clear();
    for (const key of keys) {
      if (verb === 'damage') expected.hidden.add(key);
      if (verb === 'save' && kind === 'ack') expected.must.add(key);
      if (verb === 'save') expected.may.add(key);
      if (verb === 'forget') expected.must.delete(key);
      if (verb === 'forget' && kind === 'ack') expected.may.delete(key);
    }
  }
  return expected;
}

const states = new Map<number, StateValue>();

function expectedState(step: number): StateValue {
  const state = states.get(step) ?? stateOf(step);
  states.set(step, state);
  return state;
}

/** Throws an AssertionError unless the store and the restored files are as they must be. */
export async function expectSurvived(
  location: string | Storage,
  folder: string,
  expected: Expectation,
): Promise<void> {
  await expectFilesWhole(folder);
  if (expected.damaged) await expectRepairs(location, folder, expected);
  const store = await openOrMake(location, expected);
  await expectRestorable(store, folder, { ...expected, hidden: new Set() });
  const { damaged } = await store.check({ readData: 100 });
  deepStrictEqual(damaged, [], 'check');
  await expectGoesOn(store);
  await store.close();
}

/** What could be restored before a repair still can, whatever became of it; another heals the rest, and a third does nothing. */
async function expectRepairs(
  location: string | Storage,
  folder: string,
  expected: Expectation,
): Promise<void> {
  const store = await openOrMake(location, expected);
  await expectRestorable(store, folder, expected);
  const { checkpoints } = await store.repair();
  for (const { run, step, outcome } of checkpoints) equal(outcome, 'healed', `${run}:${step}`);
  const again = await store.repair();
  deepStrictEqual([again.checkpoints, again.reindexed, again.movedRecords], [[], 0, 0], 'repaired again');
  await store.close();
}

/** All that was acknowledged is there once and the same bit for bit; what is hidden may be corrupt instead. */
async function expectRestorable(
  store: Store,
  folder: string,
  { must, may, hidden }: Expectation,
): Promise<void> {
  const found = new Set<string>();
  for (const { run, step } of await store.list()) {
    const key = `${run}:${step}`;
    ok(!found.has(key), `${key} is there twice`);
    found.add(key);
    ok(may.has(key), `${key} is there and was never saved, or forgotten`);
    try {
      if (run === 'files') await expectFileRestores(store, folder, step ?? -1);
      else deepStrictEqual(await store.run(run).restore(`step:${step}`), expectedState(step ?? -1), key);
    } catch (error) {
      if (!hidden.has(key) || !isThetalogError(error, 'corrupt')) throw error;
    }
  }
  for (const key of must) ok(found.has(key), `${key} was acknowledged and is lost`);
}

async function openOrMake(location: string | Storage, expected: Expectation): Promise<Store> {
  const options = { environment: environmentOf(LATER), workers: 0 };
  try {
    return await openStore(location, options);
  } catch (error) {
    if (!isThetalogError(error, 'not-found')) throw error;
    ok(!expected.created, 'the store was made and is not there');
    return createStore(location, { ...options, chunkElements: CHUNK_ELEMENTS });
  }
}

/** The next save builds on what is there; collection leaves nothing that is not needed. */
async function expectGoesOn(store: Store): Promise<void> {
  await (await store.run('a').save(expectedState(9), { step: 9 })).committed;
  await store.gc();
  const { objects, skippedObjects } = await store.gc();
  equal(objects + skippedObjects, 0, 'objects left by gc');
  deepStrictEqual(await store.run('a').restore(), expectedState(9), 'the save after');
}

async function expectFileRestores(store: Store, folder: string, step: number): Promise<void> {
  const out = `${folder}/verified-${step}`;
  await mkdir(out);
  await store.restoreFiles(`files@step:${step}`, { out });
  await expectFile(`${out}/model-${step}.bin`, step);
}

async function expectFile(path: string, step: number): Promise<void> {
  const file = await open(path);
  const bytes = new Uint8Array(fileOf(step).length + 1);
  const { bytesRead } = await file.read(bytes, 0, bytes.length, 0);
  await file.close();
  deepStrictEqual(bytes.subarray(0, bytesRead), fileOf(step), path);
}

/** A restored file is whole or absent; temporary files may be left. */
async function expectFilesWhole(folder: string): Promise<void> {
  for (const path of await restoredFiles(folder)) {
    if (path.endsWith('.partial')) continue;
    const step = Number(/model-(\d+)\.bin$/.exec(path)?.[1] ?? fail(path));
    await expectFile(path, step);
  }
}
