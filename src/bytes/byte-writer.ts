/** Growing little-endian writer, the counterpart of ByteReader. */
export class ByteWriter {
  private buffer: Uint8Array;
  private view: DataView;
  length = 0;

  /** Writes into the given buffer, or one of the given size, and into a larger one when that is full. */
  constructor(start: number | Uint8Array = 256) {
    this.buffer = typeof start === 'number' ? new Uint8Array(start) : start;
    this.view = viewOf(this.buffer);
  }

  private reserve(count: number): number {
    const start = this.length;
    if (start + count > this.buffer.length) {
      const grown = new Uint8Array(Math.max(this.buffer.length * 2, start + count));
      grown.set(this.buffer.subarray(0, start));
      this.buffer = grown;
      this.view = viewOf(grown);
    }
    this.length = start + count;
    return start;
  }

  u8(value: number): void {
    const at = this.reserve(1);
    this.view.setUint8(at, value);
  }

  u16(value: number): void {
    const at = this.reserve(2);
    this.view.setUint16(at, value, true);
  }

  u32(value: number): void {
    const at = this.reserve(4);
    this.view.setUint32(at, value, true);
  }

  u64(value: number): void {
    const at = this.reserve(8);
    this.view.setUint32(at, value % 2 ** 32, true);
    this.view.setUint32(at + 4, Math.floor(value / 2 ** 32), true);
  }

  bigU64(value: bigint): void {
    const at = this.reserve(8);
    this.view.setBigUint64(at, value, true);
  }

  f64(value: number): void {
    const at = this.reserve(8);
    this.view.setFloat64(at, value, true);
  }

  /** LEB128 unsigned integer. Throws for what is no non-negative safe integer: a reader would not take it. */
  varint(value: number): void {
    if (!Number.isSafeInteger(value) || value < 0)
      throw new RangeError(`no variable-length number: ${value}`);
    let rest = value;
    while (rest >= 0x80) {
      this.u8((rest % 128) + 128);
      rest = Math.floor(rest / 128);
    }
    this.u8(rest);
  }

  bytes(source: Uint8Array): void {
    const at = this.reserve(source.length);
    this.buffer.set(source, at);
  }

  /** Returns room for `count` bytes behind what was written; `close` says how many of them were used. */
  open(count: number): Uint8Array {
    const at = this.reserve(count);
    this.length = at;
    return this.buffer.subarray(at, at + count);
  }

  close(used: number): void {
    this.length += used;
  }

  /** The bytes written so far, as a view that stays valid until the next write. */
  written(): Uint8Array {
    return this.buffer.subarray(0, this.length);
  }

  /** The bytes written so far, as an own copy. */
  finish(): Uint8Array {
    return this.buffer.slice(0, this.length);
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
