/**
 * Compares the values of stored tensors: parts of chunks that differ are decoded side by side by the pool, what they are built
 * on once, several units under way within a byte budget. Chunks that both checkpoints have are not read.
 */
import {
  type LoadedManifest,
  type OperationOptions,
  readTensors,
  type StoreContext,
} from '../checkpoints/index.js';
import {
  addSums,
  type ComparedPart,
  type CompareJob,
  ElementComparer,
  type ElementSums,
  inOrder,
  noSums,
} from '../compute/index.js';
import { corrupt, throwIfAborted } from '../errors.js';
import { objectKey, type TensorLayout } from '../format/index.js';
import type { ChunkId } from '../hash/index.js';
import { ChunkIndex, type DecodeUnit, decodeUnits, readRecords } from '../packs/index.js';
import { tensorBytes } from '../tensor/index.js';
import { ChunkSpans, comparedParts, isUnchanged } from './compared-parts.js';

/** Units that are read while the pool is at others. */
const UNITS_AHEAD = 2;
/** Decoded bytes of all units under way, what they need on the way included. */
const BYTES_AHEAD_MAX = 160 * 2 ** 20;

/** A tensor that both checkpoints have, with equal dtype and shape. */
export type TensorPair = readonly [before: TensorLayout, after: TensorLayout];

export interface ComparisonOptions extends Pick<OperationOptions, 'signal'> {
  /** Whether to sum up the squares of a, for which equal chunks of tensors that changed are decoded, too. */
  norms: boolean;
  /** Hears of every compared or skipped byte. */
  onBytes(bytes: number): void;
}

/** Returns the sums of each pair of tensors. */
export async function compareTensorValues(
  context: StoreContext,
  [left, right]: readonly [LoadedManifest, LoadedManifest],
  tensors: readonly TensorPair[],
  options: ComparisonOptions,
): Promise<ElementSums[]> {
  const sums = tensors.map(noSums);
  const sides = [new ChunkSpans(context, left), new ChunkSpans(context, right)] as const;
  const firstOf = new Map<string, number>();
  const groups: ComparedPart[][] = [];
  const scattered: number[] = [];
  for (const [subject, pair] of tensors.entries()) {
    const place = JSON.stringify(pair.map(({ dtype, boxes }) => [dtype, boxes]));
    const first = firstOf.get(place) ?? subject;
    firstOf.set(place, first);
    if (first < subject) {
      // Tied weights: the same bytes under another name.
      sums[subject] = sums[first];
      options.onBytes(tensorBytes(pair[1]));
      continue;
    }
    const parts = comparedParts(sides, pair, subject);
    if (parts === undefined) scattered.push(subject);
    else groups.push(partsToRead(parts, options));
  }
  const index = await joinedIndex(context, [left, right], groups.flat());
  for await (const found of compareUnits(context, index, groups, objectKey('manifests', right.name), options))
    for (const [subject, more] of found) addSums(sums[subject], more);
  for (const subject of scattered) {
    await compareScattered(context, [left, right], tensors[subject], sums[subject], options);
    options.onBytes(tensorBytes(tensors[subject][1]));
  }
  return sums;
}

/** Returns the parts that must be decoded; the others are equal. */
function partsToRead(parts: ComparedPart[], { norms, onBytes }: ComparisonOptions): ComparedPart[] {
  const isNormWanted = norms && !parts.every(isUnchanged);
  const read = isNormWanted ? parts : parts.filter((part) => !isUnchanged(part));
  const known = isNormWanted ? [] : parts.filter(isUnchanged);
  onBytes(known.reduce((sum, { length }) => sum + length, 0));
  return read;
}

/**
 * What decoding the parts of either checkpoint needs: its segments list more, in packs that gc may have deleted. Of encodings of
 * one chunk the lower is taken, so heights still fall from chunk to base.
 */
async function joinedIndex(
  { cache }: StoreContext,
  [left, right]: readonly [LoadedManifest, LoadedManifest],
  parts: readonly ComparedPart[],
): Promise<ChunkIndex> {
  const joined = new ChunkIndex();
  for (const [side, ids] of [
    [right, parts.map(({ b }) => b)],
    [left, parts.map(({ a }) => a)],
  ] as const) {
    const index = await cache.index(side);
    joined.add(side.name, index.closure(ids, objectKey('manifests', side.name)).values());
  }
  return joined;
}

async function* compareUnits(
  context: StoreContext,
  index: ChunkIndex,
  groups: readonly (readonly ComparedPart[])[],
  object: string,
  { norms, signal, onBytes }: ComparisonOptions,
): AsyncGenerator<ReadonlyMap<number, ElementSums>> {
  const { storage, compute, spareMemory } = context;
  for (const part of groups.flat()) checkLengths(index, part, object);
  const idsOf = ({ a, b }: ComparedPart): ChunkId[] => (a === b ? [a] : [a, b]);
  const units = decodeUnits(index, groups, idsOf, object);
  compute.expect(units.reduce((sum, unit) => sum + unit.bytes, 0));
  const perform = async (unit: DecodeUnit<ComparedPart>): Promise<ReadonlyMap<number, ElementSums>> => {
    throwIfAborted(signal);
    const records = await readRecords(storage, unit.entries, spareMemory);
    const job: CompareJob = { kind: 'compare', records, parts: unit.wanted, norms };
    const { sums } = await compute.run(job, { signal });
    for (const buffer of new Set(records.map(({ bytes }) => bytes.buffer))) spareMemory.give(buffer);
    onBytes(unit.wanted.reduce((sum, { length }) => sum + length, 0));
    return sums;
  };
  const limits = {
    ahead: compute.width + UNITS_AHEAD,
    bytesMax: BYTES_AHEAD_MAX,
    bytesOf: (unit: DecodeUnit<ComparedPart>) => unit.bytes,
  };
  try {
    yield* inOrder(units, limits, perform);
  } finally {
    spareMemory.rest();
  }
}

/** Damaged metadata may say that a tensor goes on where its chunk has ended. */
function checkLengths(index: ChunkIndex, part: ComparedPart, object: string): void {
  for (const [id, from] of [
    [part.a, part.fromA],
    [part.b, part.fromB],
  ] as const) {
    const stored = index.get(id)?.rawLength;
    if (stored !== undefined && from + part.length > stored)
      throw corrupt('chunk-length', `chunk ${id} has ${stored} bytes, too few`, object);
  }
}

/** Tensors whose elements lie in another order, or with gaps, are put in order first, in memory. */
async function compareScattered(
  context: StoreContext,
  [left, right]: readonly [LoadedManifest, LoadedManifest],
  [before, after]: TensorPair,
  sums: ElementSums,
  { norms, signal }: ComparisonOptions,
): Promise<void> {
  throwIfAborted(signal);
  const [a] = await readTensors(context, left, [before]);
  const [b] = await readTensors(context, right, [after]);
  new ElementComparer(after.dtype).add(sums, a, b, norms);
}
