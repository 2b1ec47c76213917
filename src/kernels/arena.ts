/** Memory in which kernels use bytes where they are. Bytes from anywhere else they copy in and out, a block at a time. */

/** Kernels read and write whole steps: what they may touch beyond an array. */
const SLACK_BYTES = 256;

/** Arrays begin at a multiple of this: no vector of theirs crosses a cache line. */
const ALIGNMENT = 64;

/**
 * A stack of arrays over one buffer that never moves or grows. Arrays stay valid until a mark below them is released;
 * their content is undefined until it is written.
 */
export class Arena {
  private readonly buffer: ArrayBuffer;
  private readonly end: number;
  private at: number;

  /** The arena is bytes `[start, end)` of the buffer. */
  constructor(buffer: ArrayBuffer, start: number, end: number) {
    this.buffer = buffer;
    this.at = start;
    this.end = end;
  }

  /** Bytes that one array could still have. */
  get free(): number {
    return Math.max(0, this.end - this.at - SLACK_BYTES - ALIGNMENT);
  }

  /** Returns an array, or undefined where it does not fit: the caller then takes ordinary memory. */
  take(length: number): Uint8Array | undefined {
    if (length > this.free) return undefined;
    const start = Math.ceil(this.at / ALIGNMENT) * ALIGNMENT;
    this.at = start + length + SLACK_BYTES;
    return new Uint8Array(this.buffer, start, length);
  }

  /** Returns whether bytes lie in this arena, so that kernels need not copy them. */
  holds(bytes: Uint8Array): boolean {
    return bytes.buffer === this.buffer;
  }

  /** Returns where the stack ends now, for release. */
  mark(): number {
    return this.at;
  }

  /** Gives back all arrays that were taken since the mark. */
  release(mark: number): void {
    this.at = mark;
  }
}
