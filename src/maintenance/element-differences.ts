/** Absolute differences of elements as real numbers, for `diff`. Nothing that is stored or restored comes through here. */
import { type DType, dtypeInfo } from '../tensor/index.js';

/** Returns |a - b| of the elements at a byte offset, exact up to the rounding of doubles; NaN if either is NaN. */
export type AbsoluteDifference = (a: DataView, b: DataView, offset: number) => number;

type Read = (view: DataView, offset: number) => number;

const READS: Partial<Record<DType, Read>> = {
  u8: (view, at) => view.getUint8(at),
  i8: (view, at) => view.getInt8(at),
  u16: (view, at) => view.getUint16(at, true),
  i16: (view, at) => view.getInt16(at, true),
  u32: (view, at) => view.getUint32(at, true),
  i32: (view, at) => view.getInt32(at, true),
  f32: (view, at) => view.getFloat32(at, true),
  f64: (view, at) => view.getFloat64(at, true),
};

/** Floats that JavaScript has no view for: bits of the exponent, bits of the mantissa, and whether it has infinities. */
const NARROW_FLOATS: Partial<Record<DType, { exponent: number; mantissa: number; infinities: boolean }>> = {
  f16: { exponent: 5, mantissa: 10, infinities: true },
  bf16: { exponent: 8, mantissa: 7, infinities: true },
  f8e5m2: { exponent: 5, mantissa: 2, infinities: true },
  f8e4m3: { exponent: 4, mantissa: 3, infinities: false },
};

/** Returns the difference of a dtype's elements; undefined for those that are no real numbers: bytes, bool, complex. */
export function absoluteDifference(dtype: DType): AbsoluteDifference | undefined {
  if (dtype === 'u64') return (a, b, at) => bigDifference(a.getBigUint64(at, true), b.getBigUint64(at, true));
  if (dtype === 'i64') return (a, b, at) => bigDifference(a.getBigInt64(at, true), b.getBigInt64(at, true));
  const read = READS[dtype] ?? narrowFloatReader(dtype);
  return read === undefined ? undefined : (a, b, at) => Math.abs(read(a, at) - read(b, at));
}

function bigDifference(a: bigint, b: bigint): number {
  return Number(a > b ? a - b : b - a);
}

function narrowFloatReader(dtype: DType): Read | undefined {
  const float = NARROW_FLOATS[dtype];
  if (float === undefined) return undefined;
  const { bytes } = dtypeInfo(dtype);
  const values = Float64Array.from({ length: 2 ** (8 * bytes) }, (_, bits) => narrowFloat(bits, float));
  return bytes === 1
    ? (view, at) => values[view.getUint8(at)]
    : (view, at) => values[view.getUint16(at, true)];
}

function narrowFloat(
  bits: number,
  { exponent, mantissa, infinities }: { exponent: number; mantissa: number; infinities: boolean },
): number {
  const fraction = bits % 2 ** mantissa;
  const scale = Math.floor(bits / 2 ** mantissa) % 2 ** exponent;
  const sign = bits >= 2 ** (exponent + mantissa) ? -1 : 1;
  const scaleMax = 2 ** exponent - 1;
  const bias = 2 ** (exponent - 1) - 1;
  if (scale === scaleMax && infinities) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  if (scale === scaleMax && fraction === 2 ** mantissa - 1) return Number.NaN;
  if (scale === 0) return sign * fraction * 2 ** (1 - bias - mantissa);
  return sign * (1 + fraction / 2 ** mantissa) * 2 ** (scale - bias);
}
