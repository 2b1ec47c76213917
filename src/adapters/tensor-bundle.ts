/**
 * TensorFlow's checkpoints, `ckpt.index` and `ckpt.data-00000-of-00001`: the index says where in the data files the tensors are,
 * one after the other without alignment. `variables/variables.*` of a SavedModel are the same.
 */
import { corrupt, ThetalogError } from '../errors.js';
import type { Adapter, Folder, RandomAccess, Segmentation, TensorRange } from './adapter.js';
import { type BundleIndex, type BundleTensor, readBundleIndex } from './bundle-index.js';
import { bigEndian, placeTensor, shapeBytes } from './element-type.js';
import { OBJECT_GRAPH_BYTES_MAX, OBJECT_GRAPH_KEY, readFullNames } from './object-graph.js';
import { orderRanges } from './range-keys.js';
import { isSortedTable } from './sorted-table.js';
import { groupOfVariable, variableFacts } from './variable-names.js';

const DATA_NAME = /^(?:.*[\\/])?([^\\/]*)\.data-(\d{5})-of-\d{5}$/;
const VALUE_SUFFIX = '/.ATTRIBUTES/VARIABLE_VALUE';

/** The index: all of it is skeleton. */
export const bundleIndexAdapter: Adapter = {
  format: 'tensor-bundle-index',
  recognises: (_head, name) => name.endsWith('.index'),
  async segment(source) {
    if (!(await isSortedTable(source))) return { format: 'opaque', ranges: [] };
    await readBundleIndex(source);
    return { format: 'tensor-bundle-index', ranges: [] };
  },
};

/** A data file; keys are the names in the index. */
export const bundleDataAdapter: Adapter = {
  format: 'tensor-bundle',
  recognises: (_head, name) => DATA_NAME.test(name),
  async segment(source, folder) {
    const [, prefix, shard] = DATA_NAME.exec(source.name) ?? [];
    const index = await findIndex(`${prefix}.index`, source, folder);
    const own = index.tensors.filter((tensor) => tensor.shard === Number(shard));
    const ranges = orderRanges(own.flatMap((tensor) => rangeOf(tensor, index, source)));
    return { format: 'tensor-bundle', ranges, ...(await factsOf(ranges, own, source)) };
  },
};

async function findIndex(name: string, source: RandomAccess, folder: Folder): Promise<BundleIndex> {
  const index = await folder.parse(name, readBundleIndex);
  if (index !== undefined) return index;
  const message = `${source.name}: ${name}, which says what it holds, is not among the files`;
  throw new ThetalogError('unsupported', 'bundle-index-missing', message, { object: source.name, offset: 0 });
}

/** None for text and other things that are no numbers. */
function rangeOf(tensor: BundleTensor, index: BundleIndex, source: RandomAccess): TensorRange[] {
  const { key, element: known, shape, offset, size, place } = tensor;
  if (offset > source.size || size > source.size - offset)
    throw corrupt('truncated', `${key} is not all there`, source.name, source.size);
  if (known === undefined) return [];
  const element = index.littleEndian ? known : bigEndian(known);
  if (shapeBytes(shape, element.bytes) !== size)
    throw corrupt('bundle-size', `${key}: [${shape}] does not take ${size} bytes`, index.object, place);
  const name = plainKey(key);
  const view = placeTensor(name, element, shape);
  return [
    { offset, length: size, dtype: element.dtype, group: groupOfVariable(name), key: name, tensors: [view] },
  ];
}

function plainKey(key: string): string {
  return key.endsWith(VALUE_SUFFIX)
    ? key.slice(0, -VALUE_SUFFIX.length)
    : key.replace(`${VALUE_SUFFIX}#`, '#');
}

async function factsOf(
  ranges: readonly TensorRange[],
  tensors: readonly BundleTensor[],
  source: RandomAccess,
): Promise<Pick<Segmentation, 'parameters' | 'step'>> {
  const names = new Map<string, string>();
  const graph = tensors.find(({ key, isText }) => isText && key === OBJECT_GRAPH_KEY);
  if (graph !== undefined && graph.size <= OBJECT_GRAPH_BYTES_MAX) {
    const bytes = await source.read(graph.offset, graph.size);
    for (const [key, name] of readFullNames(bytes, source.name, graph.offset)) names.set(plainKey(key), name);
  }
  return variableFacts(ranges, names, source);
}
