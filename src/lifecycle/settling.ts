/** Decides which checkpoints of a folder their writer is done with. */
import { basename } from 'node:path';
import type { FolderCheckpoint } from './checkpoint-folder.js';
import { openForWriting } from './writing-processes.js';

export interface SettlingOptions {
  settleMs: number;
  /** Whether a marker says that a checkpoint is whole: then nothing else need. */
  isMarked: boolean;
}

/** What is known of an entry. */
interface Seen {
  state: string;
  /** Since when it is in that state. */
  since: number;
}

/** A checkpoint that is not to be taken yet, and why. */
export interface Waiting {
  checkpoint: FolderCheckpoint;
  reason: string;
  /** Milliseconds for which nothing of it has changed. */
  quietMs: number;
}

export class Settling {
  private readonly options: SettlingOptions;
  private seen = new Map<string, Seen>();
  private seenAt = 0;

  constructor(options: SettlingOptions) {
    this.options = options;
  }

  /** Takes what is in the folder now; what is gone from it is forgotten. */
  observe(found: readonly FolderCheckpoint[], now: number): void {
    this.seenAt = now;
    this.seen = new Map(
      found.map(({ name, state }): [string, Seen] => {
        const known = this.seen.get(name);
        return [name, known?.state === state ? known : { state, since: now }];
      }),
    );
  }

  /** Tells those that are whole, as far as can be told without reading them, from those to wait for. */
  async sort(found: readonly FolderCheckpoint[]): Promise<{ whole: FolderCheckpoint[]; waiting: Waiting[] }> {
    const { settleMs, isMarked } = this.options;
    const quiet: FolderCheckpoint[] = [];
    const waiting: Waiting[] = [];
    // Since then nobody has looked whether anything changed.
    const quietFor = ({ name }: FolderCheckpoint): number =>
      this.seenAt - (this.seen.get(name)?.since ?? this.seenAt);
    const wait = (checkpoint: FolderCheckpoint, reason: string): void => {
      waiting.push({ checkpoint, reason, quietMs: quietFor(checkpoint) });
    };
    for (const checkpoint of found) {
      if (checkpoint.lacks !== undefined) wait(checkpoint, checkpoint.lacks);
      else if (!isMarked && quietFor(checkpoint) < settleMs) wait(checkpoint, 'it has changed just now');
      else quiet.push(checkpoint);
    }
    if (isMarked) return { whole: quiet, waiting };
    const written = await writtenNow(quiet);
    for (const checkpoint of quiet) if (written.has(checkpoint)) wait(checkpoint, 'a process is writing it');
    return { whole: quiet.filter((checkpoint) => !written.has(checkpoint)), waiting };
  }
}

/** Returns those of the checkpoints of which a process has a file open for writing. */
export async function writtenNow(
  checkpoints: readonly FolderCheckpoint[],
): Promise<ReadonlySet<FolderCheckpoint>> {
  const inodes = new Set(checkpoints.flatMap((checkpoint) => checkpoint.inodes));
  const files = checkpoints.flatMap((checkpoint) => [...checkpoint.files, ...checkpoint.paths]);
  const written = await openForWriting({ inodes, names: new Set(files.map((path) => basename(path))) });
  return new Set(checkpoints.filter((checkpoint) => checkpoint.inodes.some((inode) => written.has(inode))));
}
