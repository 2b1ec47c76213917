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
 * What each thread gets at once, of its equal part of the whole; of the rest it takes one share after another. A thread makes the memory of a share
 * at once: for every 64 MiB that it makes later it collects garbage once more.
 */
const BUNDLED_PART = 0.75;

/**
 * Puts units that fill the same target into one share; `targetsOf` returns those that a thread could keep. Where that is more than
 * one thread's part of the whole, any thread may do any of its units, and none keeps what they fill. First comes a bundle for each thread.
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
  const sorted = [...shares]
    .flatMap((share) => (share.bytes * threads <= total ? share : apart(share)))
    .sort((a, b) => b.bytes - a.bytes);
  return bundled(sorted, threads, (BUNDLED_PART * total) / threads);
}

/** Puts the largest shares together, for each thread up to so many bytes, or one share if that is larger. */
function bundled(shares: readonly Share[], threads: number, bytesMax: number): Share[] {
  const bundles: Share[] = [];
  let left = shares;
  while (bundles.length < threads && left.length > 0) {
    const bundle: Share = { units: [], kept: [], bytes: 0 };
    left = left.filter((share) => {
      if (bundle.bytes > 0 && bundle.bytes + share.bytes > bytesMax) return true;
      bundle.units.push(...share.units);
      bundle.kept.push(...share.kept);
      bundle.bytes += share.bytes;
      return false;
    });
    bundles.push(bundle);
  }
  return [...bundles, ...left];
}

function apart({ units }: Share): Share[] {
  return units.map((unit) => ({ units: [unit], kept: [], bytes: unit.bytes }));
}

export interface TakenUnit {
  unit: Unit;
  /** Targets that the thread is to make now, and keep. */
  begun: readonly number[];
}

/** Shares of which several threads take one after another, until none is left or one of them fails. */
export class OpenShares {
  private readonly shares: Share[];
  private isStopped = false;

  constructor(shares: readonly Share[]) {
    this.shares = [...shares];
  }

  /** Yields the units of the shares that are taken, the first of each with the targets that these alone fill. */
  *takeUnits(): Generator<TakenUnit> {
    for (let share = this.shares.shift(); share !== undefined; share = this.shares.shift()) {
      for (const [at, unit] of share.units.entries()) {
        if (this.isStopped) return;
        yield { unit, begun: at === 0 ? share.kept : [] };
      }
    }
  }

  stop(): void {
    this.isStopped = true;
  }
}
