/**
 * The index of a TensorFlow TensorBundle: which tensors its data files hold, and where. Source:
 * tensorflow/core/util/tensor_bundle/tensor_bundle.cc, core/protobuf/tensor_bundle.proto, core/util/saved_tensor_slice_util.cc.
 */
import type { ByteReader } from '../bytes/index.js';
import { corrupt } from '../errors.js';
import type { RandomAccess } from './adapter.js';
import { type ElementType, elementOf } from './element-type.js';
import { protobufFields } from './protobuf-fields.js';
import { readSortedTable, type TableEntry } from './sorted-table.js';

/** `tf.TensorShape` knows 254. */
const DIMENSIONS_MAX = 254;
/** Objects of Python and the like: their bytes stay in the skeleton. */
const TYPE_STRING = 7;

const ELEMENTS = new Map<number, ElementType>([
  [1, elementOf('f32')],
  [2, elementOf('f64')],
  [3, elementOf('i32')],
  [4, elementOf('u8')],
  [5, elementOf('i16')],
  [6, elementOf('i8')],
  [8, elementOf('c64')],
  [9, elementOf('i64')],
  [10, elementOf('bool')],
  [14, elementOf('bf16')],
  [17, elementOf('u16')],
  [18, elementOf('c128')],
  [19, elementOf('f16')],
  [22, elementOf('u32')],
  [23, elementOf('u64')],
  [24, elementOf('f8e5m2')],
  [25, elementOf('f8e4m3')],
]);

/** Where a tensor lies. */
export interface BundleTensor {
  /** As `tf.train.load_variable` takes it; slices of a variable have a number behind it. */
  key: string;
  /** Undefined for text and for types that came later. */
  element: ElementType | undefined;
  isText: boolean;
  shape: number[];
  shard: number;
  offset: number;
  size: number;
  /** Of the entry in the index, for errors. */
  place: number;
}

export interface BundleIndex {
  /** Path of the index, for errors. */
  object: string;
  littleEndian: boolean;
  tensors: BundleTensor[];
}

/** Reads an index. */
export async function readBundleIndex(file: RandomAccess): Promise<BundleIndex> {
  const [header, ...entries] = await readSortedTable(file);
  if (header === undefined || header.key !== '') throw corrupt('bundle-header', 'no header', file.name, 0);
  let littleEndian = true;
  for (const { number, value } of protobufFields(header.value)) if (number === 2) littleEndian = value !== 1;
  const slices = new Map<string, number>();
  const tensors = entries.flatMap((entry) => readEntry(entry, slices));
  return { object: file.name, littleEndian, tensors };
}

/** None for a variable that is stored in slices, which have entries of their own. */
function readEntry({ key, value: reader }: TableEntry, slices: Map<string, number>): BundleTensor[] {
  const place = reader.offset;
  let type = 0;
  let shape: number[] = [];
  let isSliced = false;
  const numbers = new Map<number, number>();
  for (const { number, value, bytes } of protobufFields(reader)) {
    if (number === 2 && bytes !== undefined) shape = readShape(bytes);
    else if (number === 7) isSliced = true;
    else if (number === 1) type = value ?? 0;
    else if (value !== undefined) numbers.set(number, value);
  }
  if (isSliced) return [];
  const [shard, offset, size] = [3, 4, 5].map((number) => numbers.get(number) ?? 0);
  const name = key.startsWith('\0') ? sliceName(key, slices) : decodeKey(key);
  const isText = type === TYPE_STRING;
  return [{ key: name, element: ELEMENTS.get(type), isText, shape, shard, offset, size, place }];
}

function readShape(reader: ByteReader): number[] {
  const shape: number[] = [];
  for (const { number, bytes } of protobufFields(reader)) {
    if (number !== 2 || bytes === undefined) continue;
    if (shape.length === DIMENSIONS_MAX) reader.fail('bundle-shape', 'too many dimensions');
    let size = 0;
    for (const field of protobufFields(bytes)) if (field.number === 1) size = field.value ?? 0;
    shape.push(size);
  }
  return shape;
}

/** Keys of slices are codes: a zero, the name of the variable, which ends with 0 and 1, and what part of it they are. */
function sliceName(key: string, slices: Map<string, number>): string {
  const end = key.indexOf('\0\x01', 1);
  const name = decodeKey(key.slice(1, end < 0 ? undefined : end));
  const number = (slices.get(name) ?? 0) + 1;
  slices.set(name, number);
  return `${name}#${number}`;
}

function decodeKey(key: string): string {
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(
    Uint8Array.from(key, (byte) => byte.charCodeAt(0)),
  );
}
