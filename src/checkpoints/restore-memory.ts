/** Memory that a restore fills: the caller's, or new. Threads write straight into what is shared with them, and into what they make. */
import {
  type ComputePool,
  copyBytes,
  type Lane,
  type RestorePart,
  type RestoreTarget,
} from '../compute/index.js';
import type { SpareMemory } from '../packs/index.js';

/** Memory to be filled, or bytes of memory to be made. */
export type MemoryTarget = Uint8Array | number;

/** New targets from here on may be made by the thread that fills them; smaller ones are copied from one buffer. */
const KEPT_BYTES_MIN = 256 * 1024;

/** Parts that lie next to one another in one target. */
interface Run {
  target: number;
  start: number;
  end: number;
  members: RestorePart[];
}

/** Where a job writes a run: memory that its thread keeps, the target itself, or memory that is copied into it. */
interface WrittenRun extends Run {
  readonly kind: 'kept' | 'direct' | 'copied';
}

/** Where a job writes its parts, and what is to be done when it has. */
export interface PlacedRuns {
  readonly targets: RestoreTarget[];
  readonly parts: RestorePart[];
  finish(): void;
}

export class RestoreMemory {
  private readonly sizes: readonly number[];
  private readonly made: (Uint8Array | undefined)[];
  /** Of targets that a thread keeps. */
  private readonly keys = new Map<number, number>();
  private readonly compute: ComputePool;
  private readonly spare: SpareMemory;

  constructor(targets: readonly MemoryTarget[], compute: ComputePool, spare: SpareMemory) {
    this.sizes = targets.map((target) => (typeof target === 'number' ? target : target.length));
    this.made = targets.map((target) => (typeof target === 'number' ? undefined : target));
    this.compute = compute;
    this.spare = spare;
  }

  /** Whether a target can be made by a thread, if no other fills it. */
  canBeKept(target: number): boolean {
    return this.compute.isThreaded && this.made[target] === undefined && this.sizes[target] >= KEPT_BYTES_MIN;
  }

  /** From now on jobs that fill one of these targets must go to the same thread. */
  keep(targets: Iterable<number>): void {
    for (const target of targets) this.keys.set(target, this.compute.newKey());
  }

  /** Takes targets from the thread that keeps them. */
  async collect(lane: Lane, targets: readonly number[]): Promise<void> {
    if (targets.length === 0) return;
    const keys = targets.flatMap((target) => this.keys.get(target) ?? []);
    const { memory } = await lane.run({ kind: 'hand-over', keys });
    for (const [at, target] of targets.entries()) this.made[target] = memory[at];
  }

  /** All targets; what was never written is zero in those that were made. */
  finish(): Uint8Array[] {
    return this.sizes.map((_, target) => this.target(target));
  }

  /** `begun`: targets that the thread is to make although other units fill them, too. */
  place(parts: readonly RestorePart[], begun: readonly number[]): PlacedRuns {
    const runs = findRuns(parts).map((run): WrittenRun => ({ ...run, kind: this.kindOf(run) }));
    let bytes = 0;
    const copiedAt = runs.map(({ kind, start, end }) => {
      if (kind !== 'copied') return bytes;
      const at = bytes;
      bytes += end - start;
      return at;
    });
    const copied = bytes === 0 ? new Uint8Array(0) : this.spare.take(bytes);
    const targets = runs.map(({ kind, target, start, end }, at): RestoreTarget => {
      if (kind === 'kept') return this.keptTarget(target);
      if (kind === 'direct') return { kind: 'memory', bytes: this.target(target).subarray(start, end) };
      return { kind: 'memory', bytes: copied.subarray(copiedAt[at], copiedAt[at] + end - start) };
    });
    return {
      targets: [...targets, ...begun.map((target) => this.keptTarget(target))],
      parts: runs.flatMap(({ kind, start, members }, target) => {
        const before = kind === 'kept' ? 0 : start;
        return members.map((part) => ({ ...part, target, position: part.position - before }));
      }),
      finish: () => this.take(runs, copiedAt, copied),
    };
  }

  private kindOf({ target }: Run): WrittenRun['kind'] {
    if (this.keys.has(target)) return 'kept';
    const isShared = this.made[target]?.buffer instanceof SharedArrayBuffer;
    return isShared || !this.compute.isThreaded ? 'direct' : 'copied';
  }

  private keptTarget(target: number): RestoreTarget {
    return { kind: 'kept', key: this.keys.get(target) ?? 0, length: this.sizes[target] };
  }

  private target(target: number): Uint8Array {
    const bytes = this.made[target] ?? new Uint8Array(this.sizes[target]);
    this.made[target] = bytes;
    return bytes;
  }

  private take(runs: readonly WrittenRun[], copiedAt: readonly number[], copied: Uint8Array): void {
    for (const [at, { kind, target, start, end }] of runs.entries()) {
      if (kind === 'copied')
        copyBytes(
          this.target(target).subarray(start, end),
          copied.subarray(copiedAt[at], copiedAt[at] + end - start),
        );
    }
    this.spare.give(copied.buffer);
  }
}

function findRuns(parts: readonly RestorePart[]): Run[] {
  const runs: Run[] = [];
  for (const part of [...parts].sort((a, b) => a.target - b.target || a.position - b.position)) {
    const run = runs.at(-1);
    const end = part.position + part.length;
    if (run?.target === part.target && run.end === part.position) {
      run.end = end;
      run.members.push(part);
    } else runs.push({ target: part.target, start: part.position, end, members: [part] });
  }
  return runs;
}
