/**
 * Element types as file formats name them. One that the store has no type for is kept as bytes: its tensors get one more
 * dimension, the bytes of an element, so that shapes and strides stay exact. A wrong type costs ratio, never a byte.
 */
import type { DType } from '../tensor/index.js';
import { dtypeInfo } from '../tensor/index.js';
import type { TensorView } from './adapter.js';

/** How the elements of a range are stored. */
export interface ElementType {
  readonly dtype: DType;
  /** Bytes of one element of the format; differs from the dtype's own only for `bytes`. */
  readonly bytes: number;
}

/** The element type of a dtype that the store knows. */
export function elementOf(dtype: DType): ElementType {
  return { dtype, bytes: dtypeInfo(dtype).bytes };
}

/** An element type that the store has no name for. */
export function byteElements(bytes: number): ElementType {
  return { dtype: 'bytes', bytes };
}

/** The same elements in the other byte order: the store's types are little-endian, so wider ones become bytes. */
export function bigEndian(element: ElementType): ElementType {
  return element.bytes === 1 ? element : byteElements(element.bytes);
}

/** A tensor by its place in a range, all counted in elements of the format; strides undefined: contiguous. */
export function placeTensor(
  name: string,
  element: ElementType,
  shape: readonly number[],
  offset = 0,
  strides?: readonly number[],
): TensorView {
  const scale = element.bytes / dtypeInfo(element.dtype).bytes;
  const view: TensorView = { name, shape: [...shape], elementOffset: offset * scale };
  if (strides !== undefined) view.strides = strides.map((stride) => stride * scale);
  if (scale !== 1) {
    view.shape.push(scale);
    view.strides?.push(1);
  }
  return view;
}

/** Bytes of `shape` elements of `elementBytes` each, or undefined when that is no safe integer. */
export function shapeBytes(shape: readonly number[], elementBytes: number): number | undefined {
  if (shape.includes(0)) return 0;
  let product = elementBytes;
  for (const size of shape) {
    product *= size;
    if (!Number.isSafeInteger(product) || product < 0) return undefined;
  }
  return product;
}

/** Strides of a contiguous array whose first index runs fastest (Fortran order). */
export function columnMajorStrides(shape: readonly number[]): number[] {
  let stride = 1;
  return shape.map((size) => {
    const own = stride;
    stride *= Math.max(1, size);
    return own;
  });
}
