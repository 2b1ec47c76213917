/** Opens the files that are to be saved and finds out what is in each. */
import { FolderFiles, isOcdbtName, type Segmentation, segmentFile } from '../adapters/index.js';
import type { ComputePool } from '../compute/index.js';
import { type ThetalogError, throwIfAborted } from '../errors.js';
import type { SourceBytes, SourceFile, SourceFiles } from './source-files.js';
import type { SourceTree } from './source-tree.js';
import type { Warning } from './types.js';
import { isNoScratch, UnpackedFiles } from './unpacked-files.js';

/** A file, what is in it, and its path inside the checkpoint. */
export interface SegmentedFile {
  path: string;
  file: SourceFile;
  /** Its unpacked form, if that is what is segmented and stored. */
  unpacked?: SourceBytes;
  segmentation: Segmentation;
}

export interface SegmentOptions {
  /** Throw what is wrong with a file instead of taking it as opaque bytes: any problem, or only damage. */
  refuse?: 'all' | 'damaged';
  /** Unpacks what is compressed; absent: nothing is looked for in that. */
  compute?: ComputePool;
  signal?: AbortSignal;
}

export class FileSegmenter {
  readonly warnings: Warning[] = [];
  private readonly files: SourceFiles;
  private readonly options: SegmentOptions;
  private readonly unpacked: UnpackedFiles | undefined;

  constructor(files: SourceFiles, options: SegmentOptions) {
    this.files = files;
    this.options = options;
    this.unpacked = options.compute && new UnpackedFiles(files, options.compute);
  }

  /** Segments all files. What is wrong with one is a warning, unless it is to be refused. */
  async segment(found: SourceTree['files']): Promise<SegmentedFile[]> {
    const opened: OpenedFile[] = [];
    for (const { source, path } of found) {
      throwIfAborted(this.options.signal);
      const file = await this.files.open(source);
      opened.push({ path, file, bytes: file });
    }
    await this.unpackAll(opened.filter(({ path }) => isOcdbtName(path)));
    const folders = findFolders(opened);
    const segmented: SegmentedFile[] = [];
    for (const one of opened) {
      throwIfAborted(this.options.signal);
      segmented.push(await this.segmentOne(one, folders.get(folderOf(one.path))));
    }
    return segmented;
  }

  /** Closes the files and removes what was made for them. */
  async close(): Promise<void> {
    await this.files.close();
    await this.unpacked?.remove();
  }

  private async segmentOne({ path, file, bytes }: OpenedFile, folder?: FolderFiles): Promise<SegmentedFile> {
    const { segmentation, problem } = await segmentFile(bytes, folder);
    if (problem !== undefined) this.warn(problem, file);
    // Without tensors it is smaller as it is.
    const isUnpacked = bytes !== file && segmentation.ranges.length > 0;
    if (isUnpacked) return { path, file, unpacked: bytes, segmentation };
    return { path, file, segmentation: bytes === file ? segmentation : { format: 'opaque', ranges: [] } };
  }

  private warn(problem: ThetalogError, file: SourceFile): void {
    const { refuse } = this.options;
    if (refuse === 'all' || (refuse === 'damaged' && problem.kind === 'corrupt')) throw problem;
    const { code, message, offset, object } = problem;
    this.warnings.push({
      code,
      message: `${message}; ${object === file.name ? '' : `${file.name} `}stored as opaque bytes`,
      object: object ?? file.name,
      offset: offset ?? null,
    });
  }

  /** Puts the unpacked form in the place of files that have one; the threads do several at once. */
  private async unpackAll(opened: readonly OpenedFile[]): Promise<void> {
    const { unpacked } = this;
    const { compute, signal } = this.options;
    if (unpacked === undefined || compute === undefined) return;
    const bytes = opened.reduce((sum, { file }) => sum + file.size, 0);
    compute.expect(bytes);
    const left = [...opened];
    const unpackNext = async (): Promise<void> => {
      for (let next = left.shift(); next !== undefined; next = left.shift())
        next.bytes = (await unpacked.unpack(next.file, signal)) ?? next.file;
    };
    try {
      if (bytes > 0) await unpacked.assertRoom(bytes);
      const done = await Promise.allSettled(Array.from({ length: compute.width }, unpackNext));
      for (const result of done) if (result.status === 'rejected') throw result.reason;
    } catch (error) {
      if (!isNoScratch(error)) throw error;
      // What was unpacked would take room that the rest of the save may need.
      for (const one of opened) one.bytes = one.file;
      await unpacked.remove();
      this.warnNoScratch(opened[0].file, error as ThetalogError);
    }
  }

  private warnNoScratch({ name }: SourceFile, { code, message, hint }: ThetalogError): void {
    const text = `${name} and those beside it are stored as they are, compressed: ${message}. ${hint}`;
    this.warnings.push({ code, message: text, object: name, offset: null });
  }
}

interface OpenedFile {
  path: string;
  file: SourceFile;
  /** What is looked into: the file, or its unpacked form. */
  bytes: SourceBytes;
}

function folderOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/') + 1);
}

/** Files by the folder that they have in the checkpoint. */
function findFolders(opened: readonly OpenedFile[]): Map<string, FolderFiles> {
  const names = new Map<string, Map<string, SourceBytes>>();
  for (const { path, bytes } of opened) {
    const folder = folderOf(path);
    const members = names.get(folder) ?? new Map<string, SourceBytes>();
    names.set(folder, members);
    members.set(path.slice(folder.length), bytes);
  }
  return new Map([...names].map(([folder, members]) => [folder, new FolderFiles(members)]));
}
