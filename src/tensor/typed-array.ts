import { type DType, dtypeInfo } from './dtype.js';

export type TypedArray =
  | Int8Array
  | Uint8Array
  | Uint8ClampedArray
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | Float32Array
  | Float64Array
  | BigInt64Array
  | BigUint64Array;

const BARE: Record<string, DType> = {
  Int8Array: 'i8',
  Uint8Array: 'u8',
  Buffer: 'u8',
  Uint8ClampedArray: 'u8',
  Int16Array: 'i16',
  Uint16Array: 'u16',
  Int32Array: 'i32',
  Uint32Array: 'u32',
  Float32Array: 'f32',
  Float64Array: 'f64',
  BigInt64Array: 'i64',
  BigUint64Array: 'u64',
};

/** Returns the element type that a bare typed array stands for; a DataView has none. */
export function bareDType(view: ArrayBufferView): DType | undefined {
  return BARE[view.constructor.name];
}

type ArrayConstructor = new (buffer: ArrayBuffer) => TypedArray;

const VIEWS: Partial<Record<DType, ArrayConstructor>> = {
  i8: Int8Array,
  i16: Int16Array,
  u16: Uint16Array,
  i32: Int32Array,
  u32: Uint32Array,
  i64: BigInt64Array,
  u64: BigUint64Array,
  f16: Uint16Array,
  bf16: Uint16Array,
  f32: Float32Array,
  f64: Float64Array,
  c64: Float32Array,
  c128: Float64Array,
};

/** Returns bytes as the typed array of their element type; f16 and bf16 are Uint16Array, complex ones pairs of floats. */
export function viewOf(dtype: DType, bytes: Uint8Array): TypedArray {
  const View = VIEWS[dtype];
  if (View === undefined) return bytes;
  const aligned =
    bytes.byteOffset % dtypeInfo(dtype).laneBytes === 0 && bytes.byteLength === bytes.buffer.byteLength;
  return new View(aligned ? (bytes.buffer as ArrayBuffer) : (bytes.slice().buffer as ArrayBuffer));
}
