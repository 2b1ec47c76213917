/** Storage in memory, for tests and for short-lived stores. Nothing survives the process. */
import { ThetalogError } from '../errors.js';
import type { Storage, StoredObject, Versioned } from './storage.js';
import { checkKey, checkRange, checkWritableKey, TEMPORARY_PREFIX } from './storage-key.js';

export class MemoryStorage implements Storage {
  readonly location = 'memory';
  private readonly objects = new Map<string, Uint8Array>();
  /** Mutable objects; each is listed as one object of its current size. */
  private readonly versioned = new Map<string, { bytes: Uint8Array; version: number }>();

  async get(key: string, range?: { offset: number; length: number }): Promise<Uint8Array | undefined> {
    checkKey(key);
    if (range !== undefined) checkRange(key, range);
    this.checkImmutable(key);
    if (key.startsWith(TEMPORARY_PREFIX)) return undefined;
    const bytes = this.objects.get(key);
    return range === undefined ? bytes?.slice() : bytes?.slice(range.offset, range.offset + range.length);
  }

  async putIfAbsent(key: string, parts: readonly Uint8Array[]): Promise<boolean> {
    checkWritableKey(key);
    if (this.objects.has(key) || this.versioned.has(key)) return false;
    this.objects.set(key, concatenate(parts));
    return true;
  }

  async getVersioned(key: string): Promise<Versioned | undefined> {
    checkWritableKey(key);
    this.checkMutable(key);
    const current = this.versioned.get(key);
    return current && { bytes: current.bytes.slice(), version: String(current.version) };
  }

  async putIfMatch(key: string, bytes: Uint8Array, version: string | undefined): Promise<string | undefined> {
    checkWritableKey(key);
    this.checkMutable(key);
    const current = this.versioned.get(key);
    if (current === undefined ? version !== undefined : version !== String(current.version)) return undefined;
    const next = (current?.version ?? 0) + 1;
    this.versioned.set(key, { bytes: bytes.slice(), version: next });
    return String(next);
  }

  async *list(prefix: string): AsyncIterable<StoredObject> {
    const objects = [...this.objects].map(([key, bytes]) => ({ key, size: bytes.byteLength }));
    const versioned = [...this.versioned].map(([key, { bytes }]) => ({ key, size: bytes.byteLength }));
    for (const object of [...objects, ...versioned]) if (object.key.startsWith(prefix)) yield object;
  }

  async delete(key: string): Promise<void> {
    checkKey(key);
    this.checkImmutable(key);
    this.objects.delete(key);
  }

  private checkImmutable(key: string): void {
    if (this.versioned.has(key)) throw wrongKind(key, 'a mutable');
  }

  async close(): Promise<void> {}

  private checkMutable(key: string): void {
    if (this.objects.has(key)) throw wrongKind(key, 'an immutable');
  }
}

function wrongKind(key: string, kind: string): ThetalogError {
  return new ThetalogError('invalid', 'not-an-object', `${key} is ${kind} object.`, { object: key });
}

function concatenate(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((total, part) => total + part.byteLength, 0));
  let offset = 0;
  for (const part of parts) {
    bytes.set(part, offset);
    offset += part.byteLength;
  }
  return bytes;
}
