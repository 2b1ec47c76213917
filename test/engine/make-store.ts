/** Stores for tests: in memory, small chunks, with a clock and a source of names that tests control. */
import { type Environment, MemoryStorage, openStore, type Storage, type Store } from '../../src/index.js';
import { createStore } from '../../src/lifecycle/store.js';

/** Elements in a chunk of test stores: the least there may be, so that small tensors have several chunks. */
export const CHUNK_ELEMENTS = 1024;

/** An environment that never waits, and whose names and times are the same in every run. */
export class TestEnvironment implements Environment {
  /** Milliseconds since 1970. */
  clock = 1_700_000_000_000;
  private counter = 0;
  private readonly seed: number;

  /** Two environments that write into one store need different seeds. */
  constructor(seed = 1) {
    this.seed = seed;
  }

  now(): number {
    return this.clock;
  }

  randomHex(bytes: number): string {
    this.counter += 1;
    let text = '';
    for (let word = 0; text.length < bytes * 2; word++) {
      text += mix(this.seed * 0x10001 + this.counter * 31 + word * 7)
        .toString(16)
        .padStart(8, '0');
    }
    return text.slice(0, bytes * 2);
  }

  async sleep(): Promise<void> {}
}

function mix(value: number): number {
  let x = Math.imul(value ^ (value >>> 16), 0x45d9f3b);
  x = Math.imul(x ^ (x >>> 16), 0x45d9f3b);
  return (x ^ (x >>> 16)) >>> 0;
}

/** A store and what it stands on. */
export interface TestStore {
  store: Store;
  storage: Storage;
  environment: TestEnvironment;
}

/** Creates an empty store. */
export async function makeStore(
  storage: Storage = new MemoryStorage(),
  { chunkElements = CHUNK_ELEMENTS } = {},
): Promise<TestStore> {
  const environment = new TestEnvironment();
  const store = await createStore(storage, { chunkElements, environment });
  return { store, storage, environment };
}

/** Opens a store a second time, as another process would. */
export async function openAgain(storage: Storage, seed = 2): Promise<Store> {
  return openStore(storage, { environment: new TestEnvironment(seed) });
}

/** Returns the sizes of all physical objects by key. */
export async function sizesOf(storage: Storage): Promise<Map<string, number>> {
  const sizes = new Map<string, number>();
  for await (const { key, size } of storage.list('')) sizes.set(key, size);
  return sizes;
}

/** Returns the bytes of all physical objects. */
export async function bytesIn(storage: Storage): Promise<number> {
  return [...(await sizesOf(storage)).values()].reduce((sum, size) => sum + size, 0);
}
