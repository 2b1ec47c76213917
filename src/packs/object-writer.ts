/** Writes the immutable objects of one writing operation under names of its own and counts their bytes. */
import { ThetalogError } from '../errors.js';
import type { ObjectKind } from '../format/index.js';
import type { Storage } from '../storage/index.js';

export class ObjectWriter {
  /** First part of the names of all its objects. */
  readonly attempt: string;
  /** Keys written so far. */
  readonly keys: string[] = [];
  /** Bytes written so far. */
  bytes = 0;
  private readonly storage: Storage;
  private readonly bytesByKind = new Map<string, number>();
  private counter = 0;

  constructor(storage: Storage, attempt: string) {
    this.storage = storage;
    this.attempt = attempt;
  }

  /** Returns a name that no object has had or will have. */
  newName(): string {
    return `${this.attempt}-${this.counter++}`;
  }

  /** Writes a new object; it is durable when this resolves. */
  async put(key: string, parts: readonly Uint8Array[]): Promise<void> {
    if (!(await this.storage.putIfAbsent(key, parts))) {
      throw new ThetalogError('conflict', 'name-taken', `${key} exists already.`, { object: key });
    }
    this.keys.push(key);
    const size = parts.reduce((sum, part) => sum + part.length, 0);
    this.bytes += size;
    const kind = key.slice(0, key.indexOf('/'));
    this.bytesByKind.set(kind, this.bytesOf(kind as ObjectKind) + size);
  }

  /** Returns the bytes of the objects of one kind. */
  bytesOf(kind: ObjectKind): number {
    return this.bytesByKind.get(kind) ?? 0;
  }
}
