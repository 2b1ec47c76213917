/**
 * Chunks of zarr arrays, version 2, as Orbax writes them with `use_ocdbt=False, use_compression=False`: a folder for each array,
 * `params.Dense_0.kernel/`, with a description, `.zarray`, and one file for each chunk, `0.0`. Source: the zarr version 2 storage
 * specification. Chunks at the edge of an array are as large as the others. Compressed chunks are opaque.
 */
import { corrupt, ThetalogError } from '../errors.js';
import { dtypeInfo } from '../tensor/index.js';
import type { Adapter, RandomAccess, Segmentation, TensorRange } from './adapter.js';
import { columnMajorStrides, type ElementType, elementOf, placeTensor, shapeBytes } from './element-type.js';
import { groupOfTensorName } from './group-names.js';
import { elementOfDescr } from './npy.js';
import { STEP_NAMES } from './state-settings.js';
import { isJsonObject, type JsonValue, parseJsonValue, sizesOf } from './strict-json.js';
import { decodeScalar } from './torch-progress.js';

const DESCRIPTION = '.zarray';
/** Orbax's have some 200 bytes; guards memory. */
const DESCRIPTION_BYTES_MAX = 2 ** 20;
/** A chunk of an array: its place in each dimension. */
const CHUNK_NAME = /^(?:.*[\\/])?([^\\/]+)[\\/](\d{1,15}(?:\.\d{1,15})*)$/;

/** What `.zarray` says. */
export interface ZarrArray {
  element: ElementType;
  chunk: number[];
  /** What compresses the chunks; null: nothing. */
  compressor: string | null;
  /** Whether one chunk is the whole array. */
  whole: boolean;
  strides: number[] | undefined;
}

/** A chunk; its key is the name of the array's folder, with the part of the array where there are several. */
export const zarrAdapter: Adapter = {
  format: 'zarr',
  recognises: (_head, name) => CHUNK_NAME.test(name),
  async segment(source, folder) {
    const array = await folder.parse(DESCRIPTION, readDescription);
    if (array === undefined || array.compressor !== null) return { format: 'opaque', ranges: [] };
    const [, name = '', place = ''] = CHUNK_NAME.exec(source.name) ?? [];
    if (chunkBytes(array) !== source.size)
      throw corrupt(
        'zarr-size',
        `${name}: a chunk of [${array.chunk}] is not of ${source.size} bytes`,
        source.name,
      );
    const range = rangeOfChunk(array, name, place, 0);
    if (range === undefined) return { format: 'opaque', ranges: [] };
    const count = await countOf(range, source);
    const counts = new Map(count === undefined ? [] : [[range.key, count]]);
    return { format: 'zarr', ranges: [range], ...stepOf(counts) };
  },
};

/** Returns the bytes of a chunk; undefined if that is no safe integer. */
export function chunkBytes({ chunk, element }: ZarrArray): number | undefined {
  return shapeBytes(chunk, element.bytes);
}

/** Returns the range of a chunk, whose `place` in the array is as in `0.2`, at `offset` in a file; undefined for no place of it. */
export function rangeOfChunk(
  array: ZarrArray,
  name: string,
  place: string,
  offset: number,
): TensorRange | undefined {
  const { element, chunk, whole, strides } = array;
  if (place.split('.').length !== Math.max(1, chunk.length)) return undefined;
  const key = whole ? name : `${name}[${boxOf(place, chunk)}]`;
  const tensors = [placeTensor(key, element, chunk, 0, strides)];
  const length = chunkBytes(array) ?? 0;
  return { offset, length, dtype: element.dtype, group: groupOfTensorName(name), key, tensors };
}

/** Where in the array a chunk is, as parts of tensors are named elsewhere: `0:128,64:128`. */
function boxOf(place: string, chunk: readonly number[]): string {
  const at = place.split('.').map(Number);
  return chunk.map((size, dimension) => `${at[dimension] * size}:${(at[dimension] + 1) * size}`).join();
}

/** Returns the count of steps that an array holds alone; undefined for any other. */
export async function countOf(
  { key, dtype, offset, length }: TensorRange,
  source: RandomAccess,
): Promise<number | undefined> {
  const [last] = key.split('.').slice(-1);
  if (!STEP_NAMES.includes(last) || !/^[iu]/.test(dtype) || length !== dtypeInfo(dtype).bytes)
    return undefined;
  const step = decodeScalar(dtype, await source.read(offset, length));
  return step === undefined || !Number.isSafeInteger(step) || step < 0 ? undefined : step;
}

/** Says what counts tell of a checkpoint. */
export function stepOf(counts: ReadonlyMap<string, number>): Pick<Segmentation, 'step' | 'counts'> {
  const [step] = counts.values();
  return step === undefined ? {} : { step, counts };
}

async function readDescription(file: RandomAccess): Promise<ZarrArray | undefined> {
  if (file.size > DESCRIPTION_BYTES_MAX) {
    const message = `${file.name}: a description of more than ${DESCRIPTION_BYTES_MAX} bytes is not read`;
    throw new ThetalogError('unsupported', 'zarr-description', message, { object: file.name, offset: 0 });
  }
  return parseDescription(await file.read(0, file.size), file.name, 0);
}

/** Reads a description, which lies at `offset` of an object; undefined where the elements are filtered, or of a type that is not known. */
export function parseDescription(bytes: Uint8Array, object: string, offset: number): ZarrArray | undefined {
  const { value } = parseJsonValue(bytes, { object, offset });
  const field = (key: string): JsonValue | undefined =>
    isJsonObject(value) ? value.get(key)?.value : undefined;
  const compressor = compressorOf(field('compressor'));
  if (compressor === undefined || field('filters') !== null) return undefined;
  const shape = sizesOf(field('shape'));
  const chunk = sizesOf(field('chunks'));
  const dtype = field('dtype');
  if (shape === undefined || chunk?.length !== shape.length || dtype === undefined)
    throw corrupt('zarr-description', 'no dtype, shape and chunks', object, offset);
  const element =
    dtype === 'bfloat16' ? elementOf('bf16') : typeof dtype === 'string' ? elementOfDescr(dtype) : undefined;
  if (element === undefined) return undefined;
  const strides = field('order') === 'F' && chunk.length > 1 ? columnMajorStrides(chunk) : undefined;
  return { element, chunk, compressor, whole: shape.every((size, at) => size <= chunk[at]), strides };
}

function compressorOf(value: JsonValue | undefined): string | null | undefined {
  const id = isJsonObject(value) ? value.get('id')?.value : value;
  return id === null || typeof id === 'string' ? id : undefined;
}
