/** Files that are stored in unpacked form (`recode/`), which is put into scratch files while they are saved. */
import type { ComputePool } from '../compute/index.js';
import { isThetalogError } from '../errors.js';
import { ScratchFolder } from './scratch-folder.js';
import type { SourceBytes, SourceFile, SourceFiles } from './source-files.js';
import { withStop } from './stop-flag.js';

/**
 * There must be room for so many times the files before any is unpacked: contents take less than twice what they are compressed to, but
 * for what is hardly anything but zeros, and the store may be on the same disk.
 */
const ROOM = 3;

/** The scratch files of one plan. */
export class UnpackedFiles {
  private readonly files: SourceFiles;
  private readonly compute: ComputePool;
  private readonly scratch = new ScratchFolder();
  /** How often everything was removed. */
  private removals = 0;

  constructor(files: SourceFiles, compute: ComputePool) {
    this.files = files;
    this.compute = compute;
  }

  /** Throws `unavailable` (`no-scratch`) if there is no room for the unpacked forms of files of so many bytes. */
  assertRoom(bytes: number): Promise<void> {
    return this.scratch.assertRoom(ROOM * bytes);
  }

  /**
   * Returns the unpacked form of a file; undefined for one without anything to unpack. Throws `unavailable` (`no-scratch`) if there is
   * no room for it.
   */
  async unpack(original: SourceFile, signal: AbortSignal | undefined): Promise<SourceBytes | undefined> {
    const made = await this.make(original, signal);
    return made.frames === 0 ? undefined : new UnpackedFile(this.files, this, original, made);
  }

  /** Whether what was made before `removals` is still there. */
  has({ removals }: ScratchFile): boolean {
    return removals === this.removals;
  }

  async make(original: SourceFile, signal?: AbortSignal): Promise<ScratchFile> {
    const { removals } = this;
    const path = await this.scratch.makeFile();
    const held = await original.hold();
    try {
      const source = {
        descriptor: held.descriptor,
        path: original.name,
        offset: 0,
        length: original.size,
      };
      const { size, frames } = await withStop(signal, (stop) =>
        this.compute.run({ kind: 'unpack', source, target: path, stop }),
      );
      return { path, size, frames, removals };
    } catch (error) {
      await this.scratch.drop(path);
      throw error;
    } finally {
      held.release();
    }
  }

  /** Removes all; what is read after that is made again. Files must not be open any more. */
  async remove(): Promise<void> {
    this.removals++;
    await this.scratch.remove();
  }
}

interface ScratchFile {
  path: string;
  size: number;
  frames: number;
  removals: number;
}

/** The unpacked form of a file. Where it was removed meanwhile, it is made again: it depends on nothing but the file. */
class UnpackedFile implements SourceBytes {
  readonly name: string;
  readonly size: number;
  readonly isScratch = true;
  private readonly files: SourceFiles;
  private readonly owner: UnpackedFiles;
  private readonly original: SourceFile;
  private made: Promise<ScratchFile>;

  constructor(files: SourceFiles, owner: UnpackedFiles, original: SourceFile, made: ScratchFile) {
    this.name = original.name;
    this.size = made.size;
    this.files = files;
    this.owner = owner;
    this.original = original;
    this.made = Promise.resolve(made);
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    return this.files.read(await this.place(), this.size, offset, length);
  }

  async hold(): Promise<{ descriptor: number; release(): void }> {
    return this.files.holdDescriptor(await this.place());
  }

  private async place(): Promise<string> {
    const last = this.made;
    const isThere = await last.then((file) => this.owner.has(file)).catch(() => false);
    if (!isThere && this.made === last) this.made = this.makeAgain();
    return (await this.made).path;
  }

  private async makeAgain(): Promise<ScratchFile> {
    await this.original.assertUnchanged();
    return this.owner.make(this.original);
  }
}

/** Returns whether an error says that there is no room for scratch files. */
export function isNoScratch(error: unknown): boolean {
  return isThetalogError(error, 'unavailable') && error.code === 'no-scratch';
}
