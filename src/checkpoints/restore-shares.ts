/** Deals the units of a restore out to threads, so that each can make and keep the memory that it fills. */
import type { ChunkId } from '../hash/index.js';
import type { DecodeUnit } from '../packs/index.js';

type Unit = DecodeUnit<ChunkId>;

/** Units for one thread, and the targets that they alone fill. */
export interface Share {
  readonly units: Unit[];
  readonly kept: number[];
  bytes: number;
}

/**
 * Puts units that fill the same target into one share; `targetsOf` returns those that a thread could keep. Where that is more than
 * one thread's part of the whole, any thread may do any of its units, and none keeps what they fill. The largest share comes first.
 */
export function shareUnits(
  units: readonly Unit[],
  targetsOf: (unit: Unit) => readonly number[],
  threads: number,
): Share[] {
  const total = units.reduce((sum, { bytes }) => sum + bytes, 0);
  const shareOf = new Map<number, Share>();
  const shares = new Set<Share>();
  for (const unit of units) {
    const targets = new Set(targetsOf(unit));
    const met = new Set([...targets].flatMap((target) => shareOf.get(target) ?? []));
    const [share = { units: [], kept: [], bytes: 0 }, ...others] = met;
    for (const other of others) {
      share.units.push(...other.units);
      share.kept.push(...other.kept);
      share.bytes += other.bytes;
      for (const target of other.kept) shareOf.set(target, share);
      shares.delete(other);
    }
    share.units.push(unit);
    share.bytes += unit.bytes;
    for (const target of targets) {
      if (!shareOf.has(target)) share.kept.push(target);
      shareOf.set(target, share);
    }
    shares.add(share);
  }
  return [...shares]
    .flatMap((share) => (share.bytes * threads <= total ? share : apart(share)))
    .sort((a, b) => b.bytes - a.bytes);
}

function apart({ units }: Share): Share[] {
  return units.map((unit) => ({ units: [unit], kept: [], bytes: unit.bytes }));
}

/** Shares of which several threads take one after another, until none is left or one of them fails. */
export class OpenShares {
  private readonly shares: Share[];
  private isStopped = false;

  constructor(shares: readonly Share[]) {
    this.shares = [...shares];
  }

  /** Yields the units of the shares that are taken; adds the targets that they alone fill to `kept`. */
  *takeUnits(kept: number[]): Generator<Unit> {
    for (let share = this.shares.shift(); share !== undefined; share = this.shares.shift()) {
      kept.push(...share.kept);
      for (const unit of share.units) {
        if (this.isStopped) return;
        yield unit;
      }
    }
  }

  stop(): void {
    this.isStopped = true;
  }
}
