/**
 * How long delta chains may get. Chunks that predict one another (a weight and its moments) are decided on together: they
 * build on the base checkpoint while restoring all of them stays within the budget; then on the full chunk at the end of
 * their chains (a skip delta, which starts short chains again for less than full chunks do); or they are stored in full.
 */
import { ThetalogError } from '../errors.js';
import { limits } from '../format/index.js';
import type { ChunkId } from '../hash/index.js';
import type { Encodings } from './chunk-reader.js';
import { DELTA_COST, restoreCost } from './restore-cost.js';

export interface ChainLimits {
  /** Longest chain of records that read one another. */
  maxHeight: number;
  /** Restoring a checkpoint may cost this many times what it costs to restore one that is stored in full. */
  maxRestoreFactor: number;
}

export const CHAIN_LIMITS: ChainLimits = { maxHeight: limits.HEIGHT_MAX, maxRestoreFactor: 8 };

/** What a group of chunks builds on. */
export type ChainChoice = 'newest' | 'ancestor' | 'none';

export class ChainPolicy {
  private readonly encodings: Encodings;
  private readonly limits: ChainLimits;

  constructor(encodings: Encodings, chainLimits: ChainLimits) {
    this.encodings = encodings;
    this.limits = chainLimits;
  }

  /** Decides for chunks that are stored side by side, given those of the base checkpoint in the same places. */
  choose(bases: readonly ChunkId[]): ChainChoice {
    if (this.fits(bases)) return 'newest';
    const ancestors = bases.map((id) => this.ancestor(id) ?? id);
    return this.fits(ancestors) ? 'ancestor' : 'none';
  }

  /** Returns the chunk at the end of a chain, which is stored in full; undefined where the chain leads elsewhere. */
  ancestor(id: ChunkId): ChunkId | undefined {
    let entry = this.encodings.get(id);
    const rawLength = entry?.rawLength;
    while (entry !== undefined && entry.height > 0) {
      const read = this.encodings.get(entry.references[0]);
      entry = read !== undefined && read.height < entry.height ? read : undefined;
    }
    return entry?.rawLength === rawLength ? entry?.id : undefined;
  }

  /** Whether one more delta on each of the chunks stays within the limits. */
  private fits(bases: readonly ChunkId[]): boolean {
    let raw = 0;
    let height = 0;
    for (const id of bases) {
      const entry = this.encodings.get(id);
      raw += entry?.rawLength ?? 0;
      height = Math.max(height, entry?.height ?? 0);
    }
    const cost = restoreCost(this.encodings, bases) + raw * DELTA_COST;
    return height + bases.length <= this.limits.maxHeight && cost <= raw * this.limits.maxRestoreFactor;
  }
}

/** Returns the limits that an operation was given, or those of the store. Throws `invalid` for impossible ones. */
export function chainLimits(given: Partial<ChainLimits>, otherwise: ChainLimits): ChainLimits {
  const { maxHeight = otherwise.maxHeight, maxRestoreFactor = otherwise.maxRestoreFactor } = given;
  if (!(Number.isInteger(maxHeight) && maxHeight >= 0 && maxHeight <= limits.HEIGHT_MAX)) {
    throw new ThetalogError('invalid', 'bad-max-height', `Chains cannot be ${maxHeight} deltas long.`, {
      object: 'maxHeight',
      hint: `Use 0 to ${limits.HEIGHT_MAX}.`,
    });
  }
  if (!(maxRestoreFactor >= 1)) {
    const message = `A restore cannot take ${maxRestoreFactor} times as long as that of a full checkpoint.`;
    throw new ThetalogError('invalid', 'bad-restore-factor', message, {
      object: 'maxRestoreFactor',
      hint: 'Use 1 or more.',
    });
  }
  return { maxHeight, maxRestoreFactor };
}
