/**
 * Decodes single elements of tensors, of every dtype, and writes them as short as their precision allows. For looking
 * at values only: nothing that is stored or restored comes through here.
 */
import type { DType } from '../index.js';

/** An element as JavaScript has it; complex ones are pairs of real and imaginary part. */
export type ElementValue = number | bigint | boolean | readonly [re: number, im: number];

/** A binary float narrower than JavaScript's, after IEEE 754. */
interface FloatFormat {
  exponentBits: number;
  mantissaBits: number;
  /** Without infinities the highest exponent holds numbers, and only all ones are NaN (float8_e4m3fn). */
  infinities: boolean;
}

const FORMATS = {
  f8e4m3: { exponentBits: 4, mantissaBits: 3, infinities: false },
  f8e5m2: { exponentBits: 5, mantissaBits: 2, infinities: true },
  f16: { exponentBits: 5, mantissaBits: 10, infinities: true },
  bf16: { exponentBits: 8, mantissaBits: 7, infinities: true },
} satisfies Record<string, FloatFormat>;

/** Digits that always suffice to tell neighbours apart. */
const DIGITS_MAX = 9;

/** Whole numbers below this are written in full: the greatest float8_e4m3 is 448, though 450 would round to it. */
const WHOLE_MAX = 1e6;

interface ElementCodec {
  bytes: number;
  read(view: DataView, offset: number): ElementValue;
  text(value: ElementValue): string;
}

function smallFloat(format: FloatFormat, bytes: 1 | 2): ElementCodec {
  return {
    bytes,
    read: (view, offset) =>
      decodeFloat(format, bytes === 1 ? view.getUint8(offset) : view.getUint16(offset, true)),
    text: (value) => shortestText(Number(value), (candidate, exact) => isNearest(format, candidate, exact)),
  };
}

function integer(bytes: number, read: ElementCodec['read']): ElementCodec {
  return { bytes, read, text: String };
}

const CODECS: Readonly<Record<DType, ElementCodec>> = {
  bytes: { bytes: 1, read: (view, at) => view.getUint8(at), text: (value) => hexByte(Number(value)) },
  bool: { bytes: 1, read: (view, at) => view.getUint8(at) !== 0, text: String },
  u8: integer(1, (view, at) => view.getUint8(at)),
  i8: integer(1, (view, at) => view.getInt8(at)),
  u16: integer(2, (view, at) => view.getUint16(at, true)),
  i16: integer(2, (view, at) => view.getInt16(at, true)),
  u32: integer(4, (view, at) => view.getUint32(at, true)),
  i32: integer(4, (view, at) => view.getInt32(at, true)),
  u64: integer(8, (view, at) => view.getBigUint64(at, true)),
  i64: integer(8, (view, at) => view.getBigInt64(at, true)),
  f8e4m3: smallFloat(FORMATS.f8e4m3, 1),
  f8e5m2: smallFloat(FORMATS.f8e5m2, 1),
  f16: smallFloat(FORMATS.f16, 2),
  bf16: smallFloat(FORMATS.bf16, 2),
  f32: {
    bytes: 4,
    read: (view, at) => view.getFloat32(at, true),
    text: (value) => singleText(Number(value)),
  },
  f64: {
    bytes: 8,
    read: (view, at) => view.getFloat64(at, true),
    text: (value) => doubleText(Number(value)),
  },
  c64: {
    bytes: 8,
    read: (view, at) => [view.getFloat32(at, true), view.getFloat32(at + 4, true)],
    text: (value) => complexText(value, singleText),
  },
  c128: {
    bytes: 16,
    read: (view, at) => [view.getFloat64(at, true), view.getFloat64(at + 8, true)],
    text: (value) => complexText(value, doubleText),
  },
};

/** The elements of one tensor, by their index in row-major order. */
export class Elements {
  readonly count: number;
  readonly #codec: ElementCodec;
  readonly #view: DataView;

  constructor(dtype: DType, data: Uint8Array) {
    this.#codec = CODECS[dtype];
    this.#view = new DataView(data.buffer, data.byteOffset, data.byteLength);
    this.count = Math.floor(data.byteLength / this.#codec.bytes);
  }

  value(index: number): ElementValue {
    return this.#codec.read(this.#view, index * this.#codec.bytes);
  }

  /** A text that no other value of the dtype is nearer to, short unless the value is a whole number. */
  text(index: number): string {
    return this.#codec.text(this.value(index));
  }
}

function decodeFloat({ exponentBits, mantissaBits, infinities }: FloatFormat, bits: number): number {
  const mantissaScale = 2 ** mantissaBits;
  const exponentMax = 2 ** exponentBits - 1;
  const mantissa = bits % mantissaScale;
  const exponent = Math.floor(bits / mantissaScale) % (exponentMax + 1);
  const sign = bits >= mantissaScale * (exponentMax + 1) ? -1 : 1;
  const bias = (exponentMax - 1) / 2;
  if (exponent === exponentMax && infinities)
    return mantissa === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  if (exponent === exponentMax && mantissa === mantissaScale - 1) return Number.NaN;
  if (exponent === 0) return sign * mantissa * 2 ** (1 - bias - mantissaBits);
  return sign * (1 + mantissa / mantissaScale) * 2 ** (exponent - bias);
}

/** Returns true if rounding the candidate to the format gives the exact value. */
function isNearest({ exponentBits, mantissaBits }: FloatFormat, candidate: number, exact: number): boolean {
  const exponentMin = 2 - 2 ** (exponentBits - 1);
  const magnitude = Math.abs(exact);
  const exponent = Math.max(exponentMin, Math.floor(Math.log2(magnitude)));
  const spacing = 2 ** (exponent - mantissaBits);
  const spacingBelow = magnitude === 2 ** exponent && exponent > exponentMin ? spacing / 2 : spacing;
  const distance = Math.abs(candidate) - magnitude;
  return distance < 0 ? -distance < spacingBelow / 2 : distance < spacing / 2;
}

function singleText(value: number): string {
  return shortestText(value, (candidate, exact) => Math.fround(candidate) === exact);
}

function shortestText(value: number, isSame: (candidate: number, exact: number) => boolean): string {
  if (!Number.isFinite(value) || (Number.isInteger(value) && Math.abs(value) < WHOLE_MAX))
    return doubleText(value);
  for (let digits = 1; digits < DIGITS_MAX; digits++) {
    const candidate = Number(value.toPrecision(digits));
    if (isSame(candidate, value)) return doubleText(candidate);
  }
  return doubleText(Number(value.toPrecision(DIGITS_MAX)));
}

function doubleText(value: number): string {
  if (Number.isNaN(value)) return 'nan';
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf';
  return Object.is(value, -0) ? '-0' : String(value);
}

function complexText(value: ElementValue, partText: (part: number) => string): string {
  const [re, im] = value as readonly [number, number];
  const imaginary = partText(im);
  return `${partText(re)}${imaginary.startsWith('-') ? '' : '+'}${imaginary}j`;
}

function hexByte(value: number): string {
  return value.toString(16).padStart(2, '0');
}
