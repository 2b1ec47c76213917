/**
 * Elements as doubles, for whoever compares values: exact but for integers beyond 2^53, which are rounded. Nothing that is
 * stored or restored comes through here.
 */
import { type DType, dtypeInfo } from './dtype.js';

/** Reads lanes (a complex element has two) into doubles; `bytes` begin at a multiple of a lane. */
type ReadLanes = (bytes: Uint8Array, values: Float64Array) => void;

type ViewOf<Values> = new (buffer: ArrayBufferLike, byteOffset: number, length: number) => Values;

/** Floats that JavaScript has no view for: bits of the exponent, bits of the mantissa, and whether it has infinities. */
const NARROW_FLOATS: Partial<Record<DType, { exponent: number; mantissa: number; infinities: boolean }>> = {
  f16: { exponent: 5, mantissa: 10, infinities: true },
  bf16: { exponent: 8, mantissa: 7, infinities: true },
  f8e5m2: { exponent: 5, mantissa: 2, infinities: true },
  f8e4m3: { exponent: 4, mantissa: 3, infinities: false },
};

const ARRAYS: Partial<Record<DType, ViewOf<ArrayLike<number>>>> = {
  u8: Uint8Array,
  i8: Int8Array,
  u16: Uint16Array,
  i16: Int16Array,
  u32: Uint32Array,
  i32: Int32Array,
  f32: Float32Array,
  f64: Float64Array,
  c64: Float32Array,
  c128: Float64Array,
};

/** Returns what reads the lanes of a dtype; undefined for those that are no numbers: bytes and bool. */
export function laneReader(dtype: DType): ReadLanes | undefined {
  if (dtype === 'u64' || dtype === 'i64') {
    const View: ViewOf<BigUint64Array | BigInt64Array> = dtype === 'u64' ? BigUint64Array : BigInt64Array;
    return ({ buffer, byteOffset, length }, values) => {
      const view = new View(buffer, byteOffset, length / 8);
      for (let at = 0; at < view.length; at++) values[at] = Number(view[at]);
    };
  }
  const { laneBytes } = dtypeInfo(dtype);
  const View = ARRAYS[dtype];
  if (View !== undefined)
    return ({ buffer, byteOffset, length }, values) =>
      values.set(new View(buffer, byteOffset, length / laneBytes));
  return narrowFloatReader(dtype);
}

function narrowFloatReader(dtype: DType): ReadLanes | undefined {
  const float = NARROW_FLOATS[dtype];
  if (float === undefined) return undefined;
  const { bytes } = dtypeInfo(dtype);
  const table = Float64Array.from({ length: 2 ** (8 * bytes) }, (_, bits) => narrowFloat(bits, float));
  const View: ViewOf<Uint8Array | Uint16Array> = bytes === 1 ? Uint8Array : Uint16Array;
  return ({ buffer, byteOffset, length }, values) => {
    const view = new View(buffer, byteOffset, length / bytes);
    for (let at = 0; at < view.length; at++) values[at] = table[view[at]];
  };
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
