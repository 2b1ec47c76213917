import { beforeEach, describe, expect, test } from 'vitest';
import { type CheckReport, MemoryStorage, openStore, type Store } from '../../src/index.js';
import { makeStore, openAgain, sizesOf } from '../engine/make-store.js';
import { trainingState } from '../engine/training-state.js';
import { DamagedStorage } from './damaged-storage.js';

/** Keys that one save adds, by kind. */
interface Added {
  id: string;
  packs: string;
  manifests: string;
  pages: string;
}

/**
 * A store with a chain of three checkpoints `a` (steps 0 to 2) and one of its own, `b` (step 0). Each test may damage it.
 */
let damaged: DamagedStorage;
let store: Store;
let added: Record<'a0' | 'a1' | 'a2' | 'b0', Added>;

beforeEach(async () => {
  const storage = new MemoryStorage();
  const made = await makeStore(storage);
  const save = async (run: string, step: number, seed: number): Promise<Added> => {
    const before = await sizesOf(storage);
    const { id } = await (await made.store.run(run).save(trainingState(step, seed))).committed;
    const keys = [...(await sizesOf(storage)).keys()].filter((key) => !before.has(key));
    const find = (kind: string): string => keys.find((key) => key.startsWith(`${kind}/`)) ?? '';
    return {
      id,
      packs: find('packs'),
      manifests: find('manifests'),
      pages: find('pages'),
    };
  };
  added = {
    a0: await save('a', 0, 1),
    a1: await save('a', 1, 1),
    a2: await save('a', 2, 1),
    b0: await save('b', 0, 50),
  };
  damaged = new DamagedStorage(storage);
  store = await openAgain(damaged);
});

type Name = keyof typeof added;

function names(checkpoints: readonly { id: string }[]): Name[] {
  const all = Object.keys(added) as Name[];
  return all.filter((name) => checkpoints.some(({ id }) => id === added[name].id));
}

/** Returns the damage as `[object, code, dependents]`. */
function summary(report: CheckReport): [string, string, Name[]][] {
  return report.damaged.map(({ object, code, checkpoints }) => [object, code, names(checkpoints)]);
}

async function damagedObjects(report: Promise<CheckReport>): Promise<Map<string, Name[]>> {
  const objects = new Map<string, Name[]>();
  for (const { object, checkpoints } of (await report).damaged)
    objects.set(object, [...new Set([...(objects.get(object) ?? []), ...names(checkpoints)])]);
  return objects;
}

describe('a sound store', () => {
  test('has no damage, with and without reading data', async () => {
    const structure = await store.check();
    expect(structure).toMatchObject({ checkpoints: 4, damaged: [], unreferenced: 0, bytesRead: 0 });
    expect(structure.objects).toBe((await sizesOf(damaged)).size);
    const whole = await store.check({ readData: 100 });
    expect(whole).toMatchObject({ damaged: [], chunks: (await store.stats()).chunks });
    expect(whole.bytesRead).toBeGreaterThan(structure.chunks * 16);
  });

  test('a sample reads some of the records, the same ones every time, and more for a larger share', async () => {
    const sizes: number[] = [];
    for (const readData of [5, 5, 40, 100]) sizes.push((await store.check({ readData })).bytesRead);
    expect(sizes[0]).toBe(sizes[1]);
    expect(sizes[0]).toBeLessThan(sizes[2]);
    expect(sizes[2]).toBeLessThan(sizes[3]);
  });

  test.each([0, -1, 101, Number.NaN])('a share of %d percent is invalid', async (readData) => {
    await expect(store.check({ readData })).rejects.toMatchObject({ kind: 'invalid', object: 'readData' });
  });

  test('objects that nothing refers to are counted and are no damage', async () => {
    await damaged.putIfAbsent('packs/00000000000000ff-1', [new Uint8Array(100)]);
    await damaged.putIfAbsent('leases/00000000000000ff-2', [new Uint8Array(10)]);
    expect(await store.check()).toMatchObject({ damaged: [], unreferenced: 1 });
  });

  test('progress grows to the bytes that were decoded, and an abort ends the check', async () => {
    const seen: number[] = [];
    let total = 0;
    await store.check({
      readData: 100,
      onProgress: ({ phase, bytesRead, bytesTotal }) => {
        expect(phase).toBe('check');
        seen.push(bytesRead);
        total = bytesTotal;
      },
    });
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
    expect(seen.at(-1)).toBe(total);
    await expect(store.check({ signal: AbortSignal.abort() })).rejects.toMatchObject({ kind: 'aborted' });
  });
});

describe('damage is found, named, and traced to the checkpoints that depend on it', () => {
  test('a record: those that need it, also as a base', async () => {
    damaged.flipRecord(added.a0.packs);
    expect((await store.check()).damaged).toEqual([]);
    const [damage, ...others] = (await store.check({ readData: 100 })).damaged;
    expect(damage).toMatchObject({ object: added.a0.packs, code: 'bad-checksum' });
    expect(names(damage.checkpoints)).toEqual(['a0', 'a1', 'a2']);
    expect(others).toEqual([]);
  });

  test('a record of a late checkpoint concerns no earlier one', async () => {
    damaged.flipRecord(added.a2.packs);
    expect(await damagedObjects(store.check({ readData: 100 }))).toEqual(new Map([[added.a2.packs, ['a2']]]));
  });

  test('a record that others of the same pack have nothing to do with', async () => {
    const [kept, dropped] = [trainingState(0, 60).model.weight, trainingState(0, 61).model.weight];
    const before = new Set((await sizesOf(damaged)).keys());
    const { id } = await (await store.run('c').save({ model: { kept, dropped } })).committed;
    const pack = [...(await sizesOf(damaged)).keys()].find(
      (key) => key.startsWith('packs/') && !before.has(key),
    );
    await (await store.run('c').save({ model: { kept } })).committed;
    const size = (await sizesOf(damaged)).get(pack ?? '') ?? 0;
    const dependents: string[][] = [];
    for (const share of [0.2, 0.8]) {
      damaged.flip(pack ?? '', Math.floor(size * share));
      const [{ checkpoints }] = (await store.check({ readData: 100 })).damaged;
      dependents.push(checkpoints.map((checkpoint) => checkpoint.id));
    }
    expect(dependents).toEqual([[id, expect.any(String)], [id]]);
  });

  test('every byte of a pack belongs to something that a full check verifies', async () => {
    const size = (await sizesOf(damaged)).get(added.b0.packs) ?? 0;
    for (let offset = 0; offset < size; offset += 211) {
      damaged.flip(added.b0.packs, offset);
      const objects = await damagedObjects(store.check({ readData: 100 }));
      expect([...objects], `byte ${offset}`).toEqual([[added.b0.packs, ['b0']]]);
    }
  });

  test.each([-1, -20, -100])('byte %d of a pack, in its footer or trailer', async (offset) => {
    damaged.flip(added.a1.packs, offset);
    expect(await damagedObjects(store.check())).toEqual(new Map([[added.a1.packs, ['a1', 'a2']]]));
  });

  test('a pack that is cut off, and one that is gone', async () => {
    damaged.truncate(added.a1.packs, 5000);
    damaged.remove(added.b0.packs);
    const objects = await damagedObjects(store.check({ readData: 100 }));
    expect(objects.get(added.a1.packs)).toEqual(['a1', 'a2']);
    expect(objects.get(added.b0.packs)).toEqual(['b0']);
    const gone = (await store.check()).damaged.filter(({ object }) => object === added.b0.packs);
    expect(gone).toMatchObject([{ code: 'missing-object' }]);
  });

  test('every byte of a footer, which is the index of what lies in its pack', async () => {
    const size = (await sizesOf(damaged)).get(added.a1.packs) ?? 0;
    const trailer =
      (await damaged.get(added.a1.packs, { offset: size - 16, length: 16 })) ?? new Uint8Array();
    const footerBytes = new DataView(trailer.buffer).getUint32(8, true);
    for (let offset = 16; offset < footerBytes + 16; offset += 7) {
      damaged.flip(added.a1.packs, -1 - offset);
      const objects = await damagedObjects(store.check());
      expect([...objects], `byte ${offset} from the end`).toEqual([[added.a1.packs, ['a1', 'a2']]]);
    }
  });

  test('every byte of a segment, as compact writes them', async () => {
    const before = await sizesOf(damaged);
    await (await openAgain(damaged)).compact();
    const segments = [...(await sizesOf(damaged)).keys()].filter((key) => key.startsWith('segments/'));
    expect([...before.keys()].some((key) => key.startsWith('segments/'))).toBe(false);
    const depending = new Set<string>();
    for (const segment of segments) {
      damaged.heal();
      const size = (await sizesOf(damaged)).get(segment) ?? 0;
      for (let offset = 0; offset < size; offset += 7) {
        damaged.flip(segment, offset);
        const objects = await damagedObjects(store.check());
        expect([...objects.keys()], `byte ${offset}`).toEqual([segment]);
        for (const name of objects.get(segment) ?? []) depending.add(name);
      }
    }
    expect([...depending].sort()).toEqual(['a0', 'a1', 'a2', 'b0']);
  });

  test('every byte of a manifest', async () => {
    const size = (await sizesOf(damaged)).get(added.a2.manifests) ?? 0;
    for (let offset = 0; offset < size; offset += 3) {
      damaged.flip(added.a2.manifests, offset);
      const objects = await damagedObjects(store.check());
      expect([...objects], `byte ${offset}`).toEqual([[added.a2.manifests, ['a2']]]);
    }
  });

  test('the offset of a damaged section is its place in the object', async () => {
    const size = (await sizesOf(damaged)).get(added.a0.manifests) ?? 0;
    damaged.flip(added.a0.manifests, -1);
    const [damage] = (await store.check()).damaged;
    const last = size - 1 - (damage.offset ?? 0);
    expect(damage.code).toMatch(/bad-(checksum|deflate)/);
    expect(last).toBeGreaterThanOrEqual(0);
    expect(last % 16).toBe(15);
  });

  test('a manifest whose sections later ones share: they depend on it, too', async () => {
    damaged.remove(added.a0.manifests);
    expect(await damagedObjects(store.check())).toEqual(new Map([[added.a0.manifests, ['a0', 'a1', 'a2']]]));
  });

  test('a catalogue page hides its checkpoints, except those that a tag names', async () => {
    await (await openStore(damaged)).tag('b', 'release');
    damaged.flip(added.b0.pages, 30);
    const report = await store.check();
    expect(summary(report)).toEqual([[added.b0.pages, expect.any(String), ['b0']]]);
    expect(report).toMatchObject({ checkpoints: 3, unreferenced: 0 });
    expect(await damagedObjects(store.check())).toEqual(new Map([[added.b0.pages, ['b0']]]));
  });

  test('the root: nothing else is known', async () => {
    damaged.flip('root', 30);
    const report = await store.check();
    expect(report).toMatchObject({ checkpoints: 0, chunks: 0, unreferenced: 0 });
    expect(summary(report)).toEqual([['root', 'bad-checksum', []]]);
  });

  test('the config: everything depends on it', async () => {
    damaged.flip('thetalog.json', 0);
    expect(summary(await store.check())).toEqual([['thetalog.json', 'bad-config', ['a0', 'a1', 'a2', 'b0']]]);
  });

  test('damage in several places is reported in one check', async () => {
    damaged.flipRecord(added.a0.packs);
    damaged.flip(added.a2.manifests, 20);
    damaged.flipRecord(added.b0.packs);
    const objects = await damagedObjects(store.check({ readData: 100 }));
    expect(objects).toEqual(
      new Map([
        [added.a0.packs, ['a0', 'a1']],
        [added.a2.manifests, ['a2']],
        [added.b0.packs, ['b0']],
      ]),
    );
  });
});
