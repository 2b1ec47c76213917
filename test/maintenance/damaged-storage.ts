/** A storage whose objects can be damaged from outside, as a disk would do it. */
import { decodeRecordsStart } from '../../src/format/index.js';
import type { Storage, StoredObject, Versioned } from '../../src/index.js';

type Edit = (bytes: Uint8Array) => Uint8Array | undefined;

export class DamagedStorage implements Storage {
  readonly location = 'damaged';
  private readonly inner: Storage;
  private readonly edits = new Map<string, Edit>();

  constructor(inner: Storage) {
    this.inner = inner;
  }

  /** Flips a bit of the byte at `offset`; negative offsets count from the end. */
  flip(key: string, offset: number, mask = 0x10): void {
    this.edits.set(key, (bytes) => {
      const copy = bytes.slice();
      copy[offset < 0 ? copy.length + offset : offset] ^= mask;
      return copy;
    });
  }

  /** Flips a bit in the first record of a pack, 32 bytes behind its start. */
  flipRecord(key: string): void {
    this.edits.set(key, (bytes) => {
      const copy = bytes.slice();
      copy[decodeRecordsStart(bytes, key) + 32] ^= 0x10;
      return copy;
    });
  }

  truncate(key: string, length: number): void {
    this.edits.set(key, (bytes) => bytes.slice(0, length));
  }

  remove(key: string): void {
    this.edits.set(key, () => undefined);
  }

  /** Undoes all damage. */
  heal(): void {
    this.edits.clear();
  }

  async get(key: string, range?: { offset: number; length: number }): Promise<Uint8Array | undefined> {
    const edit = this.edits.get(key);
    if (edit === undefined) return this.inner.get(key, range);
    const whole = await this.inner.get(key);
    const edited = whole === undefined ? undefined : edit(whole);
    return range === undefined ? edited : edited?.slice(range.offset, range.offset + range.length);
  }

  async getVersioned(key: string): Promise<Versioned | undefined> {
    const found = await this.inner.getVersioned(key);
    const edit = this.edits.get(key);
    if (found === undefined || edit === undefined) return found;
    const bytes = edit(found.bytes);
    return bytes && { ...found, bytes };
  }

  async *list(prefix: string): AsyncIterable<StoredObject> {
    for await (const object of this.inner.list(prefix)) {
      const edit = this.edits.get(object.key);
      const edited = edit?.(new Uint8Array(object.size));
      if (edit === undefined) yield object;
      else if (edited !== undefined) yield { key: object.key, size: edited.length };
    }
  }

  putIfAbsent(key: string, parts: readonly Uint8Array[]): Promise<boolean> {
    return this.inner.putIfAbsent(key, parts);
  }

  putIfMatch(key: string, bytes: Uint8Array, version: string | undefined): Promise<string | undefined> {
    return this.inner.putIfMatch(key, bytes, version);
  }

  delete(key: string): Promise<void> {
    return this.inner.delete(key);
  }

  close(): Promise<void> {
    return this.inner.close();
  }
}
