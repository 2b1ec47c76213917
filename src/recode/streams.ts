/** Where bytes come from and go to, a window at a time: files here are larger than memory. */

/** Bytes at any offset, at once. */
export interface ByteInput {
  readonly size: number;
  /** Fills `target` with the bytes from `offset` on; they are all there. */
  read(offset: number, target: Uint8Array): void;
}

export interface ByteOutput {
  write(bytes: Uint8Array, position: number): void;
}

const INPUT_BYTES = 2 ** 20;
const CONTENT_BYTES_MIN = 4096;

/** Reads an input nearly from front to end. */
export class InputWindow {
  readonly size: number;
  private readonly input: ByteInput;
  private readonly buffer: Uint8Array;
  private start = 0;
  private end = 0;

  constructor(input: ByteInput) {
    this.input = input;
    this.size = input.size;
    this.buffer = new Uint8Array(Math.min(INPUT_BYTES, input.size));
  }

  /** Returns bytes, which stay as they are until the next call; undefined beyond the end. */
  view(offset: number, length: number): Uint8Array | undefined {
    if (length > INPUT_BYTES) return this.viewLarge(offset, length);
    if (length > this.size - offset) return undefined;
    if (offset < this.start || offset + length > this.end) {
      this.start = offset;
      this.end = Math.min(this.size, offset + INPUT_BYTES);
      this.input.read(offset, this.buffer.subarray(0, this.end - offset));
    }
    return this.buffer.subarray(offset - this.start, offset - this.start + length);
  }

  private viewLarge(offset: number, length: number): Uint8Array | undefined {
    if (length > this.size - offset) return undefined;
    const bytes = new Uint8Array(length);
    this.input.read(offset, bytes);
    return bytes;
  }
}

/** Bytes on their way to an output, of which those that were written last can be copied. */
export class ContentBuffer {
  private readonly output: ByteOutput;
  private bytes = new Uint8Array(CONTENT_BYTES_MIN);
  private readonly kept: number;
  private end = 0;
  private flushed = 0;
  private window = 0;
  /** Of the output, where `bytes[0]` belongs. */
  private origin: number;

  /** What was written since `begin` is kept, as long as it is at most `kept` bytes. */
  constructor(output: ByteOutput, position: number, kept: number) {
    this.output = output;
    this.kept = kept;
    this.origin = position;
  }

  /** Where in the output the next byte belongs. */
  get position(): number {
    return this.origin + this.end;
  }

  /** Begins something of which nothing before is copied. */
  begin(window: number): void {
    this.flush();
    this.origin += this.end;
    this.end = 0;
    this.flushed = 0;
    this.window = window;
  }

  /** Goes back to where `begin` was called. */
  rewind(position: number): void {
    this.origin = position;
    this.end = 0;
    this.flushed = 0;
  }

  /** Returns room for `count` bytes, 1 MiB at most, which are in it when the next method is called. */
  room(count: number): Uint8Array {
    if (this.end + count > this.bytes.length) this.makeRoom(count);
    this.end += count;
    return this.bytes.subarray(this.end - count, this.end);
  }

  /** Returns all bytes from `position` on, where `begin` was called; undefined if they are not kept. */
  since(position: number): Uint8Array | undefined {
    return this.origin === position ? this.bytes.subarray(0, this.end) : undefined;
  }

  append(bytes: Uint8Array): void {
    this.room(bytes.length).set(bytes);
  }

  /** Appends a copy of `count` bytes that begins `offset` bytes before the end, and may reach into itself; false: too far. */
  copy(offset: number, count: number): boolean {
    if (offset > Math.min(this.window, this.end)) return false;
    this.room(count);
    const { bytes, end } = this;
    const start = end - count;
    if (offset >= count) bytes.copyWithin(start, start - offset, start - offset + count);
    else for (let at = start; at < end; at++) bytes[at] = bytes[at - offset];
    return true;
  }

  flush(): void {
    if (this.flushed === this.end) return;
    this.output.write(this.bytes.subarray(this.flushed, this.end), this.origin + this.flushed);
    this.flushed = this.end;
  }

  private makeRoom(count: number): void {
    const most = Math.max(this.kept, 2 * this.window) + INPUT_BYTES;
    if (this.end + count > most) this.slide();
    if (this.end + count <= this.bytes.length) return;
    const grown = new Uint8Array(Math.max(this.end + count, Math.min(most, 2 * this.bytes.length)));
    grown.set(this.bytes.subarray(0, this.end));
    this.bytes = grown;
  }

  private slide(): void {
    this.flush();
    const kept = Math.min(this.window, this.end);
    this.bytes.copyWithin(0, this.end - kept, this.end);
    this.origin += this.end - kept;
    this.end = kept;
    this.flushed = kept;
  }
}
