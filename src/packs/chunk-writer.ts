/** Stores chunks: finds those that are there already, encodes the others against their base, appends them to packs. */
import type { Codec, Level } from '../codec/index.js';
import type { ChunkEntry } from '../format/index.js';
import type { ChunkId, Hasher } from '../hash/index.js';
import type { DType } from '../tensor/index.js';
import type { ChunkIndex } from './chunk-index.js';
import type { ChunkReader } from './chunk-reader.js';
import type { PackWriter } from './pack-writer.js';

export interface ChunkWriterOptions {
  /** What the base checkpoint resolves; chunks in it are not stored again. */
  index: ChunkIndex;
  reader: ChunkReader;
  packs: PackWriter;
  codec: Codec;
  hasher: Hasher;
  /** Longest delta chain to make. */
  heightMax: number;
  level: Level;
}

export class ChunkWriter {
  /** The chunks that this writer added. */
  readonly added = new Map<ChunkId, ChunkEntry>();
  private readonly options: ChunkWriterOptions;

  constructor(options: ChunkWriterOptions) {
    this.options = options;
  }

  /** Returns the id of the chunk, stored now or before. `base` is the chunk to predict it from, if there is one. */
  async put(raw: Uint8Array, dtype: DType, base: ChunkId | undefined): Promise<ChunkId> {
    const { index, hasher } = this.options;
    const id = hasher.chunkId(raw);
    if (index.get(id) === undefined && !this.added.has(id)) await this.encode(id, raw, dtype, base);
    return id;
  }

  /** Encodes a chunk even if the index has it; the base must be lower than `heightMax`. */
  async encode(id: ChunkId, raw: Uint8Array, dtype: DType, base: ChunkId | undefined): Promise<ChunkEntry> {
    const { index, reader, packs, codec, heightMax, level } = this.options;
    const baseEntry = base === undefined ? undefined : index.get(base);
    const usable = baseEntry !== undefined && baseEntry.height < heightMax ? baseEntry : undefined;
    const baseBytes = usable === undefined ? undefined : await reader.read(usable.id);
    const { record, usesBase } = codec.encode(raw, dtype, baseBytes, level);
    const reads = usesBase && usable !== undefined;
    const entry = await packs.append({
      id,
      record,
      rawLength: raw.length,
      height: reads ? usable.height + 1 : 0,
      references: reads ? [usable.id] : [],
    });
    this.added.set(id, entry);
    return entry;
  }
}
