import { corrupt } from '../errors.js';
import type { RandomAccess } from './adapter.js';

/**
 * A RandomAccess as parsers see it: offsets and lengths that come out of a file are checked against its size before the
 * file is asked, and a failure of the file itself (a disk error, an abort) is remembered, so that it is never mistaken
 * for damaged content.
 */
export class BoundedSource implements RandomAccess {
  readonly name: string;
  readonly size: number;
  /** What the file itself threw, if it did. */
  failure: unknown;
  private readonly file: RandomAccess;

  constructor(file: RandomAccess) {
    this.file = file;
    this.name = file.name;
    this.size = file.size;
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    if (!Number.isSafeInteger(offset) || !Number.isSafeInteger(length) || offset < 0 || length < 0)
      throw corrupt('truncated', `no such range: ${length} bytes at offset ${offset}`, this.name);
    if (length > this.size - offset) {
      const left = Math.max(0, this.size - offset);
      throw corrupt(
        'truncated',
        `needs ${length} bytes at offset ${offset}, only ${left} are left`,
        this.name,
        Math.min(offset, this.size),
      );
    }
    if (length === 0) return new Uint8Array(0);
    try {
      return await this.file.read(offset, length);
    } catch (error) {
      this.failure = error;
      throw error;
    }
  }
}
