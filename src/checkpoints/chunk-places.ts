/** Where the chunks of a stored checkpoint belong: stream ranges are turned into parts of chunks. */
import { type Cast, castLength } from '../compute/index.js';
import { corrupt } from '../errors.js';
import { chunkLengths, objectKey } from '../format/index.js';
import type { ChunkId } from '../hash/index.js';
import type { ChunkIndex } from '../packs/index.js';
import { dtypeInfo } from '../tensor/index.js';
import type { StoreContext } from './context.js';
import type { LoadedManifest } from './manifest-store.js';

/** Bytes of a stream and where they belong. */
export interface Piece {
  stream: number;
  /** In the stream, in bytes. */
  offset: number;
  length: number;
  /** Number of the file or buffer that they belong into. */
  target: number;
  /** In the target, in bytes. */
  position: number;
  /** Only into files: the type that its elements are written in. */
  cast?: Cast;
}

/** Part of a chunk and where it belongs. */
export interface ChunkPlace {
  /** First byte of the chunk that belongs there. */
  from: number;
  length: number;
  target: number;
  position: number;
  cast?: Cast;
}

export interface ChunkPlaces {
  /** The chunks of each piece, in order; one may be in several. */
  groups: ChunkId[][];
  placesOf: Map<ChunkId, ChunkPlace[]>;
}

/** Returns where all chunks of the pieces belong; one that the index knows with another length is `corrupt`. */
export function placeChunks(
  context: StoreContext,
  loaded: LoadedManifest,
  index: ChunkIndex,
  pieces: readonly Piece[],
): ChunkPlaces {
  const places: ChunkPlaces = { groups: [], placesOf: new Map() };
  const startsOf = new Map<number, number[]>();
  for (const piece of pieces) {
    if (piece.length === 0) continue;
    const starts = startsOf.get(piece.stream) ?? chunkStarts(context, loaded, piece.stream);
    startsOf.set(piece.stream, starts);
    const { ids } = loaded.content.streams[piece.stream];
    const end = piece.offset + piece.length;
    const { target, position, cast } = piece;
    const group: ChunkId[] = [];
    for (let at = chunkAt(starts, piece.offset), done = 0; done < piece.length; at++) {
      const id = ids[at];
      checkLength(index, id, starts[at + 1] - starts[at], objectKey('manifests', loaded.name));
      const from = piece.offset + done - starts[at];
      const length = Math.min(end, starts[at + 1]) - starts[at] - from;
      const known = places.placesOf.get(id) ?? [];
      if (cast !== undefined) checkWhole(cast, from, length, id);
      known.push({
        from,
        length,
        target,
        position: position + castLength(done, cast),
        ...(cast && { cast }),
      });
      places.placesOf.set(id, known);
      group.push(id);
      done += length;
    }
    places.groups.push(group);
  }
  return places;
}

/** Returns where the chunks of a stream begin, in bytes; one more than there are chunks. */
export function chunkStarts(
  context: StoreContext,
  { layout, content }: Pick<LoadedManifest, 'layout' | 'content'>,
  stream: number,
): number[] {
  const starts = [0];
  const lengths = chunkLengths(layout.streams[stream], content.streams[stream], context.config.chunkElements);
  for (const length of lengths) starts.push(starts[starts.length - 1] + length);
  return starts;
}

/** Returns the index of the chunk that holds the byte at `offset`. */
export function chunkAt(starts: readonly number[], offset: number): number {
  let low = 0;
  let high = starts.length - 1;
  while (low + 1 < high) {
    const middle = (low + high) >>> 1;
    if (starts[middle] <= offset) low = middle;
    else high = middle;
  }
  return low;
}

/** Chunks of a stream of numbers are cut between them. */
function checkWhole({ from: dtype }: Cast, from: number, length: number, id: ChunkId): void {
  const { bytes } = dtypeInfo(dtype);
  if (from % bytes !== 0 || length % bytes !== 0)
    throw corrupt('chunk-length', `is cut inside of an element of ${dtype}`, `chunk ${id}`);
}

function checkLength(index: ChunkIndex, id: ChunkId, expected: number, object: string): void {
  const stored = index.get(id)?.rawLength ?? expected;
  if (stored !== expected)
    throw corrupt('chunk-length', `chunk ${id} has ${stored} bytes instead of ${expected}`, object);
}
