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

/** What `.zarray` says; undefined: the elements are not there as they are, but compressed or filtered. */
interface ZarrArray {
  element: ElementType;
  chunk: number[];
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
    if (array === undefined) return { format: 'opaque', ranges: [] };
    const [, name = '', place = ''] = CHUNK_NAME.exec(source.name) ?? [];
    const { element, chunk, whole, strides } = array;
    const length = shapeBytes(chunk, element.bytes);
    if (length !== source.size)
      throw corrupt(
        'zarr-size',
        `${name}: a chunk of [${chunk}] is not of ${source.size} bytes`,
        source.name,
      );
    if (place.split('.').length !== Math.max(1, chunk.length)) return { format: 'opaque', ranges: [] };
    const key = whole ? name : `${name}[${boxOf(place, chunk)}]`;
    const tensors = [placeTensor(key, element, chunk, 0, strides)];
    const group = groupOfTensorName(name);
    const range: TensorRange = { offset: 0, length, dtype: element.dtype, group, key, tensors };
    return { format: 'zarr', ranges: [range], ...(await countOf(range, source)) };
  },
};

/** Where in the array a chunk is, as parts of tensors are named elsewhere: `0:128,64:128`. */
function boxOf(place: string, chunk: readonly number[]): string {
  const at = place.split('.').map(Number);
  return chunk.map((size, dimension) => `${at[dimension] * size}:${(at[dimension] + 1) * size}`).join();
}

/** A count of steps, alone in its array. */
async function countOf(
  { key, dtype, length }: TensorRange,
  source: RandomAccess,
): Promise<Pick<Segmentation, 'step'>> {
  const [last] = key.split('.').slice(-1);
  if (!STEP_NAMES.includes(last) || !/^[iu]/.test(dtype) || length !== dtypeInfo(dtype).bytes) return {};
  const step = decodeScalar(dtype, await source.read(0, length));
  return step === undefined || !Number.isSafeInteger(step) || step < 0 ? {} : { step };
}

async function readDescription(file: RandomAccess): Promise<ZarrArray | undefined> {
  if (file.size > DESCRIPTION_BYTES_MAX) {
    const message = `${file.name}: a description of more than ${DESCRIPTION_BYTES_MAX} bytes is not read`;
    throw new ThetalogError('unsupported', 'zarr-description', message, { object: file.name, offset: 0 });
  }
  const { value } = parseJsonValue(await file.read(0, file.size), { object: file.name, offset: 0 });
  const field = (key: string): JsonValue | undefined =>
    isJsonObject(value) ? value.get(key)?.value : undefined;
  if (field('compressor') !== null || field('filters') !== null) return undefined;
  const shape = sizesOf(field('shape'));
  const chunk = sizesOf(field('chunks'));
  const dtype = field('dtype');
  if (shape === undefined || chunk?.length !== shape.length || dtype === undefined)
    throw corrupt('zarr-description', 'no dtype, shape and chunks', file.name, 0);
  const element =
    dtype === 'bfloat16' ? elementOf('bf16') : typeof dtype === 'string' ? elementOfDescr(dtype) : undefined;
  if (element === undefined) return undefined;
  const strides = field('order') === 'F' && chunk.length > 1 ? columnMajorStrides(chunk) : undefined;
  return { element, chunk, whole: shape.every((size, at) => size <= chunk[at]), strides };
}
