/**
 * The layout of a checkpoint: everything about its tensors and files that saves one after another have in common, so that
 * they share it (FORMAT.md, "Layout").
 *
 * A *stream* is a sequence of elements of one type that is cut into chunks; large tensors have one each, small ones are
 * packed together, skeletons and opaque files are streams of bytes. Tensors and files say which parts of which streams
 * they are made of.
 */
import { ByteReader, ByteWriter } from '../bytes/index.js';
import { ThetalogError } from '../errors.js';
import { type DType, dtypeById, dtypeInfo, GROUPS, type Group } from '../tensor/index.js';
import { MODE_MAX, NAME_BYTES_MAX, RANK_MAX } from './limits.js';
import { readText, writeText } from './text.js';

/**
 * How a stream is cut: `grid`: the store's chunkElements; `bytes`: BYTE_CHUNK_BYTES; `content`: where the content says,
 * lengths on record. The last chunk of the first two is shorter.
 */
export type Chunking = 'grid' | 'bytes' | 'content';
const CHUNKINGS: readonly Chunking[] = ['grid', 'bytes', 'content'];
/** In the mode of a file that is in unpacked form; the size of that follows. */
const UNPACKED = MODE_MAX + 1;
const encoder = new TextEncoder();

export interface StreamLayout {
  /** Name that finds the base of the stream in other checkpoints. */
  key: string;
  dtype: DType;
  chunking: Chunking;
  elements: number;
}

/** A part of a tensor's index space and where its elements lie. */
export interface Box {
  origin: number[];
  extent: number[];
  stream: number;
  /** Elements from the start of the stream. */
  elementOffset: number;
  /** In elements; null: contiguous row-major. */
  strides: number[] | null;
}

export interface TensorLayout {
  name: string;
  group: Group;
  dtype: DType;
  shape: number[];
  boxes: Box[];
}

/** A piece of a file: bytes of its skeleton, in order, or a part of a stream. */
export type FilePiece =
  | { kind: 'skeleton'; length: number }
  | { kind: 'stream'; stream: number; byteOffset: number; length: number };

export interface FileLayout {
  format: string;
  size: number;
  /** Permission bits. */
  mode: number;
  /** Stream of its skeleton; null if it has none. */
  skeleton: number | null;
  pieces: FilePiece[];
  /** There if the pieces make up the unpacked form of the file, not the file itself: its bytes. */
  unpackedSize?: number;
}

export interface Layout {
  streams: StreamLayout[];
  tensors: TensorLayout[];
  files: FileLayout[];
}

/** Throws `invalid` for a tensor that no reader of a layout would take. */
export function assertTensorFits({ name, shape }: Pick<TensorLayout, 'name' | 'shape'>): void {
  const { length } = encoder.encode(name);
  if (length > NAME_BYTES_MAX)
    throw unfit(
      'name-too-long',
      `${name.slice(0, 40)}…`,
      `has a name of ${length} bytes, of ${NAME_BYTES_MAX} at most`,
    );
  if (shape.length > RANK_MAX)
    throw unfit('too-many-dimensions', name, `has ${shape.length} dimensions, of ${RANK_MAX} at most`);
}

function unfit(code: string, object: string, message: string): ThetalogError {
  const hint = 'Save it under a shorter name or in another shape.';
  return new ThetalogError('invalid', code, `${object} ${message}.`, { object, hint });
}

/** Encodes a layout. */
export function encodeLayout(layout: Layout): Uint8Array {
  const writer = new ByteWriter(4096);
  writer.varint(layout.streams.length);
  for (const stream of layout.streams) {
    writeText(writer, stream.key);
    writer.u8(dtypeInfo(stream.dtype).id);
    writer.u8(CHUNKINGS.indexOf(stream.chunking) + 1);
    writer.varint(stream.elements);
  }
  writer.varint(layout.tensors.length);
  for (const tensor of layout.tensors) writeTensor(writer, tensor);
  writer.varint(layout.files.length);
  for (const file of layout.files) writeFile(writer, file);
  return writer.finish();
}

/** Decodes a layout and checks that all it refers to is there; only some manifests may have `unpacked` files. */
export function decodeLayout(bytes: Uint8Array, object: string, unpacked = false): Layout {
  const reader = new ByteReader(bytes, object);
  const streams = readList(reader, readStream);
  const tensors = readList(reader, (inner) => readTensor(inner, streams));
  const files = readList(reader, (inner) => readFile(inner, streams, unpacked));
  if (reader.remaining > 0) reader.fail('trailing-bytes', 'the layout has bytes after its end');
  return { streams, tensors, files };
}

function writeTensor(writer: ByteWriter, tensor: TensorLayout): void {
  assertTensorFits(tensor);
  writeText(writer, tensor.name);
  writer.u8(GROUPS.indexOf(tensor.group) + 1);
  writer.u8(dtypeInfo(tensor.dtype).id);
  writeNumbers(writer, tensor.shape);
  writer.varint(tensor.boxes.length);
  for (const box of tensor.boxes) {
    const whole =
      box.origin.every((start) => start === 0) && box.extent.every((n, axis) => n === tensor.shape[axis]);
    writer.u8((whole ? 0 : 1) | (box.strides === null ? 0 : 2));
    if (!whole) {
      for (const start of box.origin) writer.varint(start);
      for (const extent of box.extent) writer.varint(extent);
    }
    writer.varint(box.stream);
    writer.varint(box.elementOffset);
    for (const stride of box.strides ?? []) writer.varint(stride);
  }
}

function writeFile(writer: ByteWriter, file: FileLayout): void {
  writeText(writer, file.format);
  writer.varint(file.size);
  writer.varint(file.mode + (file.unpackedSize === undefined ? 0 : UNPACKED));
  if (file.unpackedSize !== undefined) writer.varint(file.unpackedSize);
  writer.varint(file.skeleton === null ? 0 : file.skeleton + 1);
  writer.varint(file.pieces.length);
  for (const piece of file.pieces) {
    writer.varint(piece.kind === 'skeleton' ? 0 : piece.stream + 1);
    if (piece.kind === 'stream') writer.varint(piece.byteOffset);
    writer.varint(piece.length);
  }
}

function writeNumbers(writer: ByteWriter, numbers: readonly number[]): void {
  writer.varint(numbers.length);
  for (const value of numbers) writer.varint(value);
}

function readList<T>(reader: ByteReader, readItem: (reader: ByteReader) => T): T[] {
  const count = reader.varint();
  if (count > reader.remaining) reader.fail('bad-count', 'a list is longer than the layout');
  return Array.from({ length: count }, () => readItem(reader));
}

function readDType(reader: ByteReader): DType {
  const info = dtypeById(reader.u8());
  return info === undefined ? reader.fail('bad-dtype', 'an unknown dtype') : info.dtype;
}

function readStream(reader: ByteReader): StreamLayout {
  const key = readText(reader);
  const dtype = readDType(reader);
  const chunking = CHUNKINGS[reader.u8() - 1] ?? reader.fail('bad-chunking', 'an unknown way of chunking');
  return { key, dtype, chunking, elements: reader.varint() };
}

function readStreamIndex(reader: ByteReader, streams: readonly StreamLayout[], index: number): number {
  if (index < 0 || index >= streams.length) reader.fail('bad-stream', 'refers to a stream that is not there');
  return index;
}

function readTensor(reader: ByteReader, streams: readonly StreamLayout[]): TensorLayout {
  const name = readText(reader);
  const group = GROUPS[reader.u8() - 1] ?? reader.fail('bad-group', 'an unknown group');
  const dtype = readDType(reader);
  const rank = reader.varint();
  if (rank > RANK_MAX) reader.fail('bad-rank', 'a tensor has too many dimensions');
  const shape = readNumbers(reader, rank);
  const boxes = readList(reader, (inner) => readBox(inner, shape, streams));
  if (boxes.length === 0) reader.fail('bad-box', 'a tensor has no boxes');
  if (boxes.some((box) => streams[box.stream].dtype !== dtype)) {
    reader.fail('bad-dtype', 'a tensor lies in a stream of another dtype');
  }
  return { name, group, dtype, shape, boxes };
}

function readNumbers(reader: ByteReader, count: number): number[] {
  return Array.from({ length: count }, () => reader.varint());
}

function readBox(reader: ByteReader, shape: number[], streams: readonly StreamLayout[]): Box {
  const flags = reader.u8();
  if (flags > 3) reader.fail('bad-flags', 'a box has unknown flags');
  const whole = (flags & 1) === 0;
  const origin = whole ? shape.map(() => 0) : readNumbers(reader, shape.length);
  const extent = whole ? [...shape] : readNumbers(reader, shape.length);
  const stream = readStreamIndex(reader, streams, reader.varint());
  const elementOffset = reader.varint();
  const strides = (flags & 2) === 0 ? null : readNumbers(reader, shape.length);
  const last = elementOffset + lastElement(extent, strides);
  if (extent.every((length) => length > 0) && last >= streams[stream].elements) {
    reader.fail('bad-box', 'a tensor reaches outside its stream');
  }
  return { origin, extent, stream, elementOffset, strides };
}

/** Returns the offset of a box's last element from its first. */
function lastElement(extent: readonly number[], strides: readonly number[] | null): number {
  if (strides === null) return extent.reduce((product, length) => product * length, 1) - 1;
  return extent.reduce((sum, length, axis) => sum + (length - 1) * strides[axis], 0);
}

function readFile(reader: ByteReader, streams: readonly StreamLayout[], unpacked: boolean): FileLayout {
  const format = readText(reader);
  const size = reader.varint();
  const bits = reader.varint();
  const isUnpacked = unpacked && bits >= UNPACKED;
  const mode = isUnpacked ? bits - UNPACKED : bits;
  if (mode > MODE_MAX) reader.fail('bad-mode', 'a file has more than permission bits');
  const form = isUnpacked ? { unpackedSize: reader.varint() } : {};
  const skeletonPlusOne = reader.varint();
  const skeleton = skeletonPlusOne === 0 ? null : readStreamIndex(reader, streams, skeletonPlusOne - 1);
  const pieces = readList(reader, (inner) => readPiece(inner, streams));
  const total = pieces.reduce((sum, piece) => sum + piece.length, 0);
  if (total !== (form.unpackedSize ?? size))
    reader.fail('bad-file', 'the pieces of a file do not add up to its size');
  return { format, size, mode, skeleton, pieces, ...form };
}

function readPiece(reader: ByteReader, streams: readonly StreamLayout[]): FilePiece {
  const code = reader.varint();
  if (code === 0) return { kind: 'skeleton', length: reader.varint() };
  const stream = readStreamIndex(reader, streams, code - 1);
  const byteOffset = reader.varint();
  const length = reader.varint();
  const { elements, dtype } = streams[stream];
  if (byteOffset + length > elements * dtypeInfo(dtype).bytes)
    reader.fail('bad-piece', 'a piece leaves its stream');
  return { kind: 'stream', stream, byteOffset, length };
}
