/** Reads a checkpoint back from the store and compares it with the files that it was made of. */
import { join } from 'node:path';
import { corrupt, throwIfAborted } from '../errors.js';
import type { StoreContext } from './context.js';
import { digestFiles } from './file-digests.js';
import type { LoadedManifest } from './manifest-store.js';
import { filePieces } from './restore-files.js';
import { piecesIntoFiles, type TargetFile } from './restore-pieces.js';
import { ScratchFolder } from './scratch-folder.js';
import { SourceFiles } from './source-files.js';
import { withStop } from './stop-flag.js';
import type { OperationOptions } from './types.js';

/**
 * Decodes everything that the files of a checkpoint consist of and compares it with the files below `folder`, and their digests with
 * those on record: what is right here comes back, byte for byte. Throws `corrupt` for what differs. Writes nothing.
 */
export async function verifyFiles(
  context: StoreContext,
  loaded: LoadedManifest,
  folder: string,
  { signal, onProgress }: OperationOptions = {},
): Promise<void> {
  const { layout, content } = loaded;
  const differing = await differingFile(context, loaded, folder, signal);
  if (differing !== undefined)
    throw corrupt('other-digest', 'is not the file that the store has on record', join(folder, differing));
  const scratch = new ScratchFolder();
  try {
    const forms = layout.files.reduce((sum, { unpackedSize = 0 }) => sum + unpackedSize, 0);
    if (forms > 0) await scratch.assertRoom(forms);
    const targets: TargetFile[] = [];
    for (const [at, { path }] of content.files.entries()) {
      const name = join(folder, path);
      const { unpackedSize } = layout.files[at];
      const isForm = unpackedSize !== undefined;
      targets.push({
        kind: isForm ? 'file' : 'equal-file',
        path: isForm ? await scratch.makeFile() : name,
        name,
      });
    }
    const pieces = content.files.flatMap((file, at) => filePieces({ ...file, layout: layout.files[at] }, at));
    const bytesTotal = pieces.reduce((sum, { length }) => sum + length, 0);
    let bytesRead = 0;
    for await (const parts of piecesIntoFiles(context, loaded, pieces, targets, signal)) {
      throwIfAborted(signal);
      for (const { length } of parts) bytesRead += length;
      onProgress?.({ phase: 'verify', bytesRead, bytesStored: 0, bytesTotal });
    }
    await verifyForms(context, loaded, targets, signal);
  } finally {
    await scratch.remove();
  }
}

/** Turns what was decoded of files in unpacked form back into these, and compares the digests. */
async function verifyForms(
  { compute }: StoreContext,
  { layout, content }: LoadedManifest,
  targets: readonly TargetFile[],
  signal: AbortSignal | undefined,
): Promise<void> {
  for (const [at, { path: source, name }] of targets.entries()) {
    const { unpackedSize: size } = layout.files[at];
    if (size === undefined) continue;
    throwIfAborted(signal);
    const { digest } = await withStop(signal, (stop) =>
      compute.run({ kind: 'rebuild', source, name, size, stop }),
    );
    if (digest !== content.files[at].digest)
      throw corrupt('other-bytes', 'what was stored of it comes out as another file', name);
  }
}

/** Returns whether the files below `folder` have the sizes and digests of those of a checkpoint. */
export async function hasSameFiles(
  context: StoreContext,
  loaded: LoadedManifest,
  folder: string,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  return (await differingFile(context, loaded, folder, signal)) === undefined;
}

async function differingFile(
  { compute }: StoreContext,
  { layout, content }: LoadedManifest,
  folder: string,
  signal: AbortSignal | undefined,
): Promise<string | undefined> {
  const files = new SourceFiles();
  try {
    const opened: { path: string; file: Awaited<ReturnType<typeof files.open>> }[] = [];
    for (const [at, { path }] of content.files.entries()) {
      const file = await files.open(join(folder, path));
      if (file.size !== layout.files[at].size) return path;
      opened.push({ path, file });
    }
    const found = await digestFiles(compute, opened, signal);
    return found.find(({ digest }, at) => digest !== content.files[at].digest)?.path;
  } finally {
    await files.close();
  }
}
