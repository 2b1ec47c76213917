/** A storage that lets something else happen between the calls of whoever uses it. */
import type { Storage, StoredObject, Versioned } from '../../src/index.js';

export interface Call {
  /** Mutating calls and calls of `get` count from 1 on, each for themselves; of others all calls count. */
  number: number;
  method: 'putIfAbsent' | 'putIfMatch' | 'delete' | 'get' | 'getVersioned' | 'list';
  key: string;
}

export const MUTATING: ReadonlySet<Call['method']> = new Set(['putIfAbsent', 'putIfMatch', 'delete']);

export class HookedStorage implements Storage {
  readonly location = 'hooked';
  /** Mutating calls so far. */
  count = 0;
  /** Calls of `get` so far. */
  reads = 0;
  /** All calls so far. */
  calls = 0;
  private readonly inner: Storage;
  private readonly before: (call: Call) => Promise<void>;

  /** `before` runs to its end before each call; it may use the inner storage, not this one. */
  constructor(inner: Storage, before: (call: Call) => Promise<void>) {
    this.inner = inner;
    this.before = before;
  }

  async get(key: string, range?: { offset: number; length: number }): Promise<Uint8Array | undefined> {
    this.reads += 1;
    this.calls += 1;
    await this.before({ number: this.reads, method: 'get', key });
    return this.inner.get(key, range);
  }

  async getVersioned(key: string): Promise<Versioned | undefined> {
    this.calls += 1;
    await this.before({ number: this.calls, method: 'getVersioned', key });
    return this.inner.getVersioned(key);
  }

  async *list(prefix: string): AsyncIterable<StoredObject> {
    this.calls += 1;
    await this.before({ number: this.calls, method: 'list', key: prefix });
    yield* this.inner.list(prefix);
  }

  async putIfAbsent(key: string, parts: readonly Uint8Array[]): Promise<boolean> {
    await this.call('putIfAbsent', key);
    return this.inner.putIfAbsent(key, parts);
  }

  async putIfMatch(key: string, bytes: Uint8Array, version: string | undefined): Promise<string | undefined> {
    await this.call('putIfMatch', key);
    return this.inner.putIfMatch(key, bytes, version);
  }

  async delete(key: string): Promise<void> {
    await this.call('delete', key);
    return this.inner.delete(key);
  }

  close(): Promise<void> {
    return this.inner.close();
  }

  private call(method: Call['method'], key: string): Promise<void> {
    this.count += 1;
    this.calls += 1;
    return this.before({ number: this.count, method, key });
  }
}
