/**
 * Brings parts of streams to where they belong: units of chunks are read ahead, decoded by the pool, and written into files
 * or handed back in buffers, several at once.
 */
import { inOrder, type RestoreJob, type RestorePart } from '../compute/index.js';
import { throwIfAborted } from '../errors.js';
import { objectKey } from '../format/index.js';
import { type DecodeUnit, decodeUnits, readRecords } from '../packs/index.js';
import { type ChunkPlace, type Piece, placeChunks } from './chunk-places.js';
import type { StoreContext } from './context.js';
import type { LoadedManifest } from './manifest-store.js';

/** Units that are read while the pool is at others. */
const UNITS_AHEAD = 2;
/** Decoded bytes of all units under way, what they need on the way included. */
const BYTES_AHEAD_MAX = 160 * 2 ** 20;

/** What one unit brought where. */
interface DoneUnit {
  places: ChunkPlace[];
  buffers: Uint8Array[];
}

/** A file to be written to, which is there already. */
export interface TargetFile {
  path: string;
  /** For messages. */
  name: string;
}

/** Writes the pieces into files; yields what was written, unit by unit. */
export async function* piecesIntoFiles(
  context: StoreContext,
  loaded: LoadedManifest,
  pieces: readonly Piece[],
  files: readonly TargetFile[],
  signal: AbortSignal | undefined,
): AsyncGenerator<readonly ChunkPlace[]> {
  const place = (parts: RestorePart[]): PlacedParts => {
    const used = [...new Set(parts.map(({ target }) => target))];
    const numbers = new Map(used.map((target, number) => [target, number]));
    return {
      targets: used.map((target) => ({ kind: 'file', ...files[target] })),
      parts: parts.map((part) => ({ ...part, target: numbers.get(part.target) ?? 0 })),
    };
  };
  for await (const { places } of runUnits(context, loaded, pieces, place, signal)) yield places;
}

/** Returns buffers of the given sizes with the pieces in them; the rest of each is zero. */
export async function piecesIntoBuffers(
  context: StoreContext,
  loaded: LoadedManifest,
  pieces: readonly Piece[],
  sizes: readonly number[],
): Promise<Uint8Array[]> {
  const made: (Uint8Array | undefined)[] = sizes.map(() => undefined);
  const runsOf = new Map<readonly ChunkPlace[], Run[]>();
  const place = (parts: RestorePart[]): PlacedParts => {
    const runs = findRuns(parts);
    runsOf.set(parts, runs);
    return {
      targets: runs.map(({ start, end }) => ({ kind: 'buffer', bytes: end - start })),
      parts: runs.flatMap(({ start, members }, target) =>
        members.map((part) => ({ ...part, target, position: part.position - start })),
      ),
    };
  };
  for await (const { places, buffers } of runUnits(context, loaded, pieces, place, undefined)) {
    for (const [at, { target, start, end }] of (runsOf.get(places) ?? []).entries()) {
      if (end - start === sizes[target]) made[target] = buffers[at];
      else {
        const whole = made[target] ?? new Uint8Array(sizes[target]);
        made[target] = whole;
        whole.set(buffers[at], start);
      }
    }
    runsOf.delete(places);
  }
  return made.map((buffer, target) => buffer ?? new Uint8Array(sizes[target]));
}

type PlacedParts = Pick<RestoreJob, 'targets' | 'parts'>;

async function* runUnits(
  context: StoreContext,
  loaded: LoadedManifest,
  pieces: readonly Piece[],
  place: (parts: RestorePart[]) => PlacedParts,
  signal: AbortSignal | undefined,
): AsyncGenerator<DoneUnit> {
  const { storage, compute } = context;
  const index = await context.cache.index(loaded);
  const { groups, placesOf } = placeChunks(context, loaded, index, pieces);
  const units = decodeUnits(index, groups, objectKey('manifests', loaded.name));
  compute.expect(units.reduce((sum, unit) => sum + unit.bytes, 0));
  const perform = async (unit: DecodeUnit): Promise<DoneUnit> => {
    throwIfAborted(signal);
    const records = await readRecords(storage, unit.entries);
    const places = unit.wanted.flatMap((id) =>
      (placesOf.get(id) ?? []).map((part): RestorePart => ({ id, ...part })),
    );
    const job: RestoreJob = { kind: 'restore', records, ...place(places) };
    const transfer = [...new Set(records.map(({ bytes }) => bytes.buffer as ArrayBuffer))];
    const { buffers } = await compute.run(job, { transfer, signal });
    return { places, buffers };
  };
  const limits = {
    ahead: compute.width + UNITS_AHEAD,
    bytesMax: BYTES_AHEAD_MAX,
    bytesOf: (unit: DecodeUnit) => unit.bytes,
  };
  yield* inOrder(units, limits, perform);
}

/** Parts that lie next to one another in one target. */
interface Run {
  target: number;
  start: number;
  end: number;
  members: RestorePart[];
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
