/** Which tensors and files of a checkpoint need chunks that are lost, and which chunks those are. */
import {
  chunkAt,
  chunkStarts,
  type DamagedCheckpoint,
  type LostParts,
  PLAIN_KEY,
  type StoreContext,
} from '../checkpoints/index.js';
import type { ChunkEntry, Content, FileLayout, Layout, TensorLayout } from '../format/index.js';
import type { ChunkId } from '../hash/index.js';
import { dtypeInfo, elementCount } from '../tensor/index.js';
import type { LiveCheckpoint } from './live-store.js';

/** Returns whether anything is lost. */
export function isAnythingLost({ tensors, files, plainData }: LostParts): boolean {
  return plainData || tensors.length + files.length > 0;
}

/** What is known of a checkpoint besides its segments. */
export interface Description {
  layout: Layout;
  content: Content;
}

/** Bytes of a stream. */
interface Range {
  stream: number;
  offset: number;
  length: number;
}

/** Returns the names of what needs a lost chunk. */
export function lostParts(
  context: StoreContext,
  { layout, content }: Description,
  isLost: (id: ChunkId) => boolean,
): LostParts {
  const startsOf = layout.streams.map((_, stream) => chunkStarts(context, { layout, content }, stream));
  const lost = content.streams.map(({ ids }) => ids.map(isLost));
  const needsLost = ({ stream, offset, length }: Range): boolean => {
    const starts = startsOf[stream];
    if (length === 0 || !lost[stream].includes(true)) return false;
    for (let at = chunkAt(starts, offset); at < lost[stream].length && starts[at] < offset + length; at++)
      if (lost[stream][at]) return true;
    return false;
  };
  return {
    tensors: layout.tensors.filter((tensor) => tensorRanges(tensor).some(needsLost)).map(({ name }) => name),
    files: layout.files.flatMap((file, at) =>
      fileRanges(file).some(needsLost) ? [content.files[at].path] : [],
    ),
    plainData: layout.streams.some(({ key }, stream) => key === PLAIN_KEY && lost[stream].includes(true)),
  };
}

/** Returns what damage leaves of a checkpoint; without a description nothing. */
export function damagedCheckpoint(
  context: StoreContext,
  { run, entry }: LiveCheckpoint,
  description: Description | undefined,
  isLost: (id: ChunkId) => boolean,
): DamagedCheckpoint {
  const { id, step } = entry;
  const nothing = { tensors: [], files: [], plainData: false };
  if (description === undefined)
    return { id, run, step, readable: false, lost: nothing, soundTensors: 0, soundFiles: 0 };
  const { layout } = description;
  const lost = lostParts(context, description, isLost);
  const soundTensors = layout.tensors.length - lost.tensors.length;
  return {
    id,
    run,
    step,
    readable: true,
    lost,
    soundTensors,
    soundFiles: layout.files.length - lost.files.length,
  };
}

function tensorRanges({ dtype, boxes }: TensorLayout): Range[] {
  const { bytes } = dtypeInfo(dtype);
  return boxes.map(({ stream, elementOffset, extent, strides }) => {
    const elements = extent.includes(0)
      ? 0
      : strides === null
        ? elementCount(extent)
        : extent.reduce((sum, length, axis) => sum + (length - 1) * strides[axis], 1);
    return { stream, offset: elementOffset * bytes, length: elements * bytes };
  });
}

function fileRanges({ skeleton, pieces }: FileLayout): Range[] {
  let skeletonOffset = 0;
  return pieces.map((piece) => {
    const { length } = piece;
    if (piece.kind === 'stream') return { stream: piece.stream, offset: piece.byteOffset, length };
    skeletonOffset += length;
    return { stream: skeleton ?? 0, offset: skeletonOffset - length, length };
  });
}

/** Returns a function that tells whether a chunk cannot be had: it, or something that decoding it reads, is not sound. */
export function lostChunks(
  get: (id: ChunkId) => ChunkEntry | undefined,
  isSound: (entry: ChunkEntry) => boolean,
): (id: ChunkId) => boolean {
  const known = new Map<ChunkId, boolean>();
  const isLost = (id: ChunkId): boolean => {
    const present = known.get(id);
    if (present !== undefined) return present;
    const entry = get(id);
    const lost =
      entry === undefined ||
      !isSound(entry) ||
      entry.references.some((read) => (get(read)?.height ?? 0) >= entry.height || isLost(read));
    known.set(id, lost);
    return lost;
  };
  return isLost;
}
