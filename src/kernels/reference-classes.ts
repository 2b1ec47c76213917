/**
 * Classes of residuals, the plain twin of assembly/classes.ts: FORMAT.md, "Classes". With d = o(raw) - o(base), modulo
 * 2^bits and signed, a its absolute value and g whether d leads away from zero for a negative base or towards it else:
 *
 *   class = a                                   a < 4
 *   class = 4 * (k - 1) + bits k-1, k-2 of a    otherwise, with k = floor(log2 a); the k - 2 bits below follow apart
 *   symbol = 2 * class + g
 *
 * Far lanes, where a >= 2^24: with s whether the sign changes, t the first bit of the mantissa, x = exponent change + 8
 *
 *   symbol = 184 + 2 * (17 * s + x) + t          0 <= x <= 16; the other 22 bits of the mantissa follow apart
 *   symbol = 252                                  otherwise; the 32 bits of the lane follow apart
 */
import type { ClassStreams, FloatLayout } from './kernels.js';

/** The sign of the lane and where its exponent begins. */
interface LaneShape {
  readonly laneBytes: number;
  /** Bits of a 32-bit number that the lane leaves free. */
  readonly spare: number;
  readonly orderMask: number;
  readonly exponentShift: number;
  readonly exponentMask: number;
}

function shapeOf({ laneBytes, exponentBits }: FloatLayout): LaneShape {
  const spare = 32 - 8 * laneBytes;
  return {
    laneBytes,
    spare,
    orderMask: 0x7fffffff >>> spare,
    exponentShift: 8 * laneBytes - 1 - exponentBits,
    exponentMask: (1 << exponentBits) - 1,
  };
}

function load(bytes: Uint8Array, lane: number, { laneBytes, spare }: LaneShape): number {
  let value = 0;
  const start = lane * laneBytes;
  for (let byte = 0; byte < laneBytes; byte++) value |= bytes[start + byte] << (8 * byte);
  return (value << spare) >> spare;
}

export function laneExponentsReference(base: Uint8Array, layout: FloatLayout, exponents: Uint8Array): void {
  const shape = shapeOf(layout);
  for (let lane = 0; lane < exponents.length; lane++) {
    exponents[lane] = (load(base, lane, shape) >>> shape.exponentShift) & shape.exponentMask;
  }
}

export function splitClassesReference(
  raw: Uint8Array,
  base: Uint8Array,
  layout: FloatLayout,
  streams: ClassStreams,
): number {
  const { symbols, exponents, rests, counts } = streams;
  const shape = shapeOf(layout);
  const bits = new RestWriter(rests);
  laneExponentsReference(base, layout, exponents);
  for (let lane = 0; lane < symbols.length; lane++) {
    const value = load(raw, lane, shape);
    const before = load(base, lane, shape);
    const step = (value ^ ((value >> 31) & shape.orderMask)) - (before ^ ((before >> 31) & shape.orderMask));
    const difference = (step << shape.spare) >> shape.spare;
    const size = (difference < 0 ? -difference : difference) >>> 0;
    const sign = size === 0 ? 0 : (difference ^ before) >>> 31;
    const exponent = 31 - Math.clz32(size);
    if (layout.far && size >= 2 ** 24) {
      const far = farSymbol(value, before);
      bits.write(far === ESCAPE ? value : value & FAR_MASK, far === ESCAPE ? 32 : FAR_BITS);
      symbols[lane] = far;
      counts[exponents[lane] * 256 + far]++;
      continue;
    }
    const isSmall = size < 4;
    const level = isSmall ? size : 4 * (exponent - 1) + ((size >>> (exponent - 2)) & 3);
    if (!isSmall) bits.write(size & ((1 << (exponent - 2)) - 1), exponent - 2);
    const symbol = 2 * level + sign;
    symbols[lane] = symbol;
    counts[exponents[lane] * 256 + symbol]++;
  }
  return bits.finish();
}

export function mergeClassesReference(
  symbols: Uint8Array,
  rests: Uint8Array,
  base: Uint8Array,
  layout: FloatLayout,
  raw: Uint8Array,
): number {
  const shape = shapeOf(layout);
  const bits = new RestReader(rests);
  for (let lane = 0; lane < symbols.length; lane++) {
    if (layout.far && symbols[lane] >= FAR) {
      const far = farLane(symbols[lane], load(base, lane, shape), bits);
      for (let byte = 0; byte < 4; byte++) raw[lane * 4 + byte] = far >>> (8 * byte);
      continue;
    }
    const level = symbols[lane] >>> 1;
    const shift = Math.max(0, (level >>> 2) - 1);
    const top = level < 4 ? level : 4 + (level & 3);
    const size = (top << shift) + bits.read(shift);
    const before = load(base, lane, shape);
    const isNegative = ((symbols[lane] & 1) ^ (before >>> 31)) === 1;
    const ordered = (before ^ ((before >> 31) & shape.orderMask)) + (isNegative ? -size : size);
    const lower = (ordered << shape.spare) >> shape.spare;
    const value = lower ^ ((lower >> 31) & shape.orderMask);
    for (let byte = 0; byte < shape.laneBytes; byte++) {
      raw[lane * shape.laneBytes + byte] = value >>> (8 * byte);
    }
  }
  return bits.finish();
}

const FAR = 184;
const FAR_EXPONENTS = 17;
const FAR_BELOW = 8;
const ESCAPE = 252;
const FAR_BITS = 22;
const FAR_MASK = 2 ** FAR_BITS - 1;

function farSymbol(value: number, before: number): number {
  const level = ((value >>> 23) & 255) - ((before >>> 23) & 255) + FAR_BELOW;
  if (level < 0 || level >= FAR_EXPONENTS) return ESCAPE;
  const flip = (value ^ before) >>> 31;
  return FAR + 2 * (FAR_EXPONENTS * flip + level) + ((value >>> FAR_BITS) & 1);
}

function farLane(symbol: number, before: number, bits: RestReader): number {
  if (symbol === ESCAPE) return bits.read(32);
  const row = (symbol - FAR) >>> 1;
  const flip = row >= FAR_EXPONENTS ? 1 : 0;
  const level = row - FAR_EXPONENTS * flip;
  const exponent = (((before >>> 23) & 255) + level - FAR_BELOW) & 255;
  const sign = (before >>> 31) ^ flip;
  return (sign << 31) | (exponent << 23) | ((symbol & 1) << FAR_BITS) | bits.read(FAR_BITS);
}

/** Bits from the lowest of the first byte upwards. */
class RestWriter {
  private readonly bytes: Uint8Array;
  private at = 0;
  private pending = 0;
  private count = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  /** At most 32 bits; 7 may be pending, so that the upper ones go in a byte later. */
  write(value: number, count: number): void {
    let rest = value;
    for (let left = count; left > 0; ) {
      const taken = Math.min(left, 8 - this.count);
      this.pending |= (rest & ((1 << taken) - 1)) << this.count;
      rest >>>= taken;
      left -= taken;
      this.count += taken;
      if (this.count < 8) continue;
      this.bytes[this.at++] = this.pending;
      this.pending = 0;
      this.count = 0;
    }
  }

  finish(): number {
    if (this.count > 0) this.bytes[this.at++] = this.pending;
    return this.at;
  }
}

class RestReader {
  private readonly bytes: Uint8Array;
  private position = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  /** Bits past the end are zeros; finish notices. */
  read(count: number): number {
    let value = 0;
    for (let taken = 0; taken < count; ) {
      const skipped = this.position & 7;
      const width = Math.min(8 - skipped, count - taken);
      const byte = this.bytes[this.position >>> 3] ?? 0;
      value |= ((byte >>> skipped) & ((1 << width) - 1)) << taken;
      taken += width;
      this.position += width;
    }
    return value;
  }

  /** Returns the bytes read, or -1 if there were fewer or the bits that fill the last one are not zero. */
  finish(): number {
    const length = Math.ceil(this.position / 8);
    if (length > this.bytes.length) return -1;
    return this.position % 8 !== 0 && this.bytes[length - 1] >>> (this.position & 7) !== 0 ? -1 : length;
  }
}
