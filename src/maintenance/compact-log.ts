/** What a compaction does and why, put together as its result. */
import type { CompactedCheckpoint, CompactReason, CompactResult } from '../checkpoints/index.js';
import type { ChunkEntry } from '../format/index.js';
import type { ChunkId } from '../hash/index.js';
import { closureOf, maxHeight, restoreFactor } from './live-encodings.js';
import type { ResolvedCheckpoint } from './live-store.js';

/** New records for these reasons are there to restore faster, whatever they take. */
const SHORTENS: ReadonlySet<CompactReason> = new Set<CompactReason>(['head', 'restore-budget', 'max-height']);

type Sum = CompactResult['reasons'][number];

export class CompactLog {
  private readonly sums = new Map<CompactReason, Sum>();

  /** Adds one chunk. */
  add(reason: CompactReason, bytesBefore: number, bytesAfter: number): void {
    const sum = this.sums.get(reason) ?? { reason, chunks: 0, bytesBefore: 0, bytesAfter: 0 };
    this.sums.set(reason, sum);
    sum.chunks += 1;
    sum.bytesBefore += bytesBefore;
    sum.bytesAfter += bytesAfter;
  }

  /** Bytes of records made anew. */
  get encodedBytes(): number {
    return this.total('bytesAfter', (reason) => reason !== 'pack');
  }

  summary(): Pick<CompactResult, 'chunksEncoded' | 'chunksCopied' | 'shorteningBytes' | 'reasons'> {
    return {
      chunksEncoded: this.total('chunks', (reason) => reason !== 'pack'),
      chunksCopied: this.sums.get('pack')?.chunks ?? 0,
      shorteningBytes: this.total('bytesAfter', (reason) => SHORTENS.has(reason)),
      reasons: [...this.sums.values()],
    };
  }

  private total(what: 'chunks' | 'bytesAfter', counts: (reason: CompactReason) => boolean): number {
    return [...this.sums.values()].reduce((sum, one) => sum + (counts(one.reason) ? one[what] : 0), 0);
  }
}

/** Returns what new encodings change about a checkpoint. */
export function changeOf(
  checkpoint: ResolvedCheckpoint,
  before: ReadonlyMap<ChunkId, ChunkEntry>,
  after: ReadonlyMap<ChunkId, ChunkEntry>,
): CompactedCheckpoint {
  const { run, entry, loaded } = checkpoint;
  const ids = new Set(loaded.content.streams.flatMap((stream) => stream.ids));
  return {
    id: entry.id,
    run,
    step: entry.step,
    maxHeightBefore: maxHeight(closureOf(ids, before).values()),
    maxHeightAfter: maxHeight(closureOf(ids, after).values()),
    restoreFactorBefore: restoreFactor(checkpoint, before),
    restoreFactorAfter: restoreFactor(checkpoint, after),
  };
}

/** Whether a checkpoint has other chains afterwards. */
export function isChange(one: CompactedCheckpoint): boolean {
  return one.maxHeightAfter !== one.maxHeightBefore || one.restoreFactorAfter !== one.restoreFactorBefore;
}
