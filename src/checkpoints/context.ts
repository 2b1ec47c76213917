/** What every operation on an open store works with. */
import type { Codec } from '../codec/index.js';
import type { ComputePool } from '../compute/index.js';
import type { StoreConfig } from '../format/index.js';
import type { Hasher } from '../hash/index.js';
import type { Kernels } from '../kernels/index.js';
import type { ChainLimits, PackMemory, SpareMemory } from '../packs/index.js';
import type { Storage } from '../storage/index.js';
import type { Catalogue } from './catalogue.js';
import type { Environment } from './environment.js';
import type { ReadCache } from './read-cache.js';
import type { RootStore } from './root-store.js';

export interface StoreContext {
  readonly storage: Storage;
  readonly config: StoreConfig;
  readonly kernels: Kernels;
  readonly hasher: Hasher;
  readonly codec: Codec;
  /** How long saves let chains get. */
  readonly chainLimits: ChainLimits;
  readonly compute: ComputePool;
  /** Bytes of the latest state of a run that stay in memory. */
  readonly baseMemory: number;
  /** Kept from save to save. */
  readonly packMemory: PackMemory;
  /** Shared by all open stores of a thread, kept from one operation to the next. */
  readonly spareMemory: SpareMemory;
  readonly environment: Environment;
  readonly roots: RootStore;
  readonly catalogue: Catalogue;
  /** For whoever reads checkpoints; whoever looks after the store reads what is in it. */
  readonly cache: ReadCache;
}
