/** Restores the files of a checkpoint: each is written beside its place, verified, and appears whole, by rename. */
import { join } from 'node:path';
import { corrupt, ThetalogError, throwIfAborted } from '../errors.js';
import type { FileContent, FileLayout } from '../format/index.js';
import type { StoreContext } from './context.js';
import type { LoadedManifest } from './manifest-store.js';
import { StreamReader } from './stream-reader.js';
import { digestOf, StagedFiles } from './target-files.js';
import type { Progress } from './types.js';

export interface RestoreRequest {
  out: string;
  force?: boolean;
  signal?: AbortSignal;
  onProgress?: (progress: Progress) => void;
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
  const streams = await StreamReader.open(context, loaded);
  const files = loaded.layout.files.map((layout, index) => ({ layout, ...loaded.content.files[index] }));
  for (const path of [...files.map((file) => file.path), ...loaded.content.directories])
    assertContained(path);
  const wanted: FileToRestore[] = [];
  for (const file of files) {
    throwIfAborted(request.signal);
    const present = await digestOf(context.hasher, join(request.out, file.path), file.layout.size);
    if (present !== file.digest) wanted.push(file);
    if (present !== undefined && present !== file.digest && request.force !== true)
      throw different(file.path);
  }
  const total = wanted.reduce((sum, file) => sum + file.layout.size, 0);
  const staged = new StagedFiles(request.out, context.environment);
  let written = 0;
  const report = (bytes: number): void => {
    throwIfAborted(request.signal);
    written += bytes;
    request.onProgress?.({ phase: 'restore', bytesRead: written, bytesStored: written, bytesTotal: total });
  };
  try {
    for (const path of loaded.content.directories) await staged.makeDirectory(path);
    for (const file of wanted) await stageFile(context, streams, staged, file, report);
    await staged.publish();
  } catch (error) {
    await staged.discard();
    throw error;
  }
  return { files: wanted.map((file) => file.path), bytes: total };
}

interface FileToRestore extends FileContent {
  layout: FileLayout;
}

async function stageFile(
  context: StoreContext,
  streams: StreamReader,
  staged: StagedFiles,
  { path, digest, layout }: FileToRestore,
  report: (bytes: number) => void,
): Promise<void> {
  const hash = context.hasher.file();
  const file = await staged.create(path, layout.mode);
  let skeletonOffset = 0;
  for (const piece of layout.pieces) {
    const stream = piece.kind === 'stream' ? piece.stream : layout.skeleton;
    if (stream === null) throw corrupt('bad-file', `${path} has skeleton pieces but no skeleton`, 'layout');
    const offset = piece.kind === 'stream' ? piece.byteOffset : skeletonOffset;
    if (piece.kind === 'skeleton') skeletonOffset += piece.length;
    for await (const part of streams.read(stream, offset, piece.length)) {
      hash.update(part);
      await file.write(part);
      report(part.length);
    }
  }
  await file.finish();
  if (hash.digest() !== digest)
    throw corrupt('file-digest', 'does not come out as the file that was saved', path);
}

/** A path from a store must stay inside the folder that is restored into. */
function assertContained(path: string): void {
  const segments = path.split('/');
  const bad = segments.some((segment) => segment === '' || segment === '.' || segment === '..');
  if (bad || path.includes('\0') || path.includes('\\')) {
    throw corrupt('bad-path', 'would be written outside the target folder', path);
  }
}

function different(path: string): ThetalogError {
  return new ThetalogError('conflict', 'file-exists', `${path} exists with other content.`, {
    object: path,
    hint: 'Restore into another folder, or use --force to replace it.',
  });
}
