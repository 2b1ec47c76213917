/** Knows of chunks that were stored where they lie in the files that they were made of. */
import type { LoadedManifest, SavePlan, SourcePart } from '../checkpoints/index.js';
import { isThetalogError, type ThetalogError } from '../errors.js';
import { chunkLengths, type StoreConfig } from '../format/index.js';
import type { ChunkId } from '../hash/index.js';

/** The files of a plan. Not the plan itself: that knows what it was predicted from, and this of what came before. */
type PlannedFiles = Pick<SavePlan, 'sources' | 'assertUnchanged' | 'close'>;

interface ChunkPlace {
  plan: PlannedFiles;
  stream: number;
  offset: number;
  length: number;
}

export class ChunkFiles {
  private readonly places = new Map<ChunkId, ChunkPlace>();
  /** What chunks were read from since files were closed. */
  private plans = new Set<PlannedFiles>();

  /** Notes all chunks of a checkpoint, made of the plan. About 200 bytes for each. */
  add(planned: SavePlan, { layout, content }: LoadedManifest, { chunkElements }: StoreConfig): void {
    const { sources, assertUnchanged, close } = planned;
    const plan = { sources, assertUnchanged, close };
    this.plans.add(plan);
    for (const [stream, { ids }] of content.streams.entries()) {
      const lengths = chunkLengths(layout.streams[stream], content.streams[stream], chunkElements);
      let offset = 0;
      for (const [at, id] of ids.entries()) {
        this.places.set(id, { plan, stream, offset, length: lengths[at] });
        offset += lengths[at];
      }
    }
  }

  /** Forgets all other chunks. */
  keepOnly(ids: { has(id: ChunkId): boolean }): void {
    for (const id of this.places.keys()) if (!ids.has(id)) this.places.delete(id);
  }

  /** Returns where a chunk lies; whoever reads it there finds out whether it still does. */
  parts(id: ChunkId): SourcePart[] | undefined {
    const place = this.places.get(id);
    return place?.plan.sources[place.stream].parts(place.offset, place.length);
  }

  /** Forgets the chunks of files that were deleted or changed; returns what is said of these. */
  async forgetChanged(): Promise<ThetalogError[]> {
    const errors: ThetalogError[] = [];
    for (const plan of this.plans) {
      try {
        await plan.assertUnchanged();
      } catch (error) {
        if (!isThetalogError(error)) throw error;
        for (const [id, place] of this.places) if (place.plan === plan) this.places.delete(id);
        errors.push(error);
      }
    }
    return errors;
  }

  /** Closes the files: they are opened again when they are read. */
  async close(): Promise<void> {
    for (const plan of this.plans) await plan.close();
    this.plans = new Set([...this.places.values()].map((place) => place.plan));
  }
}
