/** Choices that a seed determines, and damage to bytes that any format may suffer. */
import { randomNumbers } from '../kernels/kernel-inputs.js';

/** Everything an input is made from comes from its seed, so that a failure can be made again. */
export class Dice {
  private readonly next: () => number;

  constructor(seed: number) {
    this.next = randomNumbers(seed);
  }

  /** A whole number from 0 to `count` - 1. */
  below(count: number): number {
    return Math.floor((this.next() / 2 ** 32) * count);
  }

  oneIn(count: number): boolean {
    return this.below(count) === 0;
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)];
  }

  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.next() >>> 11);
  }
}

/** Numbers at which widths, signs and limits end. */
export const EDGES: readonly number[] = [
  0,
  1,
  2,
  3,
  7,
  8,
  16,
  63,
  64,
  65,
  127,
  128,
  255,
  256,
  1000,
  4096,
  65_534,
  65_535,
  65_536,
  2 ** 20,
  2 ** 24,
  2 ** 31 - 1,
  2 ** 31,
  2 ** 32 - 2,
  2 ** 32 - 1,
  2 ** 32,
  2 ** 40,
  2 ** 52,
  Number.MAX_SAFE_INTEGER,
];

/** A number as it stands in `width` bytes, little-endian; what does not fit is cut off. */
export function littleEndian(value: number, width: number): Uint8Array {
  const bytes = new Uint8Array(width);
  for (let at = 0, rest = value; at < width; at++, rest = Math.floor(rest / 256)) bytes[at] = rest % 256;
  return bytes;
}

/** `bytes` with `removed` of them at `at` replaced by `inserted`. */
export function spliced(bytes: Uint8Array, at: number, removed: number, inserted: Uint8Array): Uint8Array {
  const out = new Uint8Array(Math.max(0, bytes.length - removed) + inserted.length);
  out.set(bytes.subarray(0, at));
  out.set(inserted, at);
  out.set(bytes.subarray(at + removed), at + inserted.length);
  return out;
}

type Damage = (bytes: Uint8Array, at: number, dice: Dice) => Uint8Array;

const DAMAGES: readonly Damage[] = [
  (bytes, at, dice) => spliced(bytes, at, 1, dice.bytes(1)),
  (bytes, at, dice) => spliced(bytes, at, 1, Uint8Array.of(bytes[at] ^ (1 << dice.below(8)))),
  (bytes, at, dice) => spliced(bytes, at, 1, Uint8Array.of(bytes[at] + dice.pick([1, 255]))),
  (bytes, at, dice) => {
    const width = Math.min(dice.pick([1, 2, 4, 8]), bytes.length - at);
    return spliced(bytes, at, width, littleEndian(dice.pick(EDGES), width));
  },
  (bytes, at, dice) => {
    const width = Math.min(dice.pick([2, 4, 8]), bytes.length - at);
    return spliced(bytes, at, width, new Uint8Array(width).fill(0xff));
  },
  (bytes, at, dice) => spliced(bytes, at, 0, dice.bytes(1 + dice.below(8))),
  (bytes, at, dice) => spliced(bytes, at, Math.min(1 + dice.below(8), bytes.length - at), new Uint8Array()),
  (bytes, at, dice) => {
    const from = dice.below(bytes.length);
    return spliced(bytes, at, 0, bytes.slice(from, from + 1 + dice.below(32)));
  },
  (bytes, at) => bytes.slice(0, at),
];

/** Damages bytes in one to three places. */
export function damaged(bytes: Uint8Array, dice: Dice): Uint8Array {
  let out = bytes;
  for (let times = 1 + dice.below(3); times > 0 && out.length > 0; times--)
    out = dice.pick(DAMAGES)(out, dice.below(out.length), dice);
  return out;
}
