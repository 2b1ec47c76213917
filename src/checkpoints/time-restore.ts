/** Measures how fast a checkpoint is decoded, on the part of it that can be read. */
import { type ChunkEntry, chunkLengths } from '../format/index.js';
import type { Piece } from './chunk-places.js';
import type { StoreContext } from './context.js';
import type { LoadedManifest } from './manifest-store.js';
import { piecesIntoMemory } from './restore-pieces.js';

/** Enough for a figure, and little enough for memory. */
const SAMPLE_BYTES = 64 * 2 ** 20;

/** Returns bytes a second, or undefined if no chunk has all its records where `isHeld` says. */
export async function timeRestore(
  context: StoreContext,
  loaded: LoadedManifest,
  isHeld: (entry: ChunkEntry) => boolean,
): Promise<number | undefined> {
  const { layout, content } = loaded;
  const index = await context.cache.index(loaded);
  const pieces: Piece[] = [];
  let bytes = 0;
  for (const [stream, { ids }] of content.streams.entries()) {
    const lengths = chunkLengths(
      layout.streams[stream],
      content.streams[stream],
      context.config.chunkElements,
    );
    let offset = 0;
    for (const [at, id] of ids.entries()) {
      const length = lengths[at];
      const isWanted =
        bytes < SAMPLE_BYTES && [...index.closure([id], 'the estimate').values()].every(isHeld);
      if (isWanted) {
        pieces.push({ stream, offset, length, target: 0, position: bytes });
        bytes += length;
      }
      offset += length;
    }
  }
  if (bytes === 0) return undefined;
  const started = context.environment.now();
  await piecesIntoMemory(context, loaded, pieces, [bytes]);
  return (bytes * 1000) / Math.max(1, context.environment.now() - started);
}
