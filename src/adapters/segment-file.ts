/**
 * Finds the format of a file and the tensor ranges in it. Whatever a file holds, the answer is a segmentation that the
 * engine can trust: ranges sorted, disjoint, inside the file and whole in elements. What does not fit is handed over
 * as opaque bytes together with the reason.
 */
import { corrupt, isThetalogError, ThetalogError } from '../errors.js';
import { limits } from '../format/index.js';
import { dtypeInfo, elementCount } from '../tensor/index.js';
import type { Adapter, RandomAccess, Segmentation, TensorRange, TensorView } from './adapter.js';
import { BoundedSource } from './bounded-source.js';
import { dcpDataAdapter, dcpMetadataAdapter } from './dcp.js';
import { FolderFiles } from './folder-files.js';
import { ggufAdapter } from './gguf.js';
import { hdf5Adapter, kerasAdapter } from './hdf5.js';
import { npyAdapter } from './npy.js';
import { npzAdapter } from './npz.js';
import { ocdbtAdapter } from './ocdbt.js';
import { safetensorsAdapter } from './safetensors.js';
import { bundleDataAdapter, bundleIndexAdapter } from './tensor-bundle.js';
import { tfjsAdapter } from './tfjs.js';
import { torchLegacyAdapter } from './torch-legacy.js';
import { torchZipAdapter } from './torch-zip.js';
import { trainerStateAdapter } from './trainer-state.js';
import { zarrAdapter } from './zarr.js';

/** In the order of asking: those that go by name before those that go by content. */
const ADAPTERS: readonly Adapter[] = [
  trainerStateAdapter,
  ocdbtAdapter,
  bundleIndexAdapter,
  bundleDataAdapter,
  dcpMetadataAdapter,
  dcpDataAdapter,
  safetensorsAdapter,
  npzAdapter,
  kerasAdapter,
  torchZipAdapter,
  torchLegacyAdapter,
  npyAdapter,
  ggufAdapter,
  hdf5Adapter,
  tfjsAdapter,
  zarrAdapter,
];

/** Enough for every magic number and for the first record name of a zip. */
const HEAD_BYTES = 1024;

/** Characters of a name or key: with the path of the file in front, and in UTF-8, it must not be longer than a store can hold. */
const NAME_LENGTH_MAX = limits.NAME_BYTES_MAX / 4;

/** A file's segmentation; `problem` says why a file of a known format had to be taken as opaque bytes. */
export interface SegmentedFile {
  segmentation: Segmentation;
  problem?: ThetalogError;
}

/**
 * Segments a file; `folder` has those that lie beside it. Never throws for what the file holds: damaged and unsupported content gives the opaque segmentation
 * and the typed error with object and offset. Failures of the file itself (unreadable disk, abort) are thrown as they are.
 */
export async function segmentFile(source: RandomAccess, folder = new FolderFiles()): Promise<SegmentedFile> {
  const bounded = new BoundedSource(source);
  try {
    const head = await bounded.read(0, Math.min(source.size, HEAD_BYTES));
    const adapter = ADAPTERS.find((candidate) => candidate.recognises(head, source.name));
    if (adapter === undefined) return { segmentation: opaque() };
    const segmentation = await adapter.segment(bounded, folder);
    checkRanges(segmentation.ranges, source);
    return { segmentation };
  } catch (error) {
    const problem = contentProblem(error, bounded, folder);
    if (problem === undefined) throw error;
    return { segmentation: opaque(), problem };
  }
}

function opaque(): Segmentation {
  return { format: 'opaque', ranges: [] };
}

/** The typed error for what is wrong with the content; undefined when the content is not to blame. */
function contentProblem(
  error: unknown,
  source: BoundedSource,
  folder: FolderFiles,
): ThetalogError | undefined {
  if (isThetalogError(error, 'corrupt', 'unsupported')) return error;
  if ((source.failure !== undefined && error === source.failure) || folder.threw(error)) return undefined;
  const reason = error instanceof Error ? error.message : String(error);
  return corrupt(
    'unreadable-content',
    `the reader of this format failed on the content: ${reason}`,
    source.name,
  );
}

/** Holds an adapter to its contract, whatever the file made it believe. */
function checkRanges(ranges: readonly TensorRange[], source: RandomAccess): void {
  let end = 0;
  for (const { offset, length, dtype, key, tensors } of ranges) {
    const sound = Number.isSafeInteger(offset) && Number.isSafeInteger(length) && length >= 0;
    if (!sound || offset < end)
      throw corrupt(
        'ranges-overlap',
        `${key} begins before the tensor in front of it ends`,
        source.name,
        offset,
      );
    if (length > source.size - offset)
      throw corrupt('range-outside-file', `${key} reaches past the end of the file`, source.name, offset);
    if (length % dtypeInfo(dtype).bytes !== 0)
      throw corrupt('partial-element', `${key} does not hold whole ${dtype} elements`, source.name, offset);
    const elements = length / dtypeInfo(dtype).bytes;
    if (key.length > NAME_LENGTH_MAX || !tensors.every((view) => fitsStore(view, elements)))
      throw unfit(key, source.name, offset);
    end = offset + length;
  }
}

/** Whether a store can describe a tensor: one that it cannot would make the whole checkpoint unreadable. */
function fitsStore({ name, shape, elementOffset, strides }: TensorView, elements: number): boolean {
  const numbers = [elementOffset, ...shape, ...(strides ?? [])];
  const isSound = numbers.every((value) => Number.isSafeInteger(value) && value >= 0);
  if (!isSound || name.length > NAME_LENGTH_MAX || shape.length > limits.RANK_MAX) return false;
  const span = strides
    ? shape.reduce((sum, size, axis) => sum + (size - 1) * strides[axis], 1)
    : elementCount(shape);
  return shape.includes(0) || elementOffset + span <= elements;
}

function unfit(key: string, object: string, offset: number): ThetalogError {
  const name = key.length > 64 ? `${key.slice(0, 64)}…` : key;
  const message = `${object}: ${name} has a name or a shape that no store can hold`;
  return new ThetalogError('unsupported', 'tensor-unfit', message, { object, offset });
}
