/** Creates and opens stores. */
import { type Codec, createCodec } from '../codec/index.js';
import { ComputePool } from '../compute/index.js';
import { ThetalogError } from '../errors.js';
import {
  CONFIG_KEY,
  decodeStoreConfig,
  encodeStoreConfig,
  isChunkElements,
  limits,
  type StoreConfig,
} from '../format/index.js';
import { type Hasher, loadHasher } from '../hash/index.js';
import { type Kernels, loadKernels } from '../kernels/index.js';
import { CHAIN_LIMITS, chainLimits, PackMemory, SpareMemory } from '../packs/index.js';
import { createFileStorage, openFileStorage, type Storage } from '../storage/index.js';
import { Catalogue } from './catalogue.js';
import type { StoreContext } from './context.js';
import { type Environment, systemEnvironment } from './environment.js';
import { ReadCache } from './read-cache.js';
import { RootStore } from './root-store.js';
import type { ChainOptions } from './types.js';

export interface OpenOptions extends ChainOptions {
  /** Threads that encode and decode, at most 16; 0: none. Default: one for every core. */
  workers?: number;
  /**
   * Bytes of the state that a run saved last to keep in memory, and as much of buffers for the next: what did not change is
   * then neither copied nor hashed, and the rest is compared with it instead of the store. Default: all of it.
   */
  baseMemory?: number;
  environment?: Environment;
}

export interface CreateOptions extends OpenOptions {
  /** Elements in a chunk: 1,024 to 1,048,576, default 262,144. Fixed for the store's life. */
  chunkElements?: number;
}

/**
 * Creates an empty store and opens it; an existing one is a `conflict`. The config comes last and makes it a store: what an
 * interrupted attempt left behind is an empty root, which the next attempt takes over.
 */
export async function createContext(
  location: string | Storage,
  options: CreateOptions = {},
): Promise<StoreContext> {
  const chunkElements = options.chunkElements ?? limits.CHUNK_ELEMENTS_DEFAULT;
  if (!isChunkElements(chunkElements)) {
    const message = `A chunk cannot have ${chunkElements} elements.`;
    const hint = `Use ${limits.CHUNK_ELEMENTS_MIN} to ${limits.CHUNK_ELEMENTS_MAX}.`;
    throw new ThetalogError('invalid', 'bad-chunk-elements', message, { object: 'chunkElements', hint });
  }
  const storage = typeof location === 'string' ? await createFileStorage(localPath(location)) : location;
  if ((await storage.get(CONFIG_KEY)) !== undefined) throw storeExists(storage);
  const { environment = systemEnvironment } = options;
  const config = { id: environment.randomHex(16), chunkElements };
  const context = await makeContext(storage, { ...options, environment }, () => config);
  await context.roots.create();
  const bytes = encodeStoreConfig(context.hasher, config);
  if (!(await storage.putIfAbsent(CONFIG_KEY, [bytes]))) throw storeExists(storage);
  await storage.space?.keepReserve();
  return context;
}

function storeExists(storage: Storage): ThetalogError {
  return new ThetalogError('conflict', 'store-exists', `${storage.location} is a store already.`, {
    object: storage.location,
    hint: 'Use it as it is, or choose another place.',
  });
}

/** Opens a store; a place without one is `not-found`. */
export async function openContext(
  location: string | Storage,
  options: OpenOptions = {},
): Promise<StoreContext> {
  const storage = typeof location === 'string' ? await openFileStorage(localPath(location)) : location;
  const config = await storage.get(CONFIG_KEY);
  if (config === undefined) {
    throw new ThetalogError('not-found', 'no-store', `There is no thetalog store at ${storage.location}.`, {
      object: storage.location,
      hint: 'Create one with: thetalog init',
    });
  }
  return makeContext(storage, options, (hasher) => decodeStoreConfig(hasher, config, CONFIG_KEY));
}

async function makeContext(
  storage: Storage,
  options: OpenOptions,
  configOf: (hasher: Hasher) => StoreConfig,
): Promise<StoreContext> {
  const { environment = systemEnvironment, workers } = options;
  const { kernels, hasher, codec, spareMemory } = await threadTools();
  const config = configOf(hasher);
  return {
    storage,
    config,
    kernels,
    hasher,
    codec,
    chainLimits: chainLimits(options, CHAIN_LIMITS),
    compute: new ComputePool(
      { kernels, codec, hasher, now: () => environment.now(), kept: new Map() },
      workers,
    ),
    packMemory: new PackMemory(),
    spareMemory,
    baseMemory: options.baseMemory ?? Number.POSITIVE_INFINITY,
    environment,
    roots: new RootStore(storage, hasher, environment),
    catalogue: new Catalogue(storage, hasher),
    cache: new ReadCache({ storage, config, hasher }),
  };
}

interface Tools {
  readonly kernels: Kernels;
  readonly hasher: Hasher;
  readonly codec: Codec;
  readonly spareMemory: SpareMemory;
}

const toolsOf = new WeakMap<Kernels, Tools>();
let latest: WeakRef<Kernels> | undefined;

/**
 * Kernels have 61 MiB of memory and take 20 ms to start; all open stores of a thread share them, as no job awaits anything
 * while it uses them. They go with the last store.
 */
async function threadTools(): Promise<Tools> {
  const running = latest?.deref();
  const shared = running && toolsOf.get(running);
  if (shared !== undefined) return shared;
  const kernels = loadKernels();
  const hasher = await loadHasher(kernels);
  const made = { kernels, hasher, codec: createCodec(kernels), spareMemory: new SpareMemory() };
  toolsOf.set(kernels, made);
  latest = new WeakRef(kernels);
  return made;
}

function localPath(location: string): string {
  if (/^[a-z][a-z0-9+.-]+:\/\//i.test(location)) {
    throw new ThetalogError(
      'unsupported',
      'no-such-storage',
      `${location}: only directories can hold a store so far.`,
      {
        object: location,
      },
    );
  }
  return location;
}
