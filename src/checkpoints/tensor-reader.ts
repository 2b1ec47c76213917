/** Reads single tensors of a stored checkpoint as contiguous row-major bytes. */
import { ThetalogError } from '../errors.js';
import type { Box, TensorLayout } from '../format/index.js';
import { dtypeInfo } from '../tensor/index.js';
import type { StreamReader } from './stream-reader.js';

/** A tensor with strides is gathered in memory; JavaScript buffers of Node 20 end at 4 GiB. */
const GATHERED_BYTES_MAX = 2 ** 31;

/** Returns the bytes of a tensor's values. */
export function tensorBytes(tensor: TensorLayout): number {
  return tensor.shape.reduce((product, length) => product * length, dtypeInfo(tensor.dtype).bytes);
}

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

/** Yields a tensor's values in order, contiguous and row-major, as views that must not be changed. */
export async function* readTensorValues(
  streams: StreamReader,
  tensor: TensorLayout,
): AsyncGenerator<Uint8Array> {
  if (tensorBytes(tensor) === 0) return;
  const box = soleBox(tensor);
  const elementBytes = dtypeInfo(tensor.dtype).bytes;
  if (box.strides === null || isContiguous(box)) {
    yield* streams.read(box.stream, box.elementOffset * elementBytes, tensorBytes(tensor));
    return;
  }
  const span = box.extent.reduce((sum, length, axis) => sum + (length - 1) * (box.strides?.[axis] ?? 0), 1);
  if (span * elementBytes > GATHERED_BYTES_MAX || tensorBytes(tensor) > GATHERED_BYTES_MAX) {
    const message = `${tensor.name} has strides and is too large to be gathered in memory.`;
    throw new ThetalogError('unsupported', 'strided-too-large', message, { object: tensor.name });
  }
  const source = await streams.readAll(box.stream, box.elementOffset * elementBytes, span * elementBytes);
  yield gather(source, box, elementBytes);
}

/** Returns a whole tensor's values in one buffer. */
export async function readTensor(streams: StreamReader, tensor: TensorLayout): Promise<Uint8Array> {
  const length = tensorBytes(tensor);
  if (length > GATHERED_BYTES_MAX) {
    const message = `${tensor.name} has ${length} bytes, too many for one buffer.`;
    throw new ThetalogError('unsupported', 'tensor-too-large', message, { object: tensor.name });
  }
  const bytes = new Uint8Array(length);
  let done = 0;
  for await (const part of readTensorValues(streams, tensor)) {
    bytes.set(part, done);
    done += part.length;
  }
  return bytes;
}

function isContiguous(box: Box): boolean {
  let expected = 1;
  for (let axis = box.extent.length - 1; axis >= 0; axis--) {
    if (box.extent[axis] !== 1 && box.strides?.[axis] !== expected) return false;
    expected *= box.extent[axis];
  }
  return true;
}

/** Copies the elements of a strided box into row-major order. */
function gather(source: Uint8Array, box: Box, elementBytes: number): Uint8Array {
  const { extent } = box;
  const strides = box.strides ?? [];
  const count = extent.reduce((product, length) => product * length, 1);
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
