/** Memory that a restore fills: the caller's, or new. Threads write straight into what may be shared with them. */
import { type ComputePool, type RestorePart, type RestoreTarget, WORD_BYTES } from '../compute/index.js';
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
    let bytes = 0;
    const copiedAt = runs.map(({ kind, target, start, end }) => {
      if (kind !== 'copied') return bytes;
      const at = placeLike(bytes, (this.made[target]?.byteOffset ?? 0) + start);
      bytes = at + end - start;
      return at;
    });
    const copied = bytes === 0 ? new Uint8Array(0) : this.spare.take(bytes);
    const targets = runs.map(({ kind, target, start, end }, at): RestoreTarget => {
      if (kind === 'new') return { kind, length: end - start };
      if (kind === 'direct') return { kind: 'memory', bytes: this.target(target).subarray(start, end) };
      return { kind: 'memory', bytes: copied.subarray(copiedAt[at], copiedAt[at] + end - start) };
    });
    return {
      targets,
      parts: runs.flatMap(({ start, members }, target) =>
        members.map((part) => ({ ...part, target, position: part.position - start })),
      ),
      finish: (made) => this.take(runs, copiedAt, copied, made),
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

  private take(
    runs: readonly WrittenRun[],
    copiedAt: readonly number[],
    copied: Uint8Array,
    made: readonly Uint8Array[],
  ): void {
    const own = made.values();
    for (const [at, { kind, target, start, end }] of runs.entries()) {
      if (kind === 'new') this.made[target] = own.next().value;
      if (kind !== 'copied') continue;
      this.target(target).set(copied.subarray(copiedAt[at], copiedAt[at] + end - start), start);
    }
    this.spare.give(copied.buffer);
  }
}

/** Returns the first place from `at` on that is equal to `other` modulo a word: copies of shared memory are slow else. */
function placeLike(at: number, other: number): number {
  return at + ((((other - at) % WORD_BYTES) + WORD_BYTES) % WORD_BYTES);
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
