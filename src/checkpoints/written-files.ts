/** Fills files with parts of streams: several units at once, each file finished as soon as all of its bytes are there. */
import { castLength, inOrder } from '../compute/index.js';
import { throwIfAborted } from '../errors.js';
import type { Piece } from './chunk-places.js';
import type { StoreContext } from './context.js';
import type { LoadedManifest } from './manifest-store.js';
import { piecesIntoFiles, type TargetFile } from './restore-pieces.js';
import type { OperationOptions } from './types.js';

/** Written files that are read once more and made durable at a time. */
const FILES_FINISHED_AT_ONCE = 4;

/** A file on its way. */
export interface FileToFill {
  /** Where it is written. */
  readonly path: string;
  /** For messages: where it will be. */
  readonly final: string;
  /** Learns of bytes that were written under the path. */
  wrote(position: number, length: number): void;
  /** Makes the file whole and durable once all is written; returns its digest. */
  finish(): Promise<string>;
}

export interface FilesToFill {
  targets: readonly FileToFill[];
  /** Their targets are the numbers of files. */
  pieces: readonly Piece[];
  /** What is written, what is there already included. */
  bytesTotal: number;
  /** Written already. */
  bytesWritten?: number;
  /** Called with each file's number and digest once it is whole and durable. */
  finished(number: number, digest: string): void;
}

/** Writes all pieces and finishes all files. */
export async function fillFiles(
  context: StoreContext,
  loaded: LoadedManifest,
  work: FilesToFill,
  options: OperationOptions,
): Promise<void> {
  const finish = async (number: number): Promise<void> => {
    throwIfAborted(options.signal);
    work.finished(number, await work.targets[number].finish());
  };
  const limits = { ahead: FILES_FINISHED_AT_ONCE, bytesMax: Number.POSITIVE_INFINITY, bytesOf: () => 0 };
  for await (const _ of inOrder(writtenFiles(context, loaded, work, options), limits, finish));
}

/** Writes the pieces; yields the number of each file once all of its bytes are in it. */
async function* writtenFiles(
  context: StoreContext,
  loaded: LoadedManifest,
  { targets, pieces, bytesTotal, bytesWritten = 0 }: FilesToFill,
  { signal, onProgress }: OperationOptions,
): AsyncGenerator<number> {
  const missing = targets.map(() => 0);
  for (const { target, length } of pieces) missing[target] += length;
  for (const [number, bytes] of missing.entries()) if (bytes === 0) yield number;
  const places = targets.map(({ path, final }): TargetFile => ({ kind: 'file', path, name: final }));
  let written = bytesWritten;
  for await (const parts of piecesIntoFiles(context, loaded, pieces, places, signal)) {
    const complete: number[] = [];
    for (const { target, position, length, cast } of parts) {
      const bytes = castLength(length, cast);
      targets[target].wrote(position, bytes);
      written += bytes;
      missing[target] -= length;
      if (missing[target] === 0) complete.push(target);
    }
    throwIfAborted(signal);
    onProgress?.({ phase: 'restore', bytesRead: written, bytesStored: written, bytesTotal });
    yield* complete;
  }
}
