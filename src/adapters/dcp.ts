/**
 * Directories of torch.distributed.checkpoint, also inside those of FSDP, accelerate and torchtitan. A `.distcp` file is archives of
 * torch.save one behind the other, one for each box of a tensor and for each object; `.metadata` says which is which, and stands for
 * the whole: it has the progress and what the optimizer says of its parameters.
 */
import { corrupt, isThetalogError, ThetalogError } from '../errors.js';
import type { Adapter, RandomAccess, TensorRange } from './adapter.js';
import { type DcpItem, type DcpMetadata, readDcpMetadata } from './dcp-metadata.js';
import { readDcpState } from './dcp-state.js';
import { openWindow } from './file-window.js';
import { groupOfTensorName } from './group-names.js';
import { orderRanges } from './range-keys.js';
import { segmentTorchFile } from './torch-ranges.js';
import { openTorchZip } from './torch-zip.js';
import { looksLikeZip } from './zip-directory.js';

const METADATA = '.metadata';
const PROTO = 0x80;

/** The file that describes the others. */
export const dcpMetadataAdapter: Adapter = {
  format: 'dcp-metadata',
  recognises: (head, name) => baseName(name) === METADATA && head[0] === PROTO,
  async segment(source, folder) {
    const metadata = (await folder.parse(METADATA, readDcpMetadata)) ?? (await readDcpMetadata(source));
    return { format: 'dcp-metadata', ranges: [], ...(await readDcpState(metadata, folder, source.name)) };
  },
};

/** The files with the tensors; without a description they are opaque. */
export const dcpDataAdapter: Adapter = {
  format: 'dcp',
  recognises: (head, name) => name.endsWith('.distcp') && looksLikeZip(head),
  async segment(source, folder) {
    const metadata = await folder.parse(METADATA, readDcpMetadata);
    if (metadata === undefined) return { format: 'opaque', ranges: [] };
    return { format: 'dcp', ranges: await segmentItems(metadata, source) };
  },
};

async function segmentItems(metadata: DcpMetadata, source: RandomAccess): Promise<TensorRange[]> {
  const ranges: TensorRange[] = [];
  let end = 0;
  for (const item of metadata.itemsOf.get(baseName(source.name)) ?? []) {
    if (item.offset < end || item.length > source.size - item.offset)
      throw corrupt(
        'dcp-place',
        `${item.key} is not where ${METADATA} says: before the end of another, or behind that of the file`,
        source.name,
        Math.min(item.offset, source.size),
      );
    end = item.offset + item.length;
    ranges.push(...(await segmentItem(item, source)));
  }
  return orderRanges(ranges);
}

async function segmentItem(item: DcpItem, source: RandomAccess): Promise<TensorRange[]> {
  const window = await openWindow(source, item.offset, item.length);
  const ranges = await inWindow(item, async () => {
    const file = await openTorchZip(window);
    return file === undefined ? [] : (await segmentTorchFile(file)).ranges;
  });
  const alone = item.tensor !== undefined && ranges.length === 1;
  for (const range of ranges) {
    range.offset += item.offset;
    range.group = groupOfTensorName(item.fqn);
    range.key = alone ? item.key : `${item.key}.${range.key}`;
    for (const view of range.tensors) view.name = alone ? item.key : `${item.key}.${view.name}`;
  }
  return ranges;
}

/** Lets errors say where in the file something is wrong, not where in the window. */
async function inWindow<T>(item: DcpItem, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (!isThetalogError(error, 'corrupt', 'unsupported')) throw error;
    const { kind, code, message, object } = error;
    const offset = item.offset + (error.offset ?? 0);
    throw new ThetalogError(kind, code, `${item.key}: ${message}`, { object, offset });
  }
}

function baseName(name: string): string {
  return name.replace(/^.*[\\/]/, '');
}
