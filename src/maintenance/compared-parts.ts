/** Cuts two stored tensors of equal dtype and shape at the same elements, so that parts of chunks can be compared. */
import {
  chunkAt,
  chunkStarts,
  type LoadedManifest,
  type StoreContext,
  soleBox,
} from '../checkpoints/index.js';
import type { ComparedPart } from '../compute/index.js';
import type { Box, TensorLayout } from '../format/index.js';
import type { ChunkId } from '../hash/index.js';
import { dtypeInfo, elementCount } from '../tensor/index.js';

/** A part of a stream that lies in one chunk, in bytes. */
interface Span {
  id: ChunkId;
  inChunk: number;
  length: number;
}

/** Where the chunks of a checkpoint's streams begin. */
export class ChunkSpans {
  private readonly context: StoreContext;
  private readonly loaded: LoadedManifest;
  private readonly starts = new Map<number, number[]>();

  constructor(context: StoreContext, loaded: LoadedManifest) {
    this.context = context;
    this.loaded = loaded;
  }

  /** Returns the parts of chunks that hold a box, from its first element to its last. */
  of(box: Box, elementBytes: number): Span[] {
    const starts = this.starts.get(box.stream) ?? chunkStarts(this.context, this.loaded, box.stream);
    this.starts.set(box.stream, starts);
    const { ids } = this.loaded.content.streams[box.stream];
    const first = box.elementOffset * elementBytes;
    const end = first + spannedElements(box) * elementBytes;
    const spans: Span[] = [];
    let position = first;
    for (let at = chunkAt(starts, first); position < end; at++) {
      const length = Math.min(end, starts[at + 1]) - position;
      spans.push({ id: ids[at], inChunk: position - starts[at], length });
      position += length;
    }
    return spans;
  }
}

/**
 * Returns all parts of two tensors, those of equal chunks, too, where the order in which elements lie does not matter: both
 * contiguous, or both in the same order without gaps. Otherwise undefined: the values must be gathered.
 */
export function comparedParts(
  [left, right]: readonly [ChunkSpans, ChunkSpans],
  [before, after]: readonly [TensorLayout, TensorLayout],
  subject: number,
): ComparedPart[] | undefined {
  const { dtype } = after;
  const { bytes } = dtypeInfo(dtype);
  const [boxA, boxB] = [soleBox(before), soleBox(after)];
  if (elementCount(boxA.extent) === 0) return [];
  const sameOrder = boxA.strides?.join() === boxB.strides?.join();
  if (!sameOrder || spannedElements(boxA) !== elementCount(boxA.extent)) return undefined;
  const parts: ComparedPart[] = [];
  for (const [a, b] of cutAlike(left.of(boxA, bytes), right.of(boxB, bytes)))
    parts.push({
      a: a.id,
      b: b.id,
      fromA: a.inChunk,
      fromB: b.inChunk,
      length: a.length,
      dtype,
      subject,
    });
  return parts;
}

/** Returns whether both sides of a part are the same bytes of one chunk. */
export function isUnchanged({ a, b, fromA, fromB }: ComparedPart): boolean {
  return a === b && fromA === fromB;
}

/** Returns how many elements lie from a box's first to its last. */
function spannedElements(box: Box): number {
  const { strides, extent } = box;
  if (strides === null || elementCount(box.extent) === 0) return elementCount(box.extent);
  return extent.reduce((sum, length, axis) => sum + (length - 1) * strides[axis], 1);
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

function skip({ id, inChunk, length }: Span, bytes: number): Span {
  return { id, inChunk: inChunk + bytes, length: length - bytes };
}
