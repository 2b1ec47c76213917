/** Memory that a restore fills: the caller's, or new. Threads write straight into what may be shared with them. */
import type { ComputePool, RestorePart, RestoreTarget } from '../compute/index.js';
import type { SpareMemory } from '../packs/index.js';

/** Memory to be filled, or bytes of memory to be made. */
export type MemoryTarget = Uint8Array | number;

/** Targets from here on are handed over by the thread that made their bytes; smaller ones are copied from one buffer. */
const OWN_BYTES_MIN = 256 * 1024;

/** Parts that lie next to one another in one target. */
interface Run {
  target: number;
  start: number;
  end: number;
  members: RestorePart[];
}

/** Where a job writes a run: a new target, the target itself, or memory that is copied into it. */
interface WrittenRun extends Run {
  readonly kind: 'new' | 'direct' | 'copied';
}

/** Where a job writes its parts, and what is to be done when it has. */
export interface PlacedRuns {
  readonly targets: RestoreTarget[];
  readonly parts: RestorePart[];
  /** Takes the new memory among the targets. */
  finish(made: readonly Uint8Array[]): void;
}

export class RestoreMemory {
  private readonly sizes: readonly number[];
  private readonly made: (Uint8Array | undefined)[];
  private readonly compute: ComputePool;
  private readonly spare: SpareMemory;

  constructor(targets: readonly MemoryTarget[], compute: ComputePool, spare: SpareMemory) {
    this.sizes = targets.map((target) => (typeof target === 'number' ? target : target.length));
    this.made = targets.map((target) => (typeof target === 'number' ? undefined : target));
    this.compute = compute;
    this.spare = spare;
  }

  /** All targets; what was never written is zero in those that were made. */
  finish(): Uint8Array[] {
    return this.sizes.map((_, target) => this.target(target));
  }

  place(parts: readonly RestorePart[]): PlacedRuns {
    const runs = findRuns(parts).map((run): WrittenRun => ({ ...run, kind: this.kindOf(run) }));
    const copiedBytes = runs.reduce((sum, run) => sum + (run.kind === 'copied' ? run.end - run.start : 0), 0);
    const copied = copiedBytes === 0 ? new Uint8Array(0) : this.spare.take(copiedBytes);
    let taken = 0;
    const targets = runs.map(({ kind, target, start, end }): RestoreTarget => {
      if (kind === 'new') return { kind, length: end - start };
      if (kind === 'direct') return { kind: 'memory', bytes: this.target(target).subarray(start, end) };
      taken += end - start;
      return { kind: 'memory', bytes: copied.subarray(taken - (end - start), taken) };
    });
    return {
      targets,
      parts: runs.flatMap(({ start, members }, target) =>
        members.map((part) => ({ ...part, target, position: part.position - start })),
      ),
      finish: (made) => this.take(runs, copied, made),
    };
  }

  private kindOf({ target, start, end }: Run): WrittenRun['kind'] {
    const known = this.made[target];
    if (!this.compute.isThreaded || known?.buffer instanceof SharedArrayBuffer) return 'direct';
    const isWhole = known === undefined && end - start === this.sizes[target];
    return isWhole && end - start >= OWN_BYTES_MIN ? 'new' : 'copied';
  }

  private target(target: number): Uint8Array {
    const bytes = this.made[target] ?? new Uint8Array(this.sizes[target]);
    this.made[target] = bytes;
    return bytes;
  }

  private take(runs: readonly WrittenRun[], copied: Uint8Array, made: readonly Uint8Array[]): void {
    const own = made.values();
    let taken = 0;
    for (const { kind, target, start, end } of runs) {
      if (kind === 'new') this.made[target] = own.next().value;
      if (kind !== 'copied') continue;
      this.target(target).set(copied.subarray(taken, taken + end - start), start);
      taken += end - start;
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
