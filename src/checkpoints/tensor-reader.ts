/** Reads single tensors of a stored checkpoint as contiguous row-major bytes. */
import { ThetalogError } from '../errors.js';
import type { Box, TensorLayout } from '../format/index.js';
import { dtypeInfo, elementCount, tensorBytes } from '../tensor/index.js';
import type { Piece } from './chunk-places.js';
import type { StoreContext } from './context.js';
import type { LoadedManifest } from './manifest-store.js';
import { piecesIntoMemory } from './restore-pieces.js';

type StreamPart = Pick<Piece, 'stream' | 'offset' | 'length'>;

/** A tensor with strides is gathered in memory; JavaScript buffers of Node 20 end at 4 GiB. */
const GATHERED_BYTES_MAX = 2 ** 31;

/** Returns the box that holds all of a tensor; a tensor of several parts is `unsupported` so far. */
export function soleBox(tensor: TensorLayout): Box {
  const [box, ...others] = tensor.boxes;
  const isWhole = box?.extent.every((length, axis) => length === tensor.shape[axis]) === true;
  if (isWhole && others.length === 0) return box;
  const message = `${tensor.name} is stored in parts, which this build cannot put together.`;
  throw new ThetalogError('unsupported', 'tensor-in-parts', message, {
    object: tensor.name,
    hint: 'Upgrade thetalog.',
  });
}

/** Returns the part of a stream that is a tensor's values, row-major; undefined if its strides scatter them. */
export function contiguousPiece(tensor: TensorLayout): StreamPart | undefined {
  const length = tensorBytes(tensor);
  if (length === 0) return { stream: 0, offset: 0, length: 0 };
  const box = soleBox(tensor);
  const offset = box.elementOffset * dtypeInfo(tensor.dtype).bytes;
  return box.strides === null || isContiguous(box) ? { stream: box.stream, offset, length } : undefined;
}

/** Returns the part of a stream in which a tensor's values lie, in whatever order. */
function spannedPiece(tensor: TensorLayout): StreamPart {
  const box = soleBox(tensor);
  const elementBytes = dtypeInfo(tensor.dtype).bytes;
  const span = box.extent.reduce((sum, length, axis) => sum + (length - 1) * (box.strides?.[axis] ?? 0), 1);
  if (span * elementBytes > GATHERED_BYTES_MAX || tensorBytes(tensor) > GATHERED_BYTES_MAX) {
    const message = `${tensor.name} has strides and is too large to be gathered in memory.`;
    throw new ThetalogError('unsupported', 'strided-too-large', message, { object: tensor.name });
  }
  return { stream: box.stream, offset: box.elementOffset * elementBytes, length: span * elementBytes };
}

/**
 * Returns the values of whole tensors, contiguous and row-major: each in the memory given for it, else in one buffer of its
 * own.
 */
export async function readTensors(
  context: StoreContext,
  loaded: LoadedManifest,
  tensors: readonly TensorLayout[],
  into: readonly (Uint8Array | undefined)[] = [],
): Promise<Uint8Array[]> {
  const parts = tensors.map((tensor) => {
    const length = tensorBytes(tensor);
    const piece = contiguousPiece(tensor);
    if (piece === undefined || length <= GATHERED_BYTES_MAX) return piece ?? spannedPiece(tensor);
    const message = `${tensor.name} has ${length} bytes, too many for one buffer.`;
    throw new ThetalogError('unsupported', 'tensor-too-large', message, { object: tensor.name });
  });
  const pieces = parts.map((part, target): Piece => ({ ...part, target, position: 0 }));
  const isScattered = tensors.map((tensor) => contiguousPiece(tensor) === undefined);
  const targets = parts.map(({ length }, at) => (isScattered[at] ? length : (into[at] ?? length)));
  const filled = await piecesIntoMemory(context, loaded, pieces, targets);
  return tensors.map((tensor, at) => {
    if (!isScattered[at]) return filled[at];
    const values = gather(filled[at], tensor);
    into[at]?.set(values);
    return into[at] ?? values;
  });
}

function isContiguous(box: Box): boolean {
  let expected = 1;
  for (let axis = box.extent.length - 1; axis >= 0; axis--) {
    if (box.extent[axis] !== 1 && box.strides?.[axis] !== expected) return false;
    expected *= box.extent[axis];
  }
  return true;
}

/** Copies the elements of a strided tensor into row-major order. */
function gather(source: Uint8Array, tensor: TensorLayout): Uint8Array {
  const box = soleBox(tensor);
  const elementBytes = dtypeInfo(tensor.dtype).bytes;
  const { extent } = box;
  const strides = box.strides ?? [];
  const count = elementCount(extent);
  const target = new Uint8Array(count * elementBytes);
  const position = extent.map(() => 0);
  let from = 0;
  for (let index = 0; index < count; index++) {
    const start = from * elementBytes;
    for (let byte = 0; byte < elementBytes; byte++)
      target[index * elementBytes + byte] = source[start + byte];
    for (let axis = extent.length - 1; axis >= 0; axis--) {
      position[axis]++;
      from += strides[axis];
      if (position[axis] < extent[axis]) break;
      from -= strides[axis] * extent[axis];
      position[axis] = 0;
    }
  }
  return target;
}
