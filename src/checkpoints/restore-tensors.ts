/** Writes tensors of a checkpoint as one safetensors file, under all the names that they have in it. */
import { join } from 'node:path';
import { ThetalogError } from '../errors.js';
import type { TensorLayout } from '../format/index.js';
import type { StoreContext } from './context.js';
import { matcher } from './glob.js';
import { droppedTensorError } from './kept-groups.js';
import type { LoadedManifest } from './manifest-store.js';
import type { RestoredFiles, RestoreRequest } from './restore-files.js';
import { makeShard, stageShards } from './safetensors-writer.js';
import { digestOf, StagedFiles } from './target-files.js';

/** Writes the tensors whose names match the glob into `<out>/<name>.safetensors`; none matching is `not-found`. */
export async function restoreTensors(
  context: StoreContext,
  loaded: LoadedManifest,
  request: RestoreRequest & { tensors: string; fileName: string },
): Promise<RestoredFiles> {
  const tensors = tensorsFor(loaded, matcher([request.tensors]), request.tensors).map((source) => {
    const { name, dtype, shape } = source;
    return { source, name, dtype, shape };
  });
  const shard = makeShard(`${request.fileName}.safetensors`, tensors, { format: 'pt' });
  const existing = await digestOf(context.hasher, join(request.out, shard.name), -1);
  if (existing !== undefined && request.force !== true) {
    const hint = 'Restore into another folder, or use --force to replace it.';
    throw new ThetalogError('conflict', 'file-exists', `${shard.name} exists.`, { object: shard.name, hint });
  }
  const staged = new StagedFiles(request.out, context.hasher, context.environment);
  try {
    await stageShards(context, loaded, staged, [shard], request);
    await staged.publish();
  } catch (error) {
    await staged.discard();
    throw error;
  }
  return { files: [shard.name], bytes: shard.size };
}

/** Returns the tensors that are wanted; `what` says in messages which these are. None is `not-found`. */
export function tensorsFor(
  loaded: LoadedManifest,
  isWanted: (name: string, tensor: TensorLayout) => boolean,
  what: string,
): TensorLayout[] {
  const tensors = loaded.layout.tensors.filter((tensor) => isWanted(tensor.name, tensor));
  if (tensors.length > 0) return tensors;
  const dropped = loaded.dropped?.tensors.find((tensor) => isWanted(tensor.name, tensor));
  if (dropped !== undefined) throw droppedTensorError(dropped, loaded.manifest.checkpoint.slice(0, 12));
  const message = `No tensor of the checkpoint matches "${what}".`;
  const hint = 'See the names with: thetalog show REF';
  throw new ThetalogError('not-found', 'no-such-tensor', message, { object: what, hint });
}
