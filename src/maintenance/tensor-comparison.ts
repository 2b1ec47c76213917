/** Counts the elements in which two stored tensors of equal dtype and shape differ, reading no chunk that both have. */
import { readTensorValues, type StreamReader, soleBox, tensorBytes } from '../checkpoints/index.js';
import { type Content, chunkBytes, type Layout, type TensorLayout } from '../format/index.js';
import type { ChunkId } from '../hash/index.js';
import { dtypeInfo } from '../tensor/index.js';
import { absoluteDifference } from './element-differences.js';

/** One of the two checkpoints. */
export interface ComparedCheckpoint {
  layout: Layout;
  content: Content;
  streams: StreamReader;
  /** Elements in a chunk of the store. */
  chunkElements: number;
}

export interface ElementComparison {
  /** Elements whose bytes differ. */
  changed: number;
  /** Largest absolute difference, pairs with a NaN apart; null for dtypes that are no real numbers. */
  maxAbs: number | null;
}

/** A part of a stream that lies in one chunk. */
interface Span {
  /** Undefined: another chunk than any. */
  id: ChunkId | undefined;
  /** Bytes from the start of the chunk, and from the start of the stream. */
  inChunk: number;
  inStream: number;
  length: number;
}

type Pair = [Uint8Array, Uint8Array];

/** Compares a tensor of `left` with one of `right`; `onBytes` hears of every compared or skipped byte. */
export async function compareElements(
  left: ComparedCheckpoint,
  right: ComparedCheckpoint,
  tensors: { before: TensorLayout; after: TensorLayout },
  onBytes: (bytes: number) => void,
): Promise<ElementComparison> {
  const { before, after } = tensors;
  const { bytes: width } = dtypeInfo(after.dtype);
  const difference = absoluteDifference(after.dtype);
  const result: ElementComparison = { changed: 0, maxAbs: difference === undefined ? null : 0 };
  for await (const [a, b] of differingPairs(left, right, before, after, onBytes)) {
    const viewA = new DataView(a.buffer, a.byteOffset, a.byteLength);
    const viewB = new DataView(b.buffer, b.byteOffset, b.byteLength);
    for (let at = 0; at < a.length; at += width) {
      if (!differs(a, b, at, width)) continue;
      result.changed += 1;
      if (difference === undefined || result.maxAbs === null) continue;
      const distance = difference(viewA, viewB, at);
      if (distance > result.maxAbs) result.maxAbs = distance;
    }
  }
  return result;
}

function differs(a: Uint8Array, b: Uint8Array, at: number, width: number): boolean {
  for (let index = at; index < at + width; index++) if (a[index] !== b[index]) return true;
  return false;
}

/** Yields the values of both tensors, cut at the same elements; what is known to be equal is left out. */
async function* differingPairs(
  left: ComparedCheckpoint,
  right: ComparedCheckpoint,
  before: TensorLayout,
  after: TensorLayout,
  onBytes: (bytes: number) => void,
): AsyncGenerator<Pair> {
  const total = tensorBytes(after);
  if (total === 0) return;
  const [boxA, boxB] = [soleBox(before), soleBox(after)];
  const [a, b] = [spansOf(left, before), spansOf(right, after)];
  const sameStrides = boxA.strides?.join() === boxB.strides?.join();
  if (sameStrides && a.length === b.length && a.every((span, index) => isSame(span, b[index]))) {
    onBytes(total);
    return;
  }
  const contiguous = boxA.strides === null && boxB.strides === null;
  const pairs = contiguous
    ? alignedPairs(left, right, [boxA.stream, boxB.stream], cutAlike(a, b), onBytes)
    : zip(readTensorValues(left.streams, before), readTensorValues(right.streams, after));
  for await (const pair of pairs) {
    yield pair;
    onBytes(pair[0].length);
  }
}

/** Yields the bytes of spans that are not of the same chunk. */
async function* alignedPairs(
  left: ComparedCheckpoint,
  right: ComparedCheckpoint,
  [streamA, streamB]: [number, number],
  spans: Iterable<[Span, Span]>,
  onBytes: (bytes: number) => void,
): AsyncGenerator<Pair> {
  for (const [a, b] of spans) {
    if (isSame(a, b)) onBytes(a.length);
    else {
      yield [
        await left.streams.readAll(streamA, a.inStream, a.length),
        await right.streams.readAll(streamB, b.inStream, b.length),
      ];
    }
  }
}

/** Returns the spans of the chunks that hold a tensor's elements, from its first to its last. */
function spansOf(checkpoint: ComparedCheckpoint, tensor: TensorLayout): Span[] {
  const { stream: at, elementOffset, extent, strides } = soleBox(tensor);
  const { bytes } = dtypeInfo(tensor.dtype);
  const elements =
    strides === null
      ? extent.reduce((product, length) => product * length, 1)
      : extent.reduce((sum, length, axis) => sum + (length - 1) * strides[axis], 1);
  const size = chunkBytes(checkpoint.layout.streams[at], checkpoint.chunkElements);
  const { ids, lengths } = checkpoint.content.streams[at];
  const first = elementOffset * bytes;
  if (lengths !== null) return [{ id: undefined, inChunk: 0, inStream: first, length: elements * bytes }];
  const spans: Span[] = [];
  const end = first + elements * bytes;
  for (let start = first; start < end; ) {
    const inChunk = start % size;
    const length = Math.min(size - inChunk, end - start);
    spans.push({ id: ids[Math.floor(start / size)], inChunk, inStream: start, length });
    start += length;
  }
  return spans;
}

function isSame(a: Span, b: Span): boolean {
  return a.id !== undefined && a.id === b.id && a.inChunk === b.inChunk && a.length === b.length;
}

/** Cuts two lists of spans, equally long in all, wherever either ends. */
function* cutAlike(left: readonly Span[], right: readonly Span[]): Generator<[Span, Span]> {
  const [a, b] = [left[Symbol.iterator](), right[Symbol.iterator]()];
  let [x, y] = [a.next(), b.next()];
  while (x.done !== true && y.done !== true) {
    const length = Math.min(x.value.length, y.value.length);
    yield [
      { ...x.value, length },
      { ...y.value, length },
    ];
    x = length === x.value.length ? a.next() : { done: false, value: skip(x.value, length) };
    y = length === y.value.length ? b.next() : { done: false, value: skip(y.value, length) };
  }
}

function skip(span: Span, bytes: number): Span {
  return {
    id: span.id,
    inChunk: span.inChunk + bytes,
    inStream: span.inStream + bytes,
    length: span.length - bytes,
  };
}

/** Cuts two sequences of pieces, equally long in all, wherever either has a cut. */
async function* zip(left: AsyncIterator<Uint8Array>, right: AsyncIterator<Uint8Array>): AsyncGenerator<Pair> {
  let [a, b] = [new Uint8Array(), new Uint8Array()];
  for (;;) {
    if (a.length === 0) a = (await left.next()).value ?? a;
    if (b.length === 0) b = (await right.next()).value ?? b;
    const length = Math.min(a.length, b.length);
    if (length === 0) return;
    yield [a.subarray(0, length), b.subarray(0, length)];
    a = a.subarray(length);
    b = b.subarray(length);
  }
}
