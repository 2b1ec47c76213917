/** Bits in bytes, the least significant bit of a byte first; used for frequency tables only. */
import type { ByteReader, ByteWriter } from '../bytes/index.js';

/** Numbers of a gamma code are below 2^16: more leading zeros are damage. */
const GAMMA_BITS_MAX = 16;

export class BitWriter {
  private readonly writer: ByteWriter;
  private pending = 0;
  private count = 0;

  constructor(writer: ByteWriter) {
    this.writer = writer;
  }

  /** Writes the `count` (at most 16) lower bits of `value`, the lowest first. */
  bits(value: number, count: number): void {
    this.pending |= value << this.count;
    this.count += count;
    for (; this.count >= 8; this.count -= 8) {
      this.writer.u8(this.pending & 0xff);
      this.pending >>>= 8;
    }
  }

  /** Writes a non-negative integer: as many zeros as value + 1 has bits below its highest, a one, then those bits. */
  gamma(value: number): void {
    const length = 31 - Math.clz32(value + 1);
    this.bits(0, length);
    this.bits(1, 1);
    this.bits((value + 1) & ((1 << length) - 1), length);
  }

  /** Fills the last byte with zeros. */
  finish(): void {
    if (this.count > 0) this.writer.u8(this.pending);
    this.pending = 0;
    this.count = 0;
  }
}

export class BitReader {
  private readonly reader: ByteReader;
  private pending = 0;
  private count = 0;

  constructor(reader: ByteReader) {
    this.reader = reader;
  }

  bits(count: number): number {
    for (; this.count < count; this.count += 8) this.pending |= this.reader.u8() << this.count;
    const value = this.pending & ((1 << count) - 1);
    this.pending >>>= count;
    this.count -= count;
    return value;
  }

  gamma(): number {
    let length = 0;
    while (this.bits(1) === 0) {
      length++;
      if (length >= GAMMA_BITS_MAX)
        this.reader.fail('record-table', 'a number of a frequency table is too long');
    }
    return (1 << length) + this.bits(length) - 1;
  }

  /** Ends at a byte border; the bits left over must be zero, so that a table has one form only. */
  finish(): void {
    if (this.pending !== 0) this.reader.fail('record-table', 'a frequency table is padded with ones');
  }
}
