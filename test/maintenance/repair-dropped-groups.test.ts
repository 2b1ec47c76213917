/**
 * Groups that retention dropped are no damage to repair, even where the page that said so is lost. Seen to fail when pages are
 * not taken together (`addEntry` in repair-catalogue.ts), when nothing is told from what is left (`leftOf` in repair.ts: four
 * checkpoints are damaged, and gc refuses to work), and when one damaged chunk is enough to call a group dropped (`some` for
 * `every` there: the sound moments are gone).
 */
import { beforeEach, expect, test } from 'vitest';
import { keep, MemoryStorage } from '../../src/index.js';
import { CHUNK_ELEMENTS, makeStore, openAgain, sizesOf } from '../engine/make-store.js';
import { randomNumbers, type TrainingState, trainingState } from '../engine/training-state.js';
import { DamagedStorage } from './damaged-storage.js';

const STEPS = [0, 1, 2, 3];

let storage: MemoryStorage;
let damaged: DamagedStorage;
/** The pages from before groups were dropped. */
let oldPages: Map<string, Uint8Array>;

/** Of steps 0 to 2 retention has dropped the moments; compact and gc have freed them. */
beforeEach(async () => {
  storage = new MemoryStorage();
  const { store } = await makeStore(storage);
  for (const step of STEPS) await (await store.run('r').save(trainingState(step))).committed;
  oldPages = new Map();
  for (const key of await pages()) oldPages.set(key, (await storage.get(key)) ?? new Uint8Array());
  await store.forget({ run: 'r', keep: [keep.last(1), keep.groups(['model']).last(50)] });
  await store.compact();
  await store.gc();
  damaged = new DamagedStorage(storage);
});

async function pages(): Promise<string[]> {
  return [...(await sizesOf(storage)).keys()].filter((key) => key.startsWith('pages/'));
}

/** Repairs; afterwards the store is sound, moments are dropped where they were, and weights come back. */
async function expectRepaired(outcomes: string[]): Promise<void> {
  const store = await openAgain(damaged, 7);
  const { checkpoints } = await store.repair();
  // An older page may name an older manifest.
  expect(checkpoints.map(({ outcome }) => outcome).filter((outcome) => outcome !== 'healed')).toEqual(
    outcomes,
  );
  const listed = new Map((await store.list()).map(({ id, droppedGroups }) => [id, droppedGroups]));
  const dropped = [...listed.values()].sort((a, b) => b.length - a.length);
  expect(dropped).toEqual([['optimizer'], ['optimizer'], ['optimizer'], []]);
  const weights = await Promise.all(
    [...listed.keys()].map(async (id) => {
      const { model } = (await store.run('r').restore(id, { groups: ['model'] })) as TrainingState;
      return model;
    }),
  );
  expect(weights).toHaveLength(STEPS.length);
  for (const step of STEPS) expect(weights).toContainEqual(trainingState(step).model);
  expect((await store.check({ readData: 100 })).damaged).toEqual([]);
  await store.gc();
  expect((await (await openAgain(damaged, 8)).repair()).checkpoints).toEqual([]);
}

test('when only manifests are left of a page, what nothing is there of counts as dropped', async () => {
  for (const key of await pages()) damaged.flip(key, 30);
  await expectRepaired(['reduced', 'reduced', 'reduced']);
});

test('when an older page is left, which does not say it yet, too', async () => {
  for (const key of await pages()) damaged.remove(key);
  for (const [key, bytes] of oldPages) await storage.putIfAbsent(key, [bytes]);
  await expectRepaired(['reduced', 'reduced', 'reduced']);
});

test('a root made anew from older and newer pages has what any of them says', async () => {
  for (const [key, bytes] of oldPages) await storage.putIfAbsent(key, [bytes]);
  const root = await storage.getVersioned('root');
  await storage.putIfMatch('root', new Uint8Array(8), root?.version);
  await expectRepaired([]);
});

test('a group of which anything is there is damaged, whatever page is lost', async () => {
  const inner = new MemoryStorage();
  const next = randomNumbers(3);
  const moments = Float32Array.from({ length: 4 * CHUNK_ELEMENTS }, () => next());
  const state = {
    model: { w: Float32Array.of(1, 2, 3) },
    optimizer: { x: moments, y: moments.map(Math.exp) },
  };
  const { store } = await makeStore(inner);
  await (await store.run('r').save(state)).committed;
  damaged = new DamagedStorage(inner);
  for (const [key, size] of await sizesOf(inner)) {
    if (key.startsWith('pages/')) damaged.flip(key, 30);
    if (key.startsWith('packs/')) damaged.flip(key, size >> 1);
  }
  const again = await openAgain(damaged, 7);
  const { checkpoints, damagedRecords } = await again.repair();
  expect(damagedRecords).toBe(1);
  expect(checkpoints).toMatchObject([{ outcome: 'kept', soundTensors: 2 }]);
  expect((await again.list()).map(({ droppedGroups }) => droppedGroups)).toEqual([[]]);
});
