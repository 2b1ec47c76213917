import { corrupt } from '../errors.js';

/**
 * Bounded little-endian reader. Every read checks the bounds first and throws `corrupt` naming the object and the
 * offset, so that counts and lengths from a file can never reach past it.
 */
export class ByteReader {
  readonly bytes: Uint8Array;
  readonly object: string;
  offset: number;
  readonly end: number;
  private readonly view: DataView;
  /** Added to offsets in errors: where `bytes[0]` lies in the object. */
  private readonly origin: number;

  constructor(bytes: Uint8Array, object: string, offset = 0, end = bytes.length, origin = 0) {
    this.bytes = bytes;
    this.object = object;
    this.offset = offset;
    this.end = end;
    this.origin = origin;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get remaining(): number {
    return this.end - this.offset;
  }

  /** Throws the typed error for what was just read. */
  fail(code: string, message: string, offset = this.offset): never {
    throw corrupt(code, message, this.object, this.origin + offset);
  }

  private take(count: number): number {
    const start = this.offset;
    if (count < 0 || count > this.end - start) {
      this.fail(
        'truncated',
        `needs ${count} bytes at offset ${this.origin + start}, only ${this.end - start} are left`,
      );
    }
    this.offset = start + count;
    return start;
  }

  u8(): number {
    return this.view.getUint8(this.take(1));
  }

  u16(): number {
    return this.view.getUint16(this.take(2), true);
  }

  u32(): number {
    return this.view.getUint32(this.take(4), true);
  }

  i32(): number {
    return this.view.getInt32(this.take(4), true);
  }

  /** Unsigned 64-bit integer, which must be a safe integer: larger ones are damage here. */
  u64(): number {
    const start = this.take(8);
    const value = this.view.getUint32(start + 4, true) * 2 ** 32 + this.view.getUint32(start, true);
    if (value > Number.MAX_SAFE_INTEGER)
      this.fail('number-too-large', 'a 64-bit number is out of range', start);
    return value;
  }

  bigU64(): bigint {
    return this.view.getBigUint64(this.take(8), true);
  }

  f64(): number {
    return this.view.getFloat64(this.take(8), true);
  }

  /** LEB128 unsigned integer of at most 53 bits. */
  varint(): number {
    const start = this.offset;
    let value = 0;
    let scale = 1;
    for (let length = 1; length <= 8; length++) {
      const byte = this.u8();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        if (value > Number.MAX_SAFE_INTEGER) break;
        return value;
      }
      scale *= 128;
    }
    return this.fail('bad-varint', 'a variable-length number is too long', start);
  }

  /** A view of the next `count` bytes; not a copy. */
  view8(count: number): Uint8Array {
    const start = this.take(count);
    return this.bytes.subarray(start, start + count);
  }

  /** A reader of the same bytes, from the same place on. */
  copy(): ByteReader {
    return new ByteReader(this.bytes, this.object, this.offset, this.end, this.origin);
  }

  /** A reader of the next `count` bytes, which are passed over here; errors name places in the same object. */
  inner(count: number): ByteReader {
    const start = this.take(count);
    return new ByteReader(this.bytes, this.object, start, start + count, this.origin);
  }
}
