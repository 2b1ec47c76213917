/** Writes the immutable objects of one writing operation under names of its own and counts their bytes. */
import { ThetalogError } from '../errors.js';
import type { Storage } from '../storage/index.js';

export class ObjectWriter {
  /** First part of the names of all its objects. */
  readonly attempt: string;
  /** Keys written so far. */
  readonly keys: string[] = [];
  /** Bytes written so far. */
  bytes = 0;
  private readonly storage: Storage;
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
    for (const part of parts) this.bytes += part.length;
  }
}
