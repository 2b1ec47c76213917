/** Stores the streams of a plan chunk by chunk; those that predict one another go side by side. */
import type { StreamContent } from '../format/index.js';
import type { ChunkWriter } from '../packs/index.js';
import type { ChunkPredictions } from './chunk-predictions.js';
import type { StoreContext } from './context.js';
import { chunksOf, type SavePlan } from './plan.js';

/** Returns the chunks of all streams, in the order of the layout. `onChunk` is called after each with its raw bytes. */
export async function storeStreams(
  context: StoreContext,
  plan: SavePlan,
  writer: ChunkWriter,
  predictions: ChunkPredictions,
  onChunk: (bytes: number) => Promise<void>,
): Promise<StreamContent[]> {
  const { streams } = plan.layout;
  const contents = streams.map((stream): StreamContent => {
    return { ids: [], lengths: stream.chunking === 'content' ? [] : null };
  });
  const { chunkElements } = context.config;
  for (const unit of predictions.order()) {
    const members = unit.map((at) => ({
      at,
      chunks: chunksOf(streams[at], plan.sources[at], chunkElements, context.kernels),
    }));
    for (let index = 0; ; index++) {
      let stored = 0;
      for (const { at, chunks } of members) {
        const next = await chunks.next();
        if (next.done === true) continue;
        const raw = next.value;
        const id = await writer.put(raw, streams[at].dtype, predictions.of(at, index));
        predictions.remember(at, index, id, raw);
        contents[at].ids.push(id);
        contents[at].lengths?.push(raw.length);
        stored += 1;
        await onChunk(raw.length);
      }
      if (stored === 0) break;
    }
  }
  return contents;
}
