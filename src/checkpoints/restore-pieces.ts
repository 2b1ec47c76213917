/**
 * Brings parts of streams to where they belong: units of chunks are read ahead, decoded by the pool, and written into files
 * or memory, several at once.
 */
import {
  type InOrderOptions,
  inOrder,
  type Lane,
  type RestoreJob,
  type RestorePart,
} from '../compute/index.js';
import { throwIfAborted } from '../errors.js';
import { objectKey } from '../format/index.js';
import type { ChunkId } from '../hash/index.js';
import { type DecodeUnit, decodeUnits, readRecords } from '../packs/index.js';
import { type ChunkPlace, type Piece, placeChunks } from './chunk-places.js';
import type { StoreContext } from './context.js';
import type { LoadedManifest } from './manifest-store.js';
import { type MemoryTarget, type PlacedRuns, RestoreMemory } from './restore-memory.js';
import { OpenShares, shareUnits, type TakenUnit } from './restore-shares.js';

/** Units that are read while the pool is at others. */
const UNITS_AHEAD = 2;
/** Units of one thread that are under way or read. */
const UNITS_IN_LANE = 3;
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

type Unit = DecodeUnit<ChunkId>;

/** Units, and where their chunks belong. */
interface UnitPlan {
  readonly units: Unit[];
  placesIn(unit: Unit): RestorePart[];
}

function recordBytes({ entries }: Unit): number {
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
  const { compute, spareMemory } = context;
  const plan = await planUnits(context, loaded, pieces);
  const ahead = compute.width + UNITS_AHEAD;
  const limits = { ahead, bytesMax: ahead * UNIT_RECORDS_MAX, bytesOf: recordBytes };
  const perform = async (unit: Unit): Promise<readonly ChunkPlace[]> => {
    throwIfAborted(signal);
    const places = plan.placesIn(unit);
    await performUnit(
      context,
      unit,
      () => place(places),
      (job) => compute.run(job, { signal }),
    );
    return places;
  };
  try {
    yield* inOrder(plan.units, limits, perform);
  } finally {
    spareMemory.rest();
  }
}

/** Fills memory with the pieces, and returns it; what they do not fill stays as it is, or zero in new memory. */
export async function piecesIntoMemory(
  context: StoreContext,
  loaded: LoadedManifest,
  pieces: readonly Piece[],
  targets: readonly MemoryTarget[],
): Promise<Uint8Array[]> {
  const { compute, spareMemory } = context;
  const plan = await planUnits(context, loaded, pieces);
  const memory = new RestoreMemory(targets, compute, spareMemory);
  const lanes = compute.lanes();
  const keepable = (unit: Unit): number[] =>
    plan.placesIn(unit).flatMap(({ target }) => (memory.canBeKept(target) ? target : []));
  const shares = shareUnits(plan.units, keepable, lanes.length);
  for (const { kept } of shares) memory.keep(kept);
  const open = new OpenShares(shares);
  const bytesMax = BYTES_AHEAD_MAX / lanes.length;
  const bytesOf = ({ unit }: TakenUnit): number => unit.bytes;
  const limits: InOrderOptions<TakenUnit> = { ahead: UNITS_IN_LANE, bytesMax, bytesOf };
  const fill = (lane: Lane): Promise<void> => {
    const perform = ({ unit, begun }: TakenUnit): Promise<void> =>
      performUnit(
        context,
        unit,
        () => memory.place(plan.placesIn(unit), begun),
        (job) => lane.run(job),
      );
    return fillShares(open, limits, perform, (kept) => memory.collect(lane, kept));
  };
  try {
    // All of them end before this does: nothing of a failed restore is under way or kept after it.
    const outcomes = await Promise.allSettled(lanes.map(fill));
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
    return memory.finish();
  } finally {
    spareMemory.rest();
  }
}

/** Fills one share after another until none is left, then takes what the thread keeps of them. */
async function fillShares(
  shares: OpenShares,
  limits: InOrderOptions<TakenUnit>,
  perform: (taken: TakenUnit) => Promise<void>,
  collect: (kept: readonly number[]) => Promise<void>,
): Promise<void> {
  const kept: number[] = [];
  try {
    for await (const _ of inOrder(shares.takeUnits(), limits, (taken) => {
      kept.push(...taken.begun);
      return perform(taken);
    }));
  } catch (error) {
    shares.stop();
    // So that the thread does not keep it for ever; whatever this comes to, it is not what failed.
    await collect(kept).catch(() => {});
    throw error;
  }
  await collect(kept);
}

/** Cuts the work into units. Begins to start threads for it. */
async function planUnits(
  context: StoreContext,
  loaded: LoadedManifest,
  pieces: readonly Piece[],
): Promise<UnitPlan> {
  // Before the index is read: threads take a while to start.
  context.compute.expect(pieces.reduce((sum, { length }) => sum + length, 0));
  const index = await context.cache.index(loaded);
  const { groups, placesOf } = placeChunks(context, loaded, index, pieces);
  const units = decodeUnits(index, groups, (id) => [id], objectKey('manifests', loaded.name));
  context.compute.expect(units.reduce((sum, unit) => sum + unit.bytes, 0));
  const placesIn = ({ wanted }: Unit): RestorePart[] =>
    wanted.flatMap((id) => (placesOf.get(id) ?? []).map((part): RestorePart => ({ id, ...part })));
  return { units, placesIn };
}

/** Reads the records of a unit and lets a thread bring their chunks to where they belong. */
async function performUnit(
  { storage, spareMemory }: StoreContext,
  { entries }: Unit,
  place: () => PlacedRuns,
  run: (job: RestoreJob) => Promise<unknown>,
): Promise<void> {
  const records = await readRecords(storage, entries, spareMemory);
  const { targets, parts, finish } = place();
  await run({ kind: 'restore', records, targets, parts });
  finish();
  for (const buffer of new Set(records.map(({ bytes }) => bytes.buffer))) spareMemory.give(buffer);
}
