/** Stores chunks: finds those that are there already, encodes the others against their base, appends them to packs. */
import type { Codec, Level } from '../codec/index.js';
import { isThetalogError, type ThetalogError } from '../errors.js';
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
  /** Told of a base that cannot be read; the chunk is then stored without one. */
  onDamage(error: ThetalogError): void;
}

export class ChunkWriter {
  /** The chunks that this writer added. */
  readonly added = new Map<ChunkId, ChunkEntry>();
  private readonly options: ChunkWriterOptions;

  constructor(options: ChunkWriterOptions) {
    this.options = options;
  }

  /** Bytes that were added and are not yet written. */
  get openBytes(): number {
    return this.options.packs.openBytes;
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
    const { packs, codec, level } = this.options;
    const predictor = base === undefined ? undefined : await this.readBase(base);
    const { record, usesBase } = codec.encode(raw, dtype, predictor?.bytes, level);
    const read = usesBase ? predictor?.entry : undefined;
    const entry = await packs.append({
      id,
      record,
      rawLength: raw.length,
      height: read === undefined ? 0 : read.height + 1,
      references: read === undefined ? [] : [read.id],
    });
    this.added.set(id, entry);
    return entry;
  }

  /** Returns a base that is low enough and sound. Old damage must not keep anyone from saving anew. */
  private async readBase(id: ChunkId): Promise<{ entry: ChunkEntry; bytes: Uint8Array } | undefined> {
    const { index, reader, heightMax, onDamage } = this.options;
    const entry = index.get(id);
    if (entry === undefined || entry.height >= heightMax) return undefined;
    try {
      return { entry, bytes: await reader.read(id) };
    } catch (error) {
      if (!isThetalogError(error, 'corrupt')) throw error;
      onDamage(error);
      return undefined;
    }
  }
}
