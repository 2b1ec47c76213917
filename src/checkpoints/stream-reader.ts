/** Reads parts of the streams of a stored checkpoint, chunk by chunk. */
import { corrupt } from '../errors.js';
import { objectKey } from '../format/index.js';
import type { ChunkId } from '../hash/index.js';
import { ChunkReader } from '../packs/index.js';
import { chunkAt, chunkStarts } from './chunk-places.js';
import type { StoreContext } from './context.js';
import { type LoadedManifest, loadIndex } from './manifest-store.js';

/** Where the chunks of a stream begin, in bytes; one more than there are chunks. */
interface ChunkMap {
  ids: ChunkId[];
  starts: number[];
}

export class StreamReader {
  private readonly context: StoreContext;
  private readonly loaded: LoadedManifest;
  private readonly reader: ChunkReader;
  private readonly maps = new Map<number, ChunkMap>();

  private constructor(context: StoreContext, loaded: LoadedManifest, reader: ChunkReader) {
    this.context = context;
    this.loaded = loaded;
    this.reader = reader;
  }

  /** Prepares to read a checkpoint. */
  static async open(context: StoreContext, loaded: LoadedManifest): Promise<StreamReader> {
    const index = await loadIndex(context, loaded.manifest.segments);
    return new StreamReader(context, loaded, new ChunkReader(context, index));
  }

  /** Yields the bytes `[offset, offset + length)` of a stream in order, as views that must not be changed. */
  async *read(stream: number, offset: number, length: number): AsyncGenerator<Uint8Array> {
    const { ids, starts } = this.map(stream);
    const end = offset + length;
    let position = offset;
    for (let at = chunkAt(starts, offset); position < end; at++) {
      const chunk = await this.reader.read(ids[at]);
      if (chunk.length !== starts[at + 1] - starts[at]) {
        const message = `chunk ${ids[at]} has ${chunk.length} bytes instead of ${starts[at + 1] - starts[at]}`;
        throw corrupt('chunk-length', message, objectKey('manifests', this.loaded.name));
      }
      const part = chunk.subarray(position - starts[at], Math.min(end, starts[at + 1]) - starts[at]);
      yield part;
      position += part.length;
    }
  }

  /** Returns a part of a stream as one buffer of its own. */
  async readAll(stream: number, offset: number, length: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(length);
    let done = 0;
    for await (const part of this.read(stream, offset, length)) {
      bytes.set(part, done);
      done += part.length;
    }
    return bytes;
  }

  private map(at: number): ChunkMap {
    const present = this.maps.get(at);
    if (present !== undefined) return present;
    const { ids } = this.loaded.content.streams[at];
    const map = { ids, starts: chunkStarts(this.context, this.loaded, at) };
    this.maps.set(at, map);
    return map;
  }
}
