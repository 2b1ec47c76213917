/**
 * Element types. The ids are written into stores and are frozen for ever.
 *
 * A chunk is coded in *lanes*: the numbers that elements are made of (a complex element has two). Float lanes are
 * sign-magnitude and are ordered before they are subtracted; integer lanes are subtracted as they are.
 */

export type DType =
  | 'bytes'
  | 'bool'
  | 'u8'
  | 'i8'
  | 'u16'
  | 'i16'
  | 'u32'
  | 'i32'
  | 'u64'
  | 'i64'
  | 'f8e4m3'
  | 'f8e5m2'
  | 'f16'
  | 'bf16'
  | 'f32'
  | 'f64'
  | 'c64'
  | 'c128';

export interface DTypeInfo {
  readonly dtype: DType;
  /** Frozen id in stores; 0 is reserved. */
  readonly id: number;
  /** Bytes of one element. */
  readonly bytes: number;
  readonly laneBytes: 1 | 2 | 4 | 8;
  readonly lane: 'float' | 'integer';
}

const INFOS: readonly DTypeInfo[] = [
  { dtype: 'bytes', id: 1, bytes: 1, laneBytes: 1, lane: 'integer' },
  { dtype: 'bool', id: 2, bytes: 1, laneBytes: 1, lane: 'integer' },
  { dtype: 'u8', id: 3, bytes: 1, laneBytes: 1, lane: 'integer' },
  { dtype: 'i8', id: 4, bytes: 1, laneBytes: 1, lane: 'integer' },
  { dtype: 'u16', id: 5, bytes: 2, laneBytes: 2, lane: 'integer' },
  { dtype: 'i16', id: 6, bytes: 2, laneBytes: 2, lane: 'integer' },
  { dtype: 'u32', id: 7, bytes: 4, laneBytes: 4, lane: 'integer' },
  { dtype: 'i32', id: 8, bytes: 4, laneBytes: 4, lane: 'integer' },
  { dtype: 'u64', id: 9, bytes: 8, laneBytes: 8, lane: 'integer' },
  { dtype: 'i64', id: 10, bytes: 8, laneBytes: 8, lane: 'integer' },
  { dtype: 'f8e4m3', id: 11, bytes: 1, laneBytes: 1, lane: 'float' },
  { dtype: 'f8e5m2', id: 12, bytes: 1, laneBytes: 1, lane: 'float' },
  { dtype: 'f16', id: 13, bytes: 2, laneBytes: 2, lane: 'float' },
  { dtype: 'bf16', id: 14, bytes: 2, laneBytes: 2, lane: 'float' },
  { dtype: 'f32', id: 15, bytes: 4, laneBytes: 4, lane: 'float' },
  { dtype: 'f64', id: 16, bytes: 8, laneBytes: 8, lane: 'float' },
  { dtype: 'c64', id: 17, bytes: 8, laneBytes: 4, lane: 'float' },
  { dtype: 'c128', id: 18, bytes: 16, laneBytes: 8, lane: 'float' },
];

const BY_NAME = new Map(INFOS.map((info) => [info.dtype as string, info]));
const BY_ID = new Map(INFOS.map((info) => [info.id, info]));

/** All element types, in the order of their ids. */
export const DTYPES: readonly DType[] = INFOS.map((info) => info.dtype);

/** Returns the facts of an element type. */
export function dtypeInfo(dtype: DType): DTypeInfo {
  const info = BY_NAME.get(dtype);
  if (info === undefined) throw new Error(`no such dtype: ${dtype}`);
  return info;
}

/** Returns how many elements a tensor of this shape has; a dimension of 0 makes it 0, however long the others are. */
export function elementCount(shape: readonly number[]): number {
  return shape.includes(0) ? 0 : shape.reduce((product, length) => product * length, 1);
}

/** Returns the bytes of a tensor's values. */
export function tensorBytes({
  dtype,
  shape,
}: {
  readonly dtype: DType;
  readonly shape: readonly number[];
}): number {
  return elementCount(shape) * dtypeInfo(dtype).bytes;
}

/** Returns the element type with this store id, or undefined. */
export function dtypeById(id: number): DTypeInfo | undefined {
  return BY_ID.get(id);
}

/** Returns true for the name of an element type. */
export function isDType(name: unknown): name is DType {
  return typeof name === 'string' && BY_NAME.has(name);
}
