/** Writes tensors of a checkpoint into safetensors files that appear later: values come in any order, converted on the way. */
import { type Cast, castElements } from '../compute/index.js';
import { throwIfAborted } from '../errors.js';
import type { TensorLayout } from '../format/index.js';
import type { Kernels } from '../kernels/index.js';
import { tensorBytes } from '../tensor/index.js';
import type { Piece } from './chunk-places.js';
import type { StoreContext } from './context.js';
import type { LoadedManifest } from './manifest-store.js';
import { encodeHeader, inFileOrder, type NamedTensor } from './safetensors-file.js';
import type { StagedFile } from './staged-file.js';
import type { StagedFiles } from './target-files.js';
import { contiguousPiece, readTensors } from './tensor-reader.js';
import type { OperationOptions } from './types.js';
import { fillFiles } from './written-files.js';

const FILE_MODE = 0o644;

/** A tensor of a checkpoint as a file has it. */
export interface WrittenTensor extends NamedTensor {
  readonly source: TensorLayout;
  readonly cast?: Cast;
}

/** A safetensors file that is to be written. */
export interface Shard {
  name: string;
  /** Everything in front of the values. */
  header: Uint8Array;
  /** In file order. */
  tensors: WrittenTensor[];
  /** Bytes of the whole file. */
  size: number;
}

/** A file that is whole and durable, and has no name yet. */
export interface StagedShard {
  name: string;
  file: StagedFile;
  digest: string;
}

/** Describes a file that has these tensors. */
export function makeShard(
  name: string,
  tensors: readonly WrittenTensor[],
  metadata: Readonly<Record<string, string>>,
): Shard {
  const ordered = inFileOrder(tensors);
  const header = encodeHeader(ordered, metadata);
  return {
    name,
    header,
    tensors: ordered,
    size: ordered.reduce((sum, each) => sum + tensorBytes(each), header.length),
  };
}

/** Writes files, several at once, in bounded memory; only a tensor whose strides scatter it is gathered as a whole. */
export async function stageShards(
  context: StoreContext,
  loaded: LoadedManifest,
  staged: StagedFiles,
  shards: readonly Shard[],
  options: OperationOptions,
): Promise<StagedShard[]> {
  const targets: StagedFile[] = [];
  const pieces: Piece[] = [];
  let bytesWritten = 0;
  for (const [target, { name, header, tensors }] of shards.entries()) {
    throwIfAborted(options.signal);
    const file = await staged.create(name, FILE_MODE);
    targets.push(file);
    await file.write(header, 0);
    bytesWritten += header.length;
    let position = header.length;
    for (const tensor of tensors) {
      const piece = contiguousPiece(tensor.source);
      if (piece !== undefined)
        pieces.push({ ...piece, target, position, ...(tensor.cast && { cast: tensor.cast }) });
      else bytesWritten += await writeGathered(context, loaded, tensor, file, position);
      throwIfAborted(options.signal);
      position += tensorBytes(tensor);
    }
  }
  const digests = new Map<number, string>();
  const work = {
    targets,
    pieces,
    bytesTotal: shards.reduce((sum, { size }) => sum + size, 0),
    bytesWritten,
    finished: (number: number, digest: string) => void digests.set(number, digest),
  };
  await fillFiles(context, loaded, work, options);
  return targets.map((file, at) => ({ name: shards[at].name, file, digest: digests.get(at) ?? '' }));
}

async function writeGathered(
  context: StoreContext,
  loaded: LoadedManifest,
  { source, cast }: WrittenTensor,
  file: StagedFile,
  position: number,
): Promise<number> {
  const [values] = await readTensors(context, loaded, [source]);
  const bytes = cast === undefined ? values : castCopy(context.kernels, values, cast);
  await file.write(bytes, position);
  return bytes.length;
}

/** The arena is everybody's as soon as something is awaited. */
function castCopy(kernels: Kernels, values: Uint8Array, cast: Cast): Uint8Array {
  const mark = kernels.arena.mark();
  try {
    return castElements(kernels, values, cast).slice();
  } finally {
    kernels.arena.release(mark);
  }
}
