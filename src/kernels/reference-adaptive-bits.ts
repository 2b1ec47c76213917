/**
 * Bits with probabilities that both sides learn, after the arithmetic coder of M. Mahoney's lpaq1, and bits as they are;
 * the plain twin of assembly/adaptive-bits.ts. FORMAT.md, "Adaptive bits".
 */
import { GAP_USES_MAX } from './gap-model.js';

/** Learns `bit`; returns the probability of a 1 before that. */
function learn(state: Uint32Array, at: number, bit: (probability: number) => number): number {
  const probability = state[at] >>> 8;
  const uses = state[at] & 255;
  const rate = 31 - Math.clz32(uses + 2);
  const value = bit(probability);
  const learnt =
    value === 1 ? probability + ((65_535 - probability) >>> rate) : probability - (probability >>> rate);
  state[at] = learnt * 256 + Math.min(uses + 1, GAP_USES_MAX);
  return value;
}

/** The last number of the lower part of a range, which belongs to a 1. */
function split(low: number, high: number, probability: number): number {
  return low + Math.floor(((high - low) * probability) / 65_536);
}

function isSettled(low: number, high: number): boolean {
  return (low ^ high) >>> 24 === 0;
}

export class AdaptiveWriter {
  private readonly state: Uint32Array;
  private readonly bytes: number[] = [];
  private low = 0;
  private high = 0xffff_ffff;

  constructor(state: Uint32Array) {
    this.state = state;
  }

  get length(): number {
    return this.bytes.length;
  }

  write(at: number, bit: number): void {
    learn(this.state, at, (probability) => {
      const middle = split(this.low, this.high, probability);
      if (bit === 1) this.high = middle;
      else this.low = middle + 1;
      return bit;
    });
    while (isSettled(this.low, this.high)) {
      this.bytes.push(this.high >>> 24);
      this.low = (this.low << 8) >>> 0;
      this.high = ((this.high << 8) | 255) >>> 0;
    }
  }

  /** Ends with as few bytes as tell the range, where zeros follow. */
  finish(): Uint8Array {
    for (let count = 0; count <= 4; count++) {
      const mask = count === 0 ? 0 : (0xffff_ffff << (32 - 8 * count)) >>> 0;
      const value = (this.high & mask) >>> 0;
      if (value < this.low) continue;
      for (let byte = 0; byte < count; byte++) this.bytes.push((value >>> (24 - 8 * byte)) & 255);
      break;
    }
    return Uint8Array.from(this.bytes);
  }
}

export class AdaptiveReader {
  private readonly state: Uint32Array;
  private readonly coded: Uint8Array;
  private low = 0;
  private high = 0xffff_ffff;
  private value = 0;
  private at = 0;

  constructor(coded: Uint8Array, state: Uint32Array) {
    this.coded = coded;
    this.state = state;
    for (let byte = 0; byte < 4; byte++) this.take();
  }

  /** Whether the writer could have ended here. */
  get isWhole(): boolean {
    return this.coded.length <= this.at && this.coded.length >= this.at - 4;
  }

  private take(): void {
    this.value = ((this.value << 8) | (this.coded[this.at++] ?? 0)) >>> 0;
  }

  read(at: number): number {
    const bit = learn(this.state, at, (probability) => {
      const middle = split(this.low, this.high, probability);
      const isOne = this.value <= middle;
      if (isOne) this.high = middle;
      else this.low = middle + 1;
      return isOne ? 1 : 0;
    });
    while (isSettled(this.low, this.high)) {
      this.low = (this.low << 8) >>> 0;
      this.high = ((this.high << 8) | 255) >>> 0;
      this.take();
    }
    return bit;
  }
}

/** Bits from the lowest of the first byte upwards. */
export class BitTarget {
  private readonly bytes: number[] = [];
  private count = 0;

  /** Full bytes. */
  get length(): number {
    return this.count >>> 3;
  }

  write(value: number, count: number): void {
    for (let bit = 0; bit < count; bit++, this.count++) {
      if (this.count % 8 === 0) this.bytes.push(0);
      this.bytes[this.count >>> 3] |= ((value >>> bit) & 1) << (this.count % 8);
    }
  }

  finish(): Uint8Array {
    return Uint8Array.from(this.bytes);
  }
}

export class BitSource {
  private readonly bytes: Uint8Array;
  private position = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  /** Bits past the end are zeros. */
  read(count: number): number {
    let value = 0;
    for (let bit = 0; bit < count; bit++, this.position++) {
      value |= (((this.bytes[this.position >>> 3] ?? 0) >>> (this.position % 8)) & 1) << bit;
    }
    return value >>> 0;
  }

  get isPast(): boolean {
    return this.position > 8 * this.bytes.length;
  }

  /** Returns the bytes read, or -1 if there were fewer or the bits that fill the last one are not zero. */
  finish(): number {
    const length = Math.ceil(this.position / 8);
    if (length > this.bytes.length) return -1;
    return this.position % 8 !== 0 && this.bytes[length - 1] >>> (this.position % 8) !== 0 ? -1 : length;
  }
}
