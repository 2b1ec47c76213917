/**
 * Damages a store in every way a disk does, one at a time, and looks at what comes back: the very bytes that were saved, or a
 * typed error; never other bytes. Restoring goes in this process and through a storage in memory, so that a case takes
 * about a millisecond.
 */
import { expect } from 'vitest';
import { Catalogue } from '../../src/checkpoints/catalogue.js';
import type { StoreContext } from '../../src/checkpoints/index.js';
import { openContext } from '../../src/checkpoints/open-store.js';
import { ReadCache } from '../../src/checkpoints/read-cache.js';
import { RootStore } from '../../src/checkpoints/root-store.js';
import { decodeStoreConfig } from '../../src/format/index.js';
import {
  isThetalogError,
  MemoryStorage,
  type StateValue,
  type Storage,
  type StoredObject,
  type Versioned,
} from '../../src/index.js';
import { Store } from '../../src/lifecycle/store.js';
import { makeStore } from '../engine/make-store.js';
import { randomNumbers } from '../engine/training-state.js';

/** One damage: the object it is in, and the bytes that are there instead; undefined: it is gone. */
export interface Damage {
  readonly key: string;
  readonly bytes: Uint8Array | undefined;
  readonly title: string;
}

/** A store whose objects never change, and what its checkpoints are. */
export interface Specimen {
  readonly objects: ReadonlyMap<string, Uint8Array>;
  readonly states: ReadonlyMap<string, StateValue>;
}

const SECTOR_BYTES = 512;

/** Makes a store of three checkpoints in a chain, a fork, and one of a run of its own. */
export async function makeSpecimen(
  elements: number,
  state: (step: number, elements: number) => StateValue = smallState,
): Promise<Specimen> {
  const storage = new MemoryStorage();
  const { store } = await makeStore(storage);
  const states = new Map<string, StateValue>();
  for (const [run, step] of [
    ['a', 0],
    ['a', 1],
    ['a', 2],
    ['b', 7],
  ] as const) {
    const saved = state(step, elements);
    const { id } = await (await store.run(run).save(saved)).committed;
    states.set(id, saved);
  }
  const fork = await store.fork('a@step:1', 'fork');
  states.set(fork.id, state(1, elements));
  await store.close();
  const objects = new Map<string, Uint8Array>();
  for await (const { key } of storage.list(''))
    objects.set(
      key,
      key === 'root'
        ? ((await storage.getVersioned(key))?.bytes ?? new Uint8Array())
        : ((await storage.get(key)) ?? new Uint8Array()),
    );
  return { objects, states };
}

/** A state of a few tensors in several dtypes; steps differ a little. */
function smallState(step: number, elements: number): StateValue {
  const next = randomNumbers(11);
  const drift = Float32Array.from({ length: elements }, () => (next() - 0.5) * (1 + step * 1e-4 * next()));
  return {
    model: {
      weight: drift,
      bias: drift.slice(0, 5),
      half: { dtype: 'bf16', shape: [64], data: new Uint16Array(64).fill(0x3f80 + step) },
    },
    optimizer: { moments: [drift.map((value) => value * 0.1), new Float64Array([step, Number.NaN, -0])] },
    progress: { step },
  };
}

/** A storage that only has what it is told, and can be written to. */
class SpecimenStorage implements Storage {
  readonly location = 'specimen';
  damage: Damage | undefined;
  private readonly objects: ReadonlyMap<string, Uint8Array>;

  constructor(objects: ReadonlyMap<string, Uint8Array>) {
    this.objects = objects;
  }

  find(key: string): Uint8Array | undefined {
    return this.damage?.key === key ? this.damage.bytes : this.objects.get(key);
  }

  async get(key: string, range?: { offset: number; length: number }): Promise<Uint8Array | undefined> {
    const bytes = this.find(key);
    return range === undefined ? bytes?.slice() : bytes?.slice(range.offset, range.offset + range.length);
  }

  async getVersioned(key: string): Promise<Versioned | undefined> {
    const bytes = this.find(key);
    return bytes && { bytes: bytes.slice(), version: '1' };
  }

  async *list(prefix: string): AsyncIterable<StoredObject> {
    for (const key of this.objects.keys()) {
      const bytes = this.find(key);
      if (bytes !== undefined && key.startsWith(prefix)) yield { key, size: bytes.length };
    }
  }

  async putIfAbsent(): Promise<boolean> {
    throw new Error('restoring writes nothing');
  }

  async putIfMatch(): Promise<string | undefined> {
    throw new Error('restoring writes nothing');
  }

  async delete(): Promise<void> {
    throw new Error('restoring deletes nothing');
  }

  async close(): Promise<void> {}
}

/** What restoring all checkpoints of a damaged store came to. */
export interface Outcome {
  /** Ids of the checkpoints that came back bit for bit, and of those that failed with a typed error. */
  readonly whole: readonly string[];
  readonly failed: readonly string[];
}

/** Tries damages on one specimen. */
export class DamageBench {
  private readonly specimen: Specimen;
  private readonly storage: SpecimenStorage;
  private readonly tools: StoreContext;
  /** The checkpoints that cannot be restored without an object. */
  private readonly readersOf = new Map<string, readonly string[]>();
  private turn = 0;

  private constructor(specimen: Specimen, storage: SpecimenStorage, tools: StoreContext) {
    this.specimen = specimen;
    this.storage = storage;
    this.tools = tools;
  }

  static async over(specimen: Specimen): Promise<DamageBench> {
    const storage = new SpecimenStorage(specimen.objects);
    const bench = new DamageBench(specimen, storage, await openContext(storage, { workers: 0 }));
    for (const key of specimen.objects.keys()) {
      const { failed } = await bench.tryRestores({ key, bytes: undefined, title: `${key} is gone` });
      if (failed.length > 0) bench.readersOf.set(key, failed);
    }
    return bench;
  }

  /** Restores one of the checkpoints that read the damaged object, another one each time; one that none reads harms none. */
  async tryNext(damage: Damage): Promise<Outcome> {
    const readers = this.readersOf.get(damage.key) ?? [...this.specimen.states.keys()];
    this.turn += 1;
    return this.tryRestores(damage, [readers[this.turn % readers.length]]);
  }

  /** Restores checkpoints, all of them if none are named; what does not hold the promise is thrown. */
  async tryRestores(damage: Damage, ids = [...this.specimen.states.keys()]): Promise<Outcome> {
    this.storage.damage = damage;
    const whole: string[] = [];
    const store = await this.open(damage);
    for (const id of store === undefined ? [] : ids) {
      const restored = await this.restore(damage, store, id);
      if (restored === undefined) continue;
      if (!isSameState(restored, this.specimen.states.get(id) ?? null))
        throw new Error(`${damage.title}: ${id} came back with other bytes`);
      whole.push(id);
    }
    return { whole, failed: ids.filter((id) => !whole.includes(id)) };
  }

  /** Checks the damaged store, all data included; returns the number of faults that are reported. */
  async faults(damage: Damage): Promise<number> {
    this.storage.damage = damage;
    const store = await this.open(damage);
    return store === undefined ? 1 : (await store.check({ readData: 100 })).damaged.length;
  }

  /** Opens a store like `openStore`, but with kernels that are there already: making them takes longer than all the rest. */
  private openOver(storage: Storage, configBytes: Uint8Array | undefined): Store {
    const { environment, hasher } = this.tools;
    const config = decodeStoreConfig(hasher, configBytes ?? new Uint8Array(), 'thetalog.json');
    return new Store({
      ...this.tools,
      storage,
      config,
      roots: new RootStore(storage, hasher, environment),
      catalogue: new Catalogue(storage, hasher),
      cache: new ReadCache({ storage, config, hasher }),
    });
  }

  private async open(damage: Damage): Promise<Store | undefined> {
    try {
      return this.openOver(this.storage, await this.storage.get('thetalog.json'));
    } catch (error) {
      assertTyped(error, damage);
      return undefined;
    }
  }

  /**
   * Repairs a copy of the damaged store, dropping what is lost; what then is in it must be sound, and what could be restored
   * before must still come back.
   */
  async tryRepair(damage: Damage): Promise<void> {
    const { whole } = await this.tryRestores(damage);
    const copy = new MemoryStorage();
    for await (const { key } of this.storage.list('')) {
      const bytes = this.storage.find(key) ?? new Uint8Array();
      if (key === 'root') await copy.putIfMatch(key, bytes, undefined);
      else await copy.putIfAbsent(key, [bytes]);
    }
    let store: Store;
    try {
      store = this.openOver(copy, await copy.get('thetalog.json'));
      await store.repair({ dropDamaged: true });
    } catch (error) {
      if (whole.length > 0) throw error;
      return assertTyped(error, damage);
    }
    const { damaged } = await store.check({ readData: 100 });
    expect(damaged, damage.title).toEqual([]);
    for (const id of whole) {
      const restored = await store.run('any').restore(id);
      const isSame = isSameState(restored, this.specimen.states.get(id) ?? null);
      expect(isSame, `${damage.title}: ${id} after repair`).toBe(true);
    }
  }

  private async restore(
    damage: Damage,
    store: Store | undefined,
    id: string,
  ): Promise<StateValue | undefined> {
    try {
      return await store?.run('any').restore(id);
    } catch (error) {
      assertTyped(error, damage);
      return undefined;
    }
  }
}

function assertTyped(error: unknown, { title }: Damage): void {
  if (isThetalogError(error, 'corrupt', 'unsupported', 'not-found')) return;
  throw new Error(`${title}: no typed error`, { cause: error });
}

/** Compares bytes, so that NaN and -0 count; vitest's equality takes a hundred times as long. */
function isSameState(a: StateValue, b: StateValue): boolean {
  if (ArrayBuffer.isView(a) && ArrayBuffer.isView(b)) return isSameBytes(a, b);
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return Object.is(a, b);
  const [left, right] = [Object.entries(a), Object.entries(b)];
  return (
    left.length === right.length &&
    left.every(
      ([name, value]) =>
        Object.hasOwn(b, name) && isSameState(value, (b as Record<string, StateValue>)[name]),
    )
  );
}

function isSameBytes(a: ArrayBufferView, b: ArrayBufferView): boolean {
  const bytes = (view: ArrayBufferView) => Buffer.from(view.buffer, view.byteOffset, view.byteLength);
  return a.constructor === b.constructor && bytes(a).equals(bytes(b));
}

/** Returns the damage of one flipped bit. */
export function flippedBit(specimen: Specimen, key: string, bit: number): Damage {
  const bytes = copyOf(specimen, key);
  bytes[bit >>> 3] ^= 1 << (bit & 7);
  return { key, bytes, title: `bit ${bit & 7} of byte ${bit >>> 3} of ${key}` };
}

/** Yields every object cut off, extended, and with sectors of zeros, about `each` of a kind for every object. */
export function* otherDamages(specimen: Specimen, each: number): Generator<Damage> {
  for (const [key, whole] of specimen.objects) {
    yield { key, bytes: undefined, title: `${key} is gone` };
    for (let count = 0; count < each; count++) {
      const length = Math.floor((whole.length * count) / each);
      yield { key, bytes: whole.slice(0, length), title: `${key} cut off at ${length}` };
      const longer = new Uint8Array(whole.length + 1 + count);
      longer.set(whole);
      yield { key, bytes: longer, title: `${key} with ${1 + count} more bytes` };
      const start = Math.floor(length / SECTOR_BYTES) * SECTOR_BYTES;
      const zeroed = whole.slice().fill(0, start, start + SECTOR_BYTES);
      yield { key, bytes: zeroed, title: `${key} with a sector of zeros at ${start}` };
      const swapped = whole.slice();
      swapped.copyWithin(start, 0, Math.min(SECTOR_BYTES, whole.length - start));
      yield { key, bytes: swapped, title: `${key} with its first sector at ${start}, too` };
    }
  }
}

/** Yields every object in the place of every other one, of whatever kind. */
export function* misplacedObjects(specimen: Specimen): Generator<Damage> {
  for (const key of specimen.objects.keys()) {
    for (const [other, bytes] of specimen.objects)
      if (other !== key) yield { key, bytes, title: `${other} in the place of ${key}` };
  }
}

function copyOf({ objects }: Specimen, key: string): Uint8Array {
  const bytes = objects.get(key);
  expect(bytes, key).toBeDefined();
  return bytes?.slice() ?? new Uint8Array();
}

/** Returns `count` bits of a specimen, spread over all objects, the same ones for the same seed; with all of them in order. */
export function* bitsOf(
  { objects }: Specimen,
  count: number,
  seed = 1,
): Generator<[key: string, bit: number]> {
  const keys = [...objects].map(([key, { length }]) => ({ key, bits: length * 8 }));
  const total = keys.reduce((sum, { bits }) => sum + bits, 0);
  const next = randomNumbers(seed);
  const exhaustive = count >= total;
  for (let index = 0; index < Math.min(count, total); index++) {
    let bit = exhaustive ? index : Math.floor(((index + next()) / count) * total);
    for (const { key, bits } of keys) {
      if (bit < bits) {
        yield [key, bit];
        break;
      }
      bit -= bits;
    }
  }
}
