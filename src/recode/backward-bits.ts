/** Bits that are read from the end of their bytes to the start, as zstd writes them: the highest bit set ends them. */
export class BackwardBits {
  /** Bits left; below 0: more were taken than there are, as zeros. */
  left: number;
  private readonly bytes: Uint8Array;
  private readonly start: number;

  /** Takes `bytes[start, end)`; `left` is -1 if no bit ends them. */
  constructor(bytes: Uint8Array, start: number, end: number) {
    this.bytes = bytes;
    this.start = start;
    const last = end > start ? bytes[end - 1] : 0;
    this.left = last === 0 ? -1 : (end - start) * 8 - 1 - Math.clz32(last << 24);
  }

  /** Returns the next `count` bits, 31 at most, as a number. */
  read(count: number): number {
    this.left -= count;
    if (count === 0) return 0;
    if (this.left < 0) return this.beyond(count);
    const at = this.start + (this.left >>> 3);
    const shift = this.left & 7;
    const { bytes } = this;
    let value = (bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24)) >>> shift;
    if (shift + count > 32) value |= bytes[at + 4] << (32 - shift);
    return value & (2 ** count - 1);
  }

  /** Where bits are missing at the front they are zeros. */
  private beyond(count: number): number {
    const missing = -this.left;
    if (missing >= count) return 0;
    const { left } = this;
    this.left = count - missing;
    const value = this.read(count - missing) * 2 ** missing;
    this.left = left;
    return value;
  }
}
