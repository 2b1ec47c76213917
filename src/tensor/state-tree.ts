/**
 * State trees: what a training program hands over as nested plain objects and arrays, taken apart into tensors and plain
 * data, and put together again.
 */
import { ByteReader, ByteWriter } from '../bytes/index.js';
import { ThetalogError } from '../errors.js';
import { type DType, dtypeById, dtypeInfo, isDType, tensorBytes } from './dtype.js';
import { bareDType, type TypedArray } from './typed-array.js';

/** A tensor of a state: row-major elements in any view (bf16 and f16 as Uint16Array or bytes). */
export interface Tensor {
  dtype: DType;
  shape: number[];
  data: ArrayBufferView;
}

/** What a state may consist of. Numbers are kept as doubles, bigints must fit int64, a bare typed array is a 1-D tensor. */
export type StateValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Tensor
  | TypedArray
  | StateValue[]
  | { [key: string]: StateValue };

/** A tensor found in a state. */
export interface FoundTensor {
  /** Path segments from the root of the state. */
  path: string[];
  /** The segments joined with dots. */
  name: string;
  dtype: DType;
  shape: number[];
  /** The bytes in place: not a copy. */
  data: Uint8Array;
  /** The same as it was handed in. */
  view: ArrayBufferView;
}

const TAG = {
  null: 1,
  false: 2,
  true: 3,
  number: 4,
  text: 5,
  integer: 6,
  list: 7,
  map: 8,
  tensor: 9,
  array: 10,
} as const;
/** Nesting of a state; deeper ones are a cycle or an attack. */
const DEPTH_MAX = 256;
const INT64_MIN = -(2n ** 63n);
const INT64_MAX = 2n ** 63n - 1n;
const utf8 = new TextEncoder();
/** Surrogates, in pairs or lone. Few texts have any, and to compile the expression for lone ones takes a millisecond. */
const SURROGATES = /[\ud800-\udfff]/;

/** Takes a state apart; throws `invalid`, naming the path, for anything that cannot be stored. */
export function flattenState(state: StateValue): { tensors: FoundTensor[]; plain: Uint8Array } {
  const writer = new ByteWriter(1024);
  const flattener = new Flattener(writer);
  flattener.visit(state, []);
  return { tensors: flattener.tensors, plain: writer.finish() };
}

class Flattener {
  readonly tensors: FoundTensor[] = [];
  private readonly names = new Set<string>();
  private readonly writer: ByteWriter;

  constructor(writer: ByteWriter) {
    this.writer = writer;
  }

  visit(value: unknown, path: string[]): void {
    if (path.length > DEPTH_MAX) throw invalid(path, 'is nested too deeply');
    if (value === null) this.writer.u8(TAG.null);
    else if (typeof value === 'boolean') this.writer.u8(value ? TAG.true : TAG.false);
    else if (typeof value === 'number') {
      this.writer.u8(TAG.number);
      this.writer.f64(value);
    } else if (typeof value === 'bigint') this.integer(value, path);
    else if (typeof value === 'string') {
      this.writer.u8(TAG.text);
      this.text(value, path);
    } else if (ArrayBuffer.isView(value)) this.bareArray(value, path);
    else if (Array.isArray(value)) this.list(value, path);
    else if (isPlainObject(value)) this.object(value, path);
    else throw invalid(path, `is a ${describe(value)}, which cannot be stored`);
  }

  private integer(value: bigint, path: string[]): void {
    if (value < INT64_MIN || value > INT64_MAX) throw invalid(path, 'is a bigint beyond 64 bits');
    this.writer.u8(TAG.integer);
    this.writer.bigU64(BigInt.asUintN(64, value));
  }

  private text(value: string, path: string[]): void {
    if (SURROGATES.test(value) && /\p{Surrogate}/u.test(value))
      throw invalid(path, 'is a text with a lone surrogate');
    writeString(this.writer, value);
  }

  private list(value: unknown[], path: string[]): void {
    this.writer.u8(TAG.list);
    this.writer.varint(value.length);
    for (let index = 0; index < value.length; index++) this.visit(value[index], [...path, String(index)]);
  }

  private object(value: Record<string, unknown>, path: string[]): void {
    if (isTensor(value)) {
      this.tensor(value, path);
      return;
    }
    const keys = Object.keys(value);
    this.writer.u8(TAG.map);
    this.writer.varint(keys.length);
    for (const key of keys) {
      this.text(key, path);
      this.visit(value[key], [...path, key]);
    }
  }

  private bareArray(view: ArrayBufferView, path: string[]): void {
    const dtype = bareDType(view);
    if (dtype === undefined) throw invalid(path, `is a ${describe(view)}, which has no element type`);
    const length = view.byteLength / dtypeInfo(dtype).bytes;
    this.add(TAG.array, { dtype, shape: [length], data: view }, path);
  }

  private tensor(tensor: Tensor, path: string[]): void {
    const { dtype, shape, data } = tensor;
    if (!shape.every((length) => Number.isSafeInteger(length) && length >= 0)) {
      throw invalid(path, 'has a shape that is no list of whole numbers');
    }
    const bytes = tensorBytes(tensor);
    if (bytes !== data.byteLength) {
      throw invalid(
        path,
        `needs ${bytes} bytes for ${dtype} [${shape.join(', ')}], its data has ${data.byteLength}`,
      );
    }
    this.add(TAG.tensor, tensor, path);
  }

  private add(tag: number, tensor: Tensor, path: string[]): void {
    const name = path.join('.');
    if (this.names.has(name)) throw invalid(path, 'has the same name as another tensor once dots are joined');
    this.names.add(name);
    writeSlot(this.writer, tag, this.tensors.length, tensor);
    const { buffer, byteOffset, byteLength } = tensor.data;
    const data = new Uint8Array(buffer, byteOffset, byteLength);
    this.tensors.push({ path, name, dtype: tensor.dtype, shape: [...tensor.shape], data, view: tensor.data });
  }
}

/** A tensor that the plain data of a state refers to, by its place in the list of tensors. */
export interface TensorSlot {
  index: number;
  path: string[];
  dtype: DType;
  shape: number[];
}

/**
 * Returns the plain data of a state that consists of nothing but tensors, listed in this order, at paths of one or two segments.
 */
export function plainOfTensors(slots: readonly Omit<TensorSlot, 'index'>[]): Uint8Array {
  const writer = new ByteWriter(1024);
  const top = new Map<string, [key: string | undefined, index: number][]>();
  for (const [index, { path }] of slots.entries()) {
    const members = top.get(path[0]) ?? [];
    members.push([path[1], index]);
    top.set(path[0], members);
  }
  const tensor = (index: number): void => writeSlot(writer, TAG.tensor, index, slots[index]);
  writer.u8(TAG.map);
  writer.varint(top.size);
  for (const [key, members] of top) {
    writeString(writer, key);
    if (members[0][0] === undefined) {
      tensor(members[0][1]);
      continue;
    }
    writer.u8(TAG.map);
    writer.varint(members.length);
    for (const [inner = '', index] of members) {
      writeString(writer, inner);
      tensor(index);
    }
  }
  return writer.finish();
}

function writeSlot(
  writer: ByteWriter,
  tag: number,
  index: number,
  { dtype, shape }: Pick<Tensor, 'dtype' | 'shape'>,
): void {
  writer.u8(tag);
  writer.varint(index);
  writer.u8(dtypeInfo(dtype).id);
  writer.varint(shape.length);
  for (const length of shape) writer.varint(length);
}

function writeString(writer: ByteWriter, text: string): void {
  const bytes = utf8.encode(text);
  writer.varint(bytes.length);
  writer.bytes(bytes);
}

type TensorSource = (slot: TensorSlot) => ArrayBufferView | undefined;

/**
 * Puts a state together. `tensor` returns the elements of a slot, or undefined to leave it out (it is then absent from its
 * map and null in its list).
 */
export function unflattenState(plain: Uint8Array, object: string, tensor: TensorSource): StateValue {
  const reader = new ByteReader(plain, object);
  const value = readValue(reader, [], tensor);
  if (reader.remaining > 0) reader.fail('trailing-bytes', 'the plain data has bytes after its end');
  return value ?? null;
}

function readValue(reader: ByteReader, path: string[], tensor: TensorSource): StateValue | undefined {
  if (path.length > DEPTH_MAX) reader.fail('too-deep', 'the plain data is nested too deeply');
  const tag = reader.u8();
  switch (tag) {
    case TAG.null:
      return null;
    case TAG.false:
      return false;
    case TAG.true:
      return true;
    case TAG.number:
      return reader.f64();
    case TAG.text:
      return readString(reader);
    case TAG.integer:
      return BigInt.asIntN(64, reader.bigU64());
    case TAG.list:
      return Array.from({ length: readCount(reader) }, (_, index) => {
        return readValue(reader, [...path, String(index)], tensor) ?? null;
      });
    case TAG.map:
      return readMap(reader, path, tensor);
    case TAG.tensor:
    case TAG.array:
      return readTensorSlot(reader, path, tag === TAG.array, tensor);
    default:
      return reader.fail('bad-tag', 'the plain data has an unknown kind of value');
  }
}

function readMap(reader: ByteReader, path: string[], tensor: TensorSource): { [key: string]: StateValue } {
  const map: { [key: string]: StateValue } = {};
  const count = readCount(reader);
  for (let index = 0; index < count; index++) {
    const key = readString(reader);
    const value = readValue(reader, [...path, key], tensor);
    if (value === undefined) continue;
    Object.defineProperty(map, key, { value, enumerable: true, configurable: true, writable: true });
  }
  return map;
}

function readTensorSlot(
  reader: ByteReader,
  path: string[],
  bare: boolean,
  tensor: TensorSource,
): StateValue | undefined {
  const index = reader.varint();
  const dtype = dtypeById(reader.u8())?.dtype ?? reader.fail('bad-dtype', 'an unknown dtype');
  const shape = Array.from({ length: readCount(reader) }, () => reader.varint());
  const data = tensor({ index, path, dtype, shape });
  if (data === undefined) return undefined;
  return bare && !(data instanceof DataView) ? (data as TypedArray) : { dtype, shape, data };
}

function readCount(reader: ByteReader): number {
  const count = reader.varint();
  if (count > reader.remaining) reader.fail('bad-count', 'a list is longer than the plain data');
  return count;
}

function readString(reader: ByteReader): string {
  return new TextDecoder('utf-8', { fatal: false, ignoreBOM: true }).decode(reader.view8(readCount(reader)));
}

function isTensor(value: Record<string, unknown>): value is Record<string, unknown> & Tensor {
  return isDType(value.dtype) && Array.isArray(value.shape) && ArrayBuffer.isView(value.data);
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function describe(value: unknown): string {
  if (typeof value === 'object' && value !== null) return value.constructor?.name ?? 'object';
  return typeof value;
}

function invalid(path: string[], message: string): ThetalogError {
  const name = path.length === 0 ? 'the state' : path.join('.');
  return new ThetalogError('invalid', 'bad-state', `${name} ${message}.`, {
    object: name,
    hint: 'A state holds tensors, null, booleans, numbers, texts, int64 bigints, arrays and plain objects.',
  });
}
