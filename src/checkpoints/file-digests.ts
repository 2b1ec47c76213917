/** Digests of the files that are saved, taken while their chunks are encoded. */
import type { ComputePool } from '../compute/index.js';
import { throwIfAborted } from '../errors.js';
import type { FileContent } from '../format/index.js';
import type { SavePlan } from './plan.js';
import type { SourceFile } from './source-files.js';
import { withStop } from './stop-flag.js';

/** Files are digested together up to so many bytes and so many of them: each of them is open meanwhile. */
const BATCH_BYTES = 8 * 2 ** 20;
const BATCH_FILES = 8;

interface DigestedFile {
  path: string;
  file: SourceFile;
}

/**
 * Digests a plan's files while `work` is done; returns what comes of both. If either fails nothing reads the files any more when
 * this rejects: they are closed then, and their descriptors may soon be those of others.
 */
export async function digestDuring<Done>(
  plan: SavePlan,
  compute: ComputePool,
  signal: AbortSignal | undefined,
  work: () => Promise<Done>,
): Promise<{ files: FileContent[]; done: Done }> {
  const stop = new AbortController();
  const onAbort = () => stop.abort(signal?.reason);
  signal?.addEventListener('abort', onAbort);
  const digesting = plan.files(compute, stop.signal);
  try {
    digesting.catch(() => {});
    const done = await work();
    return { files: await digesting, done };
  } catch (error) {
    stop.abort();
    await digesting.catch(() => {});
    throw error;
  } finally {
    signal?.removeEventListener('abort', onAbort);
  }
}

/** Returns the paths and digests of the files, in order. */
export async function digestFiles(
  compute: ComputePool,
  files: readonly DigestedFile[],
  signal: AbortSignal | undefined,
): Promise<FileContent[]> {
  return withStop(signal, async (stop) => {
    const contents: FileContent[] = [];
    for (const batch of batches(files)) {
      throwIfAborted(signal);
      contents.push(...(await digestBatch(compute, batch, stop)));
    }
    return contents;
  });
}

async function digestBatch(
  compute: ComputePool,
  batch: readonly DigestedFile[],
  stop: Int32Array,
): Promise<FileContent[]> {
  const held: { descriptor: number; release(): void }[] = [];
  try {
    for (const { file } of batch) held.push(await file.hold());
    const parts = batch.map(({ file }, index) => {
      return { descriptor: held[index].descriptor, path: file.name, offset: 0, length: file.size };
    });
    const { digests } = await compute.run({ kind: 'digest', files: parts, stop });
    return batch.map(({ path }, index) => ({ path, digest: digests[index] }));
  } finally {
    for (const { release } of held) release();
  }
}

function batches(files: readonly DigestedFile[]): DigestedFile[][] {
  const found: DigestedFile[][] = [];
  let bytes = 0;
  for (const item of files) {
    const batch = found.at(-1);
    bytes += item.file.size;
    if (batch === undefined || batch.length >= BATCH_FILES || bytes > BATCH_BYTES) {
      found.push([item]);
      bytes = item.file.size;
    } else batch.push(item);
  }
  return found;
}
