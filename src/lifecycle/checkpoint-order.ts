/** Puts the checkpoints of a folder in the order in which they were made. */
import { planFiles } from '../checkpoints/index.js';
import { isThetalogError } from '../errors.js';
import type { FolderCheckpoint } from './checkpoint-folder.js';

export interface Progress {
  step: number | null;
  epoch: number | null;
}

/** Finds progress in names and, where they do not say it, in files; remembers what it has read. */
export class ProgressFinder {
  private readonly found = new Map<string, Progress>();

  /** Sorts by step; those without come last, by epoch; what is equal by the time of its latest change. */
  async inOrder(
    checkpoints: readonly FolderCheckpoint[],
    signal: AbortSignal | undefined,
  ): Promise<FolderCheckpoint[]> {
    const known: { checkpoint: FolderCheckpoint; progress: Progress }[] = [];
    for (const checkpoint of checkpoints)
      known.push({ checkpoint, progress: await this.of(checkpoint, signal) });
    known.sort((a, b) => {
      return (
        compare(a.progress.step, b.progress.step) ||
        (a.progress.step === null ? compare(a.progress.epoch, b.progress.epoch) : 0) ||
        a.checkpoint.modifiedAt - b.checkpoint.modifiedAt ||
        (a.checkpoint.name < b.checkpoint.name ? -1 : 1)
      );
    });
    return known.map(({ checkpoint }) => checkpoint);
  }

  private async of(checkpoint: FolderCheckpoint, signal: AbortSignal | undefined): Promise<Progress> {
    const { progress, version } = checkpoint;
    if (progress.step !== undefined) return progressOf(checkpoint, { step: null, epoch: null });
    const known = this.found.get(version) ?? (await readProgress(checkpoint, signal));
    this.found.set(version, known);
    return progressOf(checkpoint, known);
  }
}

/** Returns the step that a name says, else the one in the files, else a number in the name that may be one. */
export function progressOf({ progress }: FolderCheckpoint, inFiles: Progress): Progress {
  return {
    step: progress.step ?? inFiles.step ?? progress.number ?? null,
    epoch: inFiles.epoch ?? progress.epoch ?? null,
  };
}

/** Whoever takes the files in says what is wrong with them. */
async function readProgress({ paths }: FolderCheckpoint, signal: AbortSignal | undefined): Promise<Progress> {
  try {
    const plan = await planFiles(paths, { signal });
    await plan.close();
    return plan.progress;
  } catch (error) {
    if (isThetalogError(error) && error.kind !== 'aborted') return { step: null, epoch: null };
    throw error;
  }
}

function compare(a: number | null, b: number | null): number {
  if (a === b) return 0;
  if (a === null) return 1;
  return b === null ? -1 : a - b;
}
