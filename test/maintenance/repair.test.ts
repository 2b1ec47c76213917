import { beforeEach, describe, expect, test } from 'vitest';
import { MemoryStorage, openStore, type Store, ThetalogError } from '../../src/index.js';
import { makeStore, openAgain, sizesOf } from '../engine/make-store.js';
import { trainingState } from '../engine/training-state.js';
import { DamagedStorage } from './damaged-storage.js';
import { HookedStorage } from './hooked-storage.js';

/** A store with a chain of three checkpoints `a` (steps 0 to 2) and one of its own, `b` (step 0). Each test damages it. */
let damaged: DamagedStorage;
let store: Store;
let keys: Record<'a0' | 'a1' | 'a2' | 'b0', string[]>;

const states = {
  a0: trainingState(0, 1),
  a1: trainingState(1, 1),
  a2: trainingState(2, 1),
  b0: trainingState(0, 50),
};
type Name = keyof typeof states;
const NAMES = Object.keys(states) as Name[];

beforeEach(async () => {
  const storage = new MemoryStorage();
  const made = await makeStore(storage);
  const save = async (name: Name): Promise<string[]> => {
    const before = await sizesOf(storage);
    await (await made.store.run(name[0]).save(states[name])).committed;
    return [...(await sizesOf(storage)).keys()].filter((key) => !before.has(key));
  };
  keys = { a0: await save('a0'), a1: await save('a1'), a2: await save('a2'), b0: await save('b0') };
  damaged = new DamagedStorage(storage);
  store = await openAgain(damaged);
});

function keyOf(name: Name, kind: string): string {
  return keys[name].find((key) => key.startsWith(`${kind}/`)) ?? '';
}

/** Returns the checkpoints that come back bit for bit; all others must fail as damaged. */
async function restorable(): Promise<Name[]> {
  const fresh = await openStore(damaged);
  const found: Name[] = [];
  for (const name of NAMES) {
    try {
      expect(await fresh.run(name[0]).restore(`step:${name[1]}`)).toEqual(states[name]);
      found.push(name);
    } catch (error) {
      expect(error).toMatchObject({ kind: expect.stringMatching(/corrupt|not-found/) });
    }
  }
  return found;
}

async function isSound(): Promise<boolean> {
  return (await (await openStore(damaged)).check({ readData: 100 })).damaged.length === 0;
}

describe('repair', () => {
  test('changes nothing in a sound store', async () => {
    const before = await sizesOf(damaged);
    const result = await store.repair();
    expect(result).toMatchObject({ damagedRecords: 0, reindexed: 0, checkpoints: [], rootRebuilt: false });
    expect(await sizesOf(damaged)).toEqual(before);
  });

  test('rebuilds a damaged or missing segment from the packs', async () => {
    await store.compact();
    const segments = [...(await sizesOf(damaged)).keys()].filter((key) => key.startsWith('segments/'));
    damaged.flip(segments[0], 20);
    for (const key of segments.slice(1)) damaged.remove(key);
    store = await openAgain(damaged, 3);
    expect(await restorable()).toEqual([]);
    const before = await sizesOf(damaged);
    const plan = await store.repair({ dryRun: true });
    expect(await sizesOf(damaged)).toEqual(before);
    expect(new Set(plan.checkpoints.map(({ outcome }) => outcome))).toEqual(new Set(['healed']));
    expect(plan.checkpoints).toHaveLength(4);
    expect(await store.repair()).toEqual({ ...plan, dryRun: false });
    expect(await restorable()).toEqual(NAMES);
    expect(await isSound()).toBe(true);
  });

  test('moves what is sound out of a pack whose frame is damaged', async () => {
    damaged.flip(keyOf('a0', 'packs'), -1);
    damaged.flip(keyOf('b0', 'packs'), 0);
    expect(await isSound()).toBe(false);
    expect((await store.repair()).movedRecords).toBeGreaterThan(0);
    expect(await isSound()).toBe(true);
    expect(await restorable()).toEqual(NAMES);
  });

  test('keeps what is left of checkpoints that need a damaged record, and drops them only when told to', async () => {
    damaged.flipRecord(keyOf('a1', 'packs'));
    await store.tag('a@step:1', 'release');
    const { checkpoints, damagedRecords } = await store.repair();
    expect(damagedRecords).toBe(1);
    expect(checkpoints.map(({ step, outcome }) => [step, outcome])).toContainEqual([1, 'kept']);
    expect(await restorable()).toEqual(expect.arrayContaining(['a0', 'b0']));
    const { reindexed } = await store.repair();
    expect(reindexed).toBe(0);
    const dropped = await store.repair({ dropDamaged: true });
    expect(dropped.checkpoints.every(({ outcome }) => outcome === 'dropped')).toBe(true);
    expect(await isSound()).toBe(true);
    expect((await store.list()).flatMap(({ tags }) => tags)).toEqual([]);
    await store.gc();
    expect(await isSound()).toBe(true);
  });

  test('what is saved again after a repair heals the checkpoints that had lost it', async () => {
    damaged.flipRecord(keyOf('b0', 'packs'));
    expect((await store.repair()).checkpoints).toMatchObject([{ run: 'b', outcome: 'kept' }]);
    expect(await restorable()).toEqual(['a0', 'a1', 'a2']);
    await (await store.run('b').save(states.b0)).committed;
    expect(await restorable()).toEqual(NAMES);
    expect(await isSound()).toBe(true);
  });

  test('where healing fails the save holds; repair heals, and gc takes what healing left behind', async () => {
    damaged.flipRecord(keyOf('b0', 'packs'));
    await store.repair();
    let rootsWritten = 0;
    const failing = new HookedStorage(damaged, async ({ method, key }) => {
      if (method === 'putIfMatch' && key === 'root' && ++rootsWritten > 1)
        throw new ThetalogError('unavailable', 'io-error', 'the disk is gone');
    });
    const handle = await (await openAgain(failing, 5)).run('b').save(states.b0);
    const { warnings } = await handle.committed;
    expect(warnings.map(({ message }) => message)).toEqual([
      'older checkpoints could not be healed: the disk is gone',
    ]);
    const unreferenced = async () => (await store.check()).unreferenced;
    expect((await store.repair()).checkpoints.map(({ outcome }) => outcome)).toEqual(['healed']);
    expect(await unreferenced()).toBeGreaterThan(0);
    await store.gc();
    expect(await unreferenced()).toBe(0);
    expect(await restorable()).toEqual(NAMES);
    expect(await isSound()).toBe(true);
  });

  test('a state comes back without what is lost, and the rest is named', async () => {
    damaged.flipRecord(keyOf('b0', 'packs'));
    const lost: string[] = [];
    const fresh = await openAgain(damaged, 4);
    await expect(fresh.run('b').restore('latest')).rejects.toMatchObject({ kind: 'corrupt' });
    const state = await fresh.run('b').restore('latest', { allowDamaged: (names) => lost.push(...names) });
    expect(lost.length).toBeGreaterThan(0);
    const { damagedCheckpoints } = await fresh.check({ readData: 100 });
    expect(damagedCheckpoints).toMatchObject([{ run: 'b', readable: true, lost: { tensors: lost } }]);
    const whole = structuredClone(states.b0) as Record<string, Record<string, unknown>>;
    for (const name of lost) {
      const [group, tensor] = name.split('.');
      if (group === 'model') delete whole.model[tensor];
      else delete (whole.optimizer.state as Record<string, Record<string, unknown>>)[0].exp_avg;
    }
    expect(state).toEqual(whole);
  });

  test('puts a damaged page together again', async () => {
    damaged.flip(keyOf('b0', 'pages'), 30);
    damaged.remove(keyOf('a2', 'pages'));
    const { pagesRebuilt } = await store.repair();
    expect(pagesRebuilt).toBe(2);
    const ids = (await store.list()).map(({ run }) => run).sort();
    expect(ids).toHaveLength(4);
    expect(await isSound()).toBe(true);
  });

  test('puts a damaged root together again', async () => {
    damaged.flip('root', 30);
    expect(await store.repair({ dryRun: true })).toMatchObject({ rootRebuilt: true });
    damaged.heal();
    const found = await damaged.getVersioned('root');
    await damaged.putIfMatch('root', new Uint8Array(5), found?.version);
    expect(await store.repair()).toMatchObject({ rootRebuilt: true });
    expect(await restorable()).toEqual(NAMES);
    expect(await isSound()).toBe(true);
  });

  test('leaves a checkpoint whose manifest is lost as it is until told to drop it', async () => {
    damaged.flip(keyOf('a2', 'manifests'), 30);
    const { checkpoints } = await store.repair();
    expect(checkpoints).toMatchObject([{ step: 2, readable: false, outcome: 'kept' }]);
    await store.repair({ dropDamaged: true });
    expect(await restorable()).toEqual(['a0', 'a1', 'b0']);
    expect(await isSound()).toBe(true);
  });
});
