/** Writes the immutable objects of one writing operation under names of its own and counts their bytes. */
import { ThetalogError } from '../errors.js';
import type { ObjectKind } from '../format/index.js';
import type { Storage } from '../storage/index.js';

export class ObjectWriter {
  /** First part of the names of all its objects. */
  readonly attempt: string;
  /** Keys written so far, or about to be. */
  readonly keys: string[] = [];
  /** Bytes written so far. */
  bytes = 0;
  /** Whether a root may refer to the objects: then they are gc's alone to remove. */
  mayBeLive = false;
  private readonly storage: Storage;
  private readonly bytesByKind = new Map<string, number>();
  private counter = 0;
  /** Objects being written. */
  private readonly pending = new Set<Promise<boolean>>();
  private discarded = false;

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
    if (this.discarded) throw new Error(`${key} is written after its operation has failed`);
    this.keys.push(key);
    const putting = this.storage.putIfAbsent(key, parts);
    this.pending.add(putting);
    const created = await putting.finally(() => this.pending.delete(putting));
    if (!created) {
      this.keys.splice(this.keys.indexOf(key), 1);
      throw new ThetalogError('conflict', 'name-taken', `${key} exists already.`, { object: key });
    }
    const size = parts.reduce((sum, part) => sum + part.length, 0);
    this.bytes += size;
    const kind = key.slice(0, key.indexOf('/'));
    this.bytesByKind.set(kind, this.bytesOf(kind as ObjectKind) + size);
  }

  /** Removes what a failed operation has written, so that its space comes back at once; gc removes what cannot be. */
  async discard(): Promise<void> {
    if (this.mayBeLive) return;
    this.discarded = true;
    await Promise.allSettled(this.pending);
    for (const key of this.keys) await this.storage.delete(key).catch(() => {});
  }

  /** Returns the bytes of the objects of one kind. */
  bytesOf(kind: ObjectKind): number {
    return this.bytesByKind.get(kind) ?? 0;
  }
}
