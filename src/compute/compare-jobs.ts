/** Compares parts of chunks, element by element; what both sides are built on is decoded once. */
import type { ChunkId } from '../hash/index.js';
import type { DType } from '../tensor/index.js';
import type { ChunkTools, StoredRecord } from './chunk-jobs.js';
import { decodeInTurn } from './decode-in-turn.js';
import { ElementComparer, type ElementSums, noSums } from './element-comparison.js';

/** Equally long parts of two chunks, in bytes; of one chunk and itself where only its own sums are wanted. */
export interface ComparedPart {
  readonly a: ChunkId;
  readonly b: ChunkId;
  readonly fromA: number;
  readonly fromB: number;
  readonly length: number;
  readonly dtype: DType;
  /** Number of what the sums are for, such as a tensor. */
  readonly subject: number;
}

export interface CompareJob {
  readonly kind: 'compare';
  /** All that decoding the chunks reads, each after all that it reads itself. */
  readonly records: readonly StoredRecord[];
  readonly parts: readonly ComparedPart[];
  /** Whether the squares of a are summed up, too. */
  readonly norms: boolean;
}

export interface CompareResult {
  /** For each subject. */
  readonly sums: ReadonlyMap<number, ElementSums>;
}

export function compareChunks(tools: ChunkTools, { records, parts, norms }: CompareJob): CompareResult {
  const sums = new Map<number, ElementSums>();
  const comparers = new Map<DType, ElementComparer>();
  const needsOf = ({ a, b }: ComparedPart): ChunkId[] => (a === b ? [a] : [a, b]);
  decodeInTurn(tools, records, parts, needsOf, (part, decoded) => {
    const comparer = comparers.get(part.dtype) ?? new ElementComparer(part.dtype);
    comparers.set(part.dtype, comparer);
    const total = sums.get(part.subject) ?? noSums();
    sums.set(part.subject, total);
    const before = decoded.get(part.a).subarray(part.fromA, part.fromA + part.length);
    const isSame = part.a === part.b && part.fromA === part.fromB;
    const after = isSame ? before : decoded.get(part.b).subarray(part.fromB, part.fromB + part.length);
    comparer.add(total, before, after, norms);
  });
  return { sums };
}
