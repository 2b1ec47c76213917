/** Restores the files of a checkpoint: each is written beside its place, verified, and appears whole, by rename. */
import { join, sep } from 'node:path';
import { corrupt, ThetalogError, throwIfAborted } from '../errors.js';
import type { FileContent, FileLayout } from '../format/index.js';
import type { Piece } from './chunk-places.js';
import type { StoreContext } from './context.js';
import type { LoadedManifest } from './manifest-store.js';
import { RebuiltFile } from './rebuilt-file.js';
import { digestOf, StagedFiles } from './target-files.js';
import type { OperationOptions } from './types.js';
import { type FileToFill, fillFiles } from './written-files.js';

export interface RestoreRequest extends OperationOptions {
  out: string;
  force?: boolean;
}

export interface RestoredFiles {
  files: string[];
  bytes: number;
}

/**
 * Writes all files of a checkpoint below `out`. Files that are there with equal content are left alone; other content is a
 * `conflict` unless `force`. If anything fails, nothing of what was written stays.
 */
export async function restoreFiles(
  context: StoreContext,
  loaded: LoadedManifest,
  request: RestoreRequest,
): Promise<RestoredFiles> {
  const files = loaded.layout.files.map((layout, index) => ({ layout, ...loaded.content.files[index] }));
  assertContained([...files.map((file) => file.path), ...loaded.content.directories]);
  const wanted: FileToRestore[] = [];
  for (const file of files) {
    throwIfAborted(request.signal);
    const present = await digestOf(context.hasher, join(request.out, file.path), file.layout.size);
    if (present !== file.digest) wanted.push(file);
    if (present !== undefined && present !== file.digest && request.force !== true)
      throw different(file.path);
  }
  const staged = new StagedFiles(request.out, context.hasher, context.environment);
  try {
    for (const path of loaded.content.directories) await staged.makeDirectory(path);
    await stageFiles(context, loaded, staged, wanted, request);
    await staged.publish();
  } catch (error) {
    await staged.discard();
    throw error;
  }
  return { files: wanted.map((file) => file.path), bytes: bytesOf(wanted) };
}

export interface FileToRestore extends FileContent {
  layout: FileLayout;
}

function bytesOf(files: readonly FileToRestore[]): number {
  return files.reduce((sum, file) => sum + file.layout.size, 0);
}

async function stageFiles(
  context: StoreContext,
  loaded: LoadedManifest,
  staged: StagedFiles,
  files: readonly FileToRestore[],
  request: RestoreRequest,
): Promise<void> {
  const targets: FileToFill[] = [];
  for (const { path, layout } of files) {
    const file = await staged.create(path, layout.mode);
    const { unpackedSize: size } = layout;
    const form = size === undefined ? undefined : { file: await staged.createBeside(file), size };
    targets.push(
      form === undefined ? file : new RebuiltFile(context.compute, staged, file, form, request.signal),
    );
  }
  const pieces = files.flatMap((file, target) => filePieces(file, target));
  const finished = (number: number, digest: string): void => {
    if (digest !== files[number].digest)
      throw corrupt('file-digest', 'does not come out as the file that was saved', files[number].path);
  };
  const bytesTotal = pieces.reduce((sum, { length }) => sum + length, 0);
  await fillFiles(context, loaded, { targets, pieces, bytesTotal, finished }, request);
}

/** Returns where the bytes of a file are in the streams. */
export function filePieces({ path, layout }: FileToRestore, target: number): Piece[] {
  let position = 0;
  let skeletonOffset = 0;
  return layout.pieces.map((piece): Piece => {
    const stream = piece.kind === 'stream' ? piece.stream : layout.skeleton;
    if (stream === null) throw corrupt('bad-file', `${path} has skeleton pieces but no skeleton`, 'layout');
    const offset = piece.kind === 'stream' ? piece.byteOffset : skeletonOffset;
    const { length } = piece;
    if (piece.kind === 'skeleton') skeletonOffset += length;
    position += length;
    return { stream, offset, length, target, position: position - length };
  });
}

/** Paths from a store must stay inside the folder that is restored into, and be as many as they say. */
function assertContained(paths: readonly string[]): void {
  const seen = new Set<string>();
  for (const path of paths) {
    const segments = path.split('/');
    const bad = segments.some((segment) => segment === '' || segment === '.' || segment === '..');
    // Elsewhere a backslash is a letter like any other, and files that have it were saved.
    if (bad || path.includes('\0') || (sep === '\\' && /[\\:]/.test(path)))
      throw corrupt('bad-path', 'would be written outside the target folder', path);
    if (seen.has(path)) throw corrupt('bad-path', 'comes twice in one checkpoint', path);
    seen.add(path);
  }
}

function different(path: string): ThetalogError {
  return new ThetalogError('conflict', 'file-exists', `${path} exists with other content.`, {
    object: path,
    hint: 'Restore into another folder, or use --force to replace it.',
  });
}
