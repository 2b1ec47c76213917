/**
 * Brings parts of streams to where they belong: units of chunks are read ahead, decoded by the pool, and written into files
 * or memory, several at once.
 */
import { type InOrderOptions, inOrder, type RestoreJob, type RestorePart } from '../compute/index.js';
import { throwIfAborted } from '../errors.js';
import { objectKey } from '../format/index.js';
import type { ChunkId } from '../hash/index.js';
import { type DecodeUnit, decodeUnits, readRecords } from '../packs/index.js';
import { type ChunkPlace, type Piece, placeChunks } from './chunk-places.js';
import type { StoreContext } from './context.js';
import type { LoadedManifest } from './manifest-store.js';
import { type MemoryTarget, type PlacedRuns, RestoreMemory } from './restore-memory.js';

/** Units that are read while the pool is at others. */
const UNITS_AHEAD = 2;
/** Decoded bytes of all units under way, what they need on the way included, where they fill memory. */
const BYTES_AHEAD_MAX = 160 * 2 ** 20;
/** Bytes of the records of units under way, for each that there may be, where they go to files: decoded chunks stay in the arenas then. */
const UNIT_RECORDS_MAX = 8 * 2 ** 20;

/** A file to be written to, which is there already, or one that must have the bytes already. */
export interface TargetFile {
  kind: 'file' | 'equal-file';
  path: string;
  /** For messages. */
  name: string;
}

type UnitLimits = InOrderOptions<DecodeUnit<ChunkId>>;

function recordBytes({ entries }: DecodeUnit<ChunkId>): number {
  return entries.reduce((sum, { length }) => sum + length, 0);
}

/** Writes the pieces into files, or compares them with these; yields what was done, unit by unit. */
export async function* piecesIntoFiles(
  context: StoreContext,
  loaded: LoadedManifest,
  pieces: readonly Piece[],
  files: readonly TargetFile[],
  signal: AbortSignal | undefined,
): AsyncGenerator<readonly ChunkPlace[]> {
  const place = (parts: readonly RestorePart[]): PlacedRuns => {
    const used = [...new Set(parts.map(({ target }) => target))];
    const numbers = new Map(used.map((target, number) => [target, number]));
    return {
      targets: used.map((target) => files[target]),
      parts: parts.map((part) => ({ ...part, target: numbers.get(part.target) ?? 0 })),
      finish: () => {},
    };
  };
  const limits = (ahead: number): UnitLimits => {
    return { ahead, bytesMax: ahead * UNIT_RECORDS_MAX, bytesOf: recordBytes };
  };
  yield* runUnits(context, loaded, pieces, place, limits, signal);
}

/** Fills memory with the pieces, and returns it; what they do not fill stays as it is, or zero in new memory. */
export async function piecesIntoMemory(
  context: StoreContext,
  loaded: LoadedManifest,
  pieces: readonly Piece[],
  targets: readonly MemoryTarget[],
): Promise<Uint8Array[]> {
  const memory = new RestoreMemory(targets, context.compute, context.spareMemory);
  const place = (parts: readonly RestorePart[]): PlacedRuns => memory.place(parts);
  const limits = (ahead: number): UnitLimits => {
    return { ahead, bytesMax: BYTES_AHEAD_MAX, bytesOf: ({ bytes }) => bytes };
  };
  for await (const _ of runUnits(context, loaded, pieces, place, limits, undefined));
  return memory.finish();
}

/** Yields what was brought where, unit by unit. */
async function* runUnits(
  context: StoreContext,
  loaded: LoadedManifest,
  pieces: readonly Piece[],
  place: (parts: readonly RestorePart[]) => PlacedRuns,
  limitsOf: (ahead: number) => UnitLimits,
  signal: AbortSignal | undefined,
): AsyncGenerator<readonly ChunkPlace[]> {
  const { storage, compute, spareMemory } = context;
  const index = await context.cache.index(loaded);
  const { groups, placesOf } = placeChunks(context, loaded, index, pieces);
  const units = decodeUnits(index, groups, (id) => [id], objectKey('manifests', loaded.name));
  compute.expect(units.reduce((sum, unit) => sum + unit.bytes, 0));
  const perform = async (unit: DecodeUnit<ChunkId>): Promise<readonly ChunkPlace[]> => {
    throwIfAborted(signal);
    const records = await readRecords(storage, unit.entries, spareMemory);
    const places = unit.wanted.flatMap((id) =>
      (placesOf.get(id) ?? []).map((part): RestorePart => ({ id, ...part })),
    );
    const { targets, parts, finish } = place(places);
    const job: RestoreJob = { kind: 'restore', records, targets, parts };
    const { made } = await compute.run(job, { signal });
    finish(made);
    for (const buffer of new Set(records.map(({ bytes }) => bytes.buffer))) spareMemory.give(buffer);
    return places;
  };
  try {
    yield* inOrder(units, limitsOf(compute.width + UNITS_AHEAD), perform);
  } finally {
    spareMemory.rest();
  }
}
