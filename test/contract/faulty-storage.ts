/** A storage that fails on purpose: at the n-th mutating call, before or after the call took effect. */
import { ThetalogError } from '../../src/errors.js';
import type { Storage, StoredObject, Versioned } from '../../src/storage/index.js';

export interface Fault {
  /** Which mutating call (putIfAbsent, putIfMatch, delete) fails; the first one is 1. */
  at: number;
  /** `before`: nothing happens; `after`: the call takes effect and only its answer is lost. */
  when: 'before' | 'after';
  /** Every later mutating call fails too, without effect: a disk that went away, a process that died. */
  sticky?: boolean;
  /** Which calls count; all if it is missing. */
  matches?: (call: MutatingCall) => boolean;
  /** What is thrown; `unavailable` (`storage-failed`) if it is missing. */
  error?: () => Error;
}

export interface MutatingCall {
  method: 'putIfAbsent' | 'putIfMatch' | 'delete';
  key: string;
}

export class FaultyStorage implements Storage {
  readonly location: string;
  /** The counted calls so far: run once without a fault to learn how many points there are to fail at. */
  readonly calls: MutatingCall[] = [];
  private readonly inner: Storage;
  private readonly fault: Fault | undefined;

  constructor(inner: Storage, fault?: Fault) {
    this.inner = inner;
    this.fault = fault;
    this.location = `faulty ${inner.location}`;
  }

  get(key: string, range?: { offset: number; length: number }): Promise<Uint8Array | undefined> {
    return this.inner.get(key, range);
  }

  getVersioned(key: string): Promise<Versioned | undefined> {
    return this.inner.getVersioned(key);
  }

  list(prefix: string): AsyncIterable<StoredObject> {
    return this.inner.list(prefix);
  }

  putIfAbsent(key: string, parts: readonly Uint8Array[]): Promise<boolean> {
    return this.mutate({ method: 'putIfAbsent', key }, () => this.inner.putIfAbsent(key, parts));
  }

  putIfMatch(key: string, bytes: Uint8Array, version: string | undefined): Promise<string | undefined> {
    return this.mutate({ method: 'putIfMatch', key }, () => this.inner.putIfMatch(key, bytes, version));
  }

  close(): Promise<void> {
    return this.inner.close();
  }

  delete(key: string): Promise<void> {
    return this.mutate({ method: 'delete', key }, () => this.inner.delete(key));
  }

  private async mutate<T>(call: MutatingCall, action: () => Promise<T>): Promise<T> {
    const { fault } = this;
    if (fault?.matches?.(call) === false) return action();
    this.calls.push(call);
    if (fault === undefined) return action();
    const number = this.calls.length;
    if (number < fault.at || (number > fault.at && !fault.sticky)) return action();
    if (number === fault.at && fault.when === 'after') await action();
    throw fault.error?.() ?? injectedError(call);
  }
}

function injectedError({ method, key }: MutatingCall): ThetalogError {
  return new ThetalogError('unavailable', 'storage-failed', `${method} ${key}: injected fault`, {
    object: key,
  });
}
