/** A storage that lets something else happen between the calls of whoever uses it. */
import type { Storage, StoredObject, Versioned } from '../../src/index.js';

export interface Call {
  /** Mutating calls and reads count from 1 on, each for themselves. */
  number: number;
  method: 'putIfAbsent' | 'putIfMatch' | 'delete' | 'get';
  key: string;
}

export class HookedStorage implements Storage {
  readonly location = 'hooked';
  /** Mutating calls so far. */
  count = 0;
  /** Calls of `get` so far. */
  reads = 0;
  private readonly inner: Storage;
  private readonly before: (call: Call) => Promise<void>;

  /** `before` runs to its end before each mutating call and each `get`; it may use the inner storage, not this one. */
  constructor(inner: Storage, before: (call: Call) => Promise<void>) {
    this.inner = inner;
    this.before = before;
  }

  async get(key: string, range?: { offset: number; length: number }): Promise<Uint8Array | undefined> {
    this.reads += 1;
    await this.before({ number: this.reads, method: 'get', key });
    return this.inner.get(key, range);
  }

  getVersioned(key: string): Promise<Versioned | undefined> {
    return this.inner.getVersioned(key);
  }

  list(prefix: string): AsyncIterable<StoredObject> {
    return this.inner.list(prefix);
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
    return this.before({ number: this.count, method, key });
  }
}
