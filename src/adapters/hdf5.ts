/**
 * HDF5, as Keras writes its weights and models (`.h5`, `.weights.h5`, and `.keras`, a zip archive with one in it): a tree of groups with
 * datasets as leaves, of which those in one piece are tensors. Source: HDF5 File Format Specification 3.0, section II.
 */
import { ThetalogError } from '../errors.js';
import type { Adapter, RandomAccess, Segmentation, TensorRange } from './adapter.js';
import { placeTensor } from './element-type.js';
import { readDataset } from './hdf5-datasets.js';
import { readLinks } from './hdf5-groups.js';
import { Hdf5Source, readAddress, readMessages } from './hdf5-objects.js';
import { type FoundDataset, kerasFacts } from './keras-variables.js';
import { orderRanges } from './range-keys.js';
import { groupOfVariable } from './variable-names.js';
import { looksLikeZip, readZipDirectory } from './zip-directory.js';

const MAGIC = [0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a];
const SUPERBLOCK_BYTES = 96;
const OBJECTS_MAX = 1_000_000;
const DEPTH_MAX = 64;
/** Characters of all paths together: those of a deep group repeat its own, and take more of memory than of the file. */
const PATHS_LENGTH_MAX = 2 ** 26;
/** The member of a `.keras` archive with the weights. */
const KERAS_WEIGHTS = /\.h5$/;

/** HDF5 files; keys are the paths of datasets. */
export const hdf5Adapter: Adapter = {
  format: 'hdf5',
  recognises: (head) => head.length > MAGIC.length && MAGIC.every((byte, index) => head[index] === byte),
  async segment(source) {
    return { format: 'hdf5', ...(await segmentInside(source, 0, source.size)) };
  },
};

/** Keras 3's archives of a model. */
export const kerasAdapter: Adapter = {
  format: 'keras',
  recognises: (head, name) => looksLikeZip(head) && /\.keras$/i.test(name),
  async segment(source) {
    const entries = await readZipDirectory(source);
    const weights = entries.find(({ name, stored }) => stored && KERAS_WEIGHTS.test(name));
    if (weights === undefined) return { format: 'keras', ranges: [] };
    return { format: 'keras', ...(await segmentInside(source, weights.dataOffset, weights.bytes)) };
  },
};

async function segmentInside(
  source: RandomAccess,
  start: number,
  size: number,
): Promise<Omit<Segmentation, 'format'>> {
  const file = new Hdf5Source(source, start, size);
  const found = await findDatasets(file, await readRoot(file));
  const ranges = orderRanges(found.map(({ range }) => range));
  return { ranges, ...(await kerasFacts(found, source)) };
}

/** Returns where the header of the root group is. */
async function readRoot(file: Hdf5Source): Promise<number> {
  const reader = await file.read(0, Math.min(SUPERBLOCK_BYTES, file.size));
  if (reader.view8(MAGIC.length).some((byte, index) => byte !== MAGIC[index]))
    reader.fail('hdf5-magic', 'no HDF5 file', 0);
  const version = reader.u8();
  const isFirst = version <= 1;
  if (version > 3) throw unsupported(file, `version ${version} of HDF5's superblock is not known`);
  if (isFirst) reader.view8(4);
  if (reader.u8() !== 8 || reader.u8() !== 8) throw unsupported(file, 'offsets of other than 8 bytes');
  // Sizes of tree nodes and flags; later versions have flags only.
  reader.view8(isFirst ? 9 + 4 * version : 1);
  if (readAddress(reader) !== 0) throw unsupported(file, 'addresses that do not begin with the file');
  // What is free, where the file ends, the driver, the name of the root; or the extension and the end.
  reader.view8(isFirst ? 32 : 16);
  const root = readAddress(reader);
  return root ?? reader.fail('hdf5-root', 'no root group');
}

function unsupported(file: Hdf5Source, message: string): ThetalogError {
  const place = { object: file.name, offset: file.offsetOf(MAGIC.length) };
  return new ThetalogError('unsupported', 'hdf5-version', `${file.name}: ${message}`, place);
}

async function findDatasets(file: Hdf5Source, root: number): Promise<FoundDataset[]> {
  const seen = new Map<number, TensorRange | undefined>([[root, undefined]]);
  const found: FoundDataset[] = [];
  const open = [{ address: root, path: '', depth: 0 }];
  let length = 0;
  for (let group = open.pop(); group !== undefined; group = open.pop()) {
    const messages = await readMessages(file, group.address);
    const dataset = readDataset(file, messages);
    if (dataset !== undefined && dataset.length > 0) {
      const { element, shape, offset } = dataset;
      const name = group.path.slice(1);
      const tensors = [placeTensor(name, element, shape)];
      const range = {
        offset,
        length: dataset.length,
        dtype: element.dtype,
        group: groupOfVariable(name),
        key: name,
        tensors,
      };
      found.push({ range, address: group.address });
      seen.set(group.address, range);
      continue;
    }
    for (const { name, address } of await readLinks(file, messages)) {
      const path = `${group.path}/${name}`;
      length += path.length;
      if (length > PATHS_LENGTH_MAX) throw file.damaged('hdf5-tree', 'paths that are too long', address);
      if (seen.has(address)) {
        const [view] = seen.get(address)?.tensors ?? [];
        if (view !== undefined) seen.get(address)?.tensors.push({ ...view, name: path.slice(1) });
        continue;
      }
      seen.set(address, undefined);
      if (seen.size > OBJECTS_MAX || group.depth === DEPTH_MAX)
        throw file.damaged('hdf5-tree', 'too many objects, or too deep', address);
      open.push({ address, path, depth: group.depth + 1 });
    }
  }
  return found;
}
