/** The physical objects of a store as one listing found them, and which of them were looked at since. */
import { corrupt } from '../errors.js';
import { attemptOf, isObjectName, OBJECT_KINDS, type ObjectKind } from '../format/index.js';
import type { Storage } from '../storage/index.js';

/** The kinds of objects that gc may free; leases have a life of their own. */
const COLLECTED_PREFIXES = [...OBJECT_KINDS.filter((kind) => kind !== 'leases'), 'tmp'].map(
  (kind) => `${kind}/`,
);

/** Returns true for the key of an object that is garbage unless a live checkpoint refers to it. */
export function isCollected(key: string): boolean {
  return attemptOf(key) !== undefined && COLLECTED_PREFIXES.some((prefix) => key.startsWith(prefix));
}

export class Inventory {
  /** Keys of the objects that were read so far. */
  readonly seen = new Set<string>();
  private readonly storage: Storage;
  private readonly sizes = new Map<string, number>();

  private constructor(storage: Storage) {
    this.storage = storage;
  }

  /**
   * Lists a storage. Take it after reading a root: everything that root refers to was durable before, so that what the
   * listing lacks is missing or was collected since.
   */
  static async take(storage: Storage): Promise<Inventory> {
    const inventory = new Inventory(storage);
    for await (const { key, size } of storage.list('')) inventory.sizes.set(key, size);
    return inventory;
  }

  /** Returns the bytes of all objects. */
  get totalBytes(): number {
    return [...this.sizes.values()].reduce((sum, size) => sum + size, 0);
  }

  /** Returns the size of an object in bytes; throws `corrupt` if it is not there. */
  size(key: string): number {
    return this.sizes.get(key) ?? missing(key);
  }

  /** Returns whether an object is there and has at least so many bytes. */
  holds(key: string, bytes: number): boolean {
    return (this.sizes.get(key) ?? -1) >= bytes;
  }

  /** Returns the names of all objects of a kind. */
  names(kind: ObjectKind): string[] {
    const keys = [...this.sizes.keys()].filter((key) => key.startsWith(`${kind}/`));
    return keys.map((key) => key.slice(kind.length + 1)).filter(isObjectName);
  }

  /** Reads an object or a part of it; throws `corrupt` if it is not there. */
  async read(key: string, range?: { offset: number; length: number }): Promise<Uint8Array> {
    const bytes = await this.storage.get(key, range);
    if (bytes === undefined) return missing(key);
    this.seen.add(key);
    return bytes;
  }

  /** Yields the objects that gc may free and that are not in `needed`. */
  *unreferenced(needed: ReadonlySet<string>): Generator<{ key: string; size: number }> {
    for (const [key, size] of this.sizes) if (isCollected(key) && !needed.has(key)) yield { key, size };
  }
}

function missing(key: string): never {
  throw corrupt('missing-object', 'is not in the store', key);
}
