/** A file on its way that is stored in unpacked form: that is written beside it, and turned into the file once it is whole. */
import type { ComputePool } from '../compute/index.js';
import type { StagedFile } from './staged-file.js';
import { withStop } from './stop-flag.js';
import type { StagedFiles } from './target-files.js';
import type { FileToFill } from './written-files.js';

export class RebuiltFile implements FileToFill {
  readonly path: string;
  readonly final: string;
  private readonly compute: ComputePool;
  private readonly staged: StagedFiles;
  private readonly file: StagedFile;
  private readonly form: { file: StagedFile; size: number };
  private readonly signal: AbortSignal | undefined;

  constructor(
    compute: ComputePool,
    staged: StagedFiles,
    file: StagedFile,
    form: { file: StagedFile; size: number },
    signal: AbortSignal | undefined,
  ) {
    this.path = form.file.path;
    this.final = file.final;
    this.compute = compute;
    this.staged = staged;
    this.file = file;
    this.form = form;
    this.signal = signal;
  }

  /** The form is neither digested nor made durable: only what becomes of it is. */
  wrote(): void {}

  async finish(): Promise<string> {
    const { file, form } = this;
    const { size } = await withStop(this.signal, (stop) => {
      const names = { source: form.file.path, name: file.final, target: file.path };
      return this.compute.run({ kind: 'rebuild', ...names, size: form.size, stop });
    });
    await this.staged.drop(form.file);
    file.wrote(0, size);
    return file.finish();
  }
}
