/**
 * A save of one pack has its index in the pack's footer alone: whatever happens to that, the copy at the start of the pack takes
 * its place.
 *
 * Seen to fail when repair does not look at the copy (`maintenance/pack-check.ts`: a damaged footer has no entries), and when a
 * rescue does not look at the packs of the store.
 */
import { beforeEach, describe, expect, test } from 'vitest';
import { MemoryStorage, type Store } from '../../src/index.js';
import { makeStore, openAgain, sizesOf } from '../engine/make-store.js';
import { trainingState } from '../engine/training-state.js';

const STEPS = [0, 1, 2];
const TRAILER_BYTES = 16;

let objects: Map<string, Uint8Array>;
/** The pack of each step. */
let packs: string[];

beforeEach(async () => {
  const storage = new MemoryStorage();
  const { store } = await makeStore(storage);
  packs = [];
  for (const step of STEPS) {
    await (await store.run('a').save(trainingState(step, 1))).committed;
    packs.push(...[...(await sizesOf(storage)).keys()].filter((key) => isNewPack(key)));
  }
  objects = new Map();
  for (const key of (await sizesOf(storage)).keys())
    objects.set(key, (await bytesOf(storage, key)) ?? new Uint8Array());
});

async function bytesOf(storage: MemoryStorage, key: string): Promise<Uint8Array | undefined> {
  return key === 'root' ? (await storage.getVersioned(key))?.bytes : storage.get(key);
}

function isNewPack(key: string): boolean {
  return key.startsWith('packs/') && !packs.includes(key);
}

/** Returns a store of the same objects, one of them changed. */
async function withPack(key: string, change: (pack: Uint8Array) => Uint8Array): Promise<Store> {
  const storage = new MemoryStorage();
  for (const [name, bytes] of objects) {
    const kept = name === key ? change(bytes.slice()) : bytes;
    if (name === 'root') await storage.putIfMatch(name, kept, undefined);
    else await storage.putIfAbsent(name, [kept]);
  }
  return openAgain(storage);
}

function footerOf(pack: Uint8Array): { start: number; end: number } {
  const end = pack.length - TRAILER_BYTES;
  return { start: Number(new DataView(pack.buffer).getBigUint64(end, true)), end };
}

const DAMAGES: Record<string, (pack: Uint8Array) => Uint8Array> = {
  'one bit flipped': (pack) => {
    pack[footerOf(pack).start + 30] ^= 4;
    return pack;
  },
  'filled with zeros': (pack) => pack.fill(0, footerOf(pack).start, footerOf(pack).end),
  'filled with zeros, the trailer too': (pack) => pack.fill(0, footerOf(pack).start),
  'cut off in the middle': (pack) => pack.slice(0, footerOf(pack).start + 20),
  'cut off': (pack) => pack.slice(0, footerOf(pack).start),
};

describe.each(Object.keys(DAMAGES))('a footer %s', (damage) => {
  test.each(STEPS)(
    'of step %i: allowDamaged restores all, check says that repair can rebuild the index, and repair does',
    async (step) => {
      const store = await withPack(packs[step], DAMAGES[damage]);
      await expectRescued(store);
      const { damaged, damagedCheckpoints } = await store.check();
      expect(damagedCheckpoints.length).toBe(STEPS.length - step);
      expect(damaged.map(({ object }) => object)).toContain(packs[step]);
      expect(damaged.map(({ message }) => message).join()).toContain(
        'repair rebuilds the index of this pack',
      );
      const { checkpoints, damagedRecords } = await store.repair();
      expect(damagedRecords).toBe(0);
      expect(checkpoints.every(({ outcome }) => outcome === 'healed')).toBe(true);
      await expectAll(store, STEPS);
      expect((await store.check({ readData: 100 })).damaged).toEqual([]);
    },
  );
});

test('a pack cut off among its records loses those behind the cut, and no others', async () => {
  const store = await withPack(packs[2], (pack) => pack.slice(0, footerOf(pack).start - 3));
  const { checkpoints, damagedRecords } = await store.repair();
  expect(damagedRecords).toBe(1);
  expect(checkpoints).toMatchObject([{ step: 2, outcome: 'kept', readable: true }]);
  expect(checkpoints[0].lost.tensors.length).toBeLessThan(3);
  await expectAll(store, [0, 1]);
});

test('with both copies damaged what needs the pack is named, and all else is restored', async () => {
  const store = await withPack(packs[2], (pack) => {
    pack[40] ^= 1;
    return pack.fill(0, footerOf(pack).start);
  });
  expect((await store.repair()).checkpoints).toMatchObject([{ step: 2, outcome: 'kept' }]);
  await expectAll(store, [0, 1]);
});

test('a damaged copy is found by check and made anew by repair', async () => {
  const store = await withPack(packs[0], (pack) => {
    pack[8] ^= 1;
    return pack;
  });
  await expectAll(store, STEPS);
  expect((await store.check()).damaged).toMatchObject([{ object: packs[0], offset: 8 }]);
  expect((await store.repair()).checkpoints).toHaveLength(STEPS.length);
  expect((await store.check({ readData: 100 })).damaged).toEqual([]);
  await expectAll(store, STEPS);
});

async function expectAll(store: Store, steps: readonly number[]): Promise<void> {
  for (const step of steps)
    expect(await store.run('a').restore(`step:${step}`)).toEqual(trainingState(step, 1));
}

async function expectRescued(store: Store): Promise<void> {
  const lost: string[] = [];
  const options = { allowDamaged: (names: string[]) => lost.push(...names) };
  for (const step of STEPS)
    expect(await store.run('a').restore(`step:${step}`, options)).toEqual(trainingState(step, 1));
  expect(lost).toEqual([]);
}
