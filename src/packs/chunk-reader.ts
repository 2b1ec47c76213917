/** Reads chunks back through their delta chains and checks every one against its id. */
import type { Codec } from '../codec/index.js';
import { corrupt } from '../errors.js';
import { type ChunkEntry, objectKey } from '../format/index.js';
import type { ChunkId, Hasher } from '../hash/index.js';
import type { Storage } from '../storage/index.js';

/** What a reader needs to know of an index. */
export interface Encodings {
  get(id: ChunkId): ChunkEntry | undefined;
}

/**
 * Whole chunks of fp32 whose decoded bytes are kept. Weights predicted by an update rule read three chains of up to ten
 * chunks; with less, links would be decoded again and again.
 */
const CACHED_CHUNKS = 48;
const FP32_BYTES = 4;
const CACHE_BYTES_MIN = 32 * 2 ** 20;

/** What reading chunks takes: a store's context has it. */
export interface ChunkSource {
  readonly storage: Storage;
  readonly codec: Codec;
  readonly hasher: Hasher;
  readonly config: { readonly chunkElements: number };
}

export class ChunkReader {
  private readonly storage: Storage;
  private readonly codec: Codec;
  private readonly hasher: Hasher;
  private readonly index: Encodings;
  private readonly cache = new Map<ChunkId, Uint8Array>();
  private readonly cacheBytesMax: number;
  private cachedBytes = 0;

  constructor({ storage, codec, hasher, config }: ChunkSource, index: Encodings) {
    this.storage = storage;
    this.codec = codec;
    this.hasher = hasher;
    this.index = index;
    this.cacheBytesMax = Math.max(CACHE_BYTES_MIN, CACHED_CHUNKS * config.chunkElements * FP32_BYTES);
  }

  /**
   * Returns a chunk's decoded bytes, which the caller must not change. Anything missing or damaged on the way throws
   * `corrupt` naming the pack and the offset.
   */
  async read(id: ChunkId): Promise<Uint8Array> {
    const cached = this.cache.get(id);
    if (cached !== undefined) {
      this.cache.delete(id);
      this.cache.set(id, cached);
      return cached;
    }
    const entry = this.index.get(id);
    if (entry === undefined) throw corrupt('missing-chunk', 'no index segment has it', `chunk ${id}`);
    const object = objectKey('packs', entry.pack);
    const record = await readRecord(this.storage, this.hasher, entry);
    const inputs = await this.readInputs(entry, object);
    const raw = this.codec.decode(record, entry.rawLength, inputs, object);
    if (this.hasher.chunkId(raw) !== id) {
      throw corrupt('chunk-id', `decodes to other bytes than chunk ${id}`, object, entry.offset);
    }
    this.remember(id, raw);
    return raw;
  }

  private async readInputs(entry: ChunkEntry, object: string): Promise<Uint8Array[]> {
    const inputs: Uint8Array[] = [];
    for (const id of entry.references) {
      const height = this.index.get(id)?.height;
      if (height !== undefined && height >= entry.height) {
        throw corrupt(
          'height-order',
          `chunk ${entry.id} reads chunk ${id}, which is not lower`,
          object,
          entry.offset,
        );
      }
      inputs.push(await this.read(id));
    }
    return inputs;
  }

  private remember(id: ChunkId, raw: Uint8Array): void {
    this.cache.set(id, raw);
    this.cachedBytes += raw.length;
    for (const [oldest, bytes] of this.cache) {
      if (this.cachedBytes <= this.cacheBytesMax) break;
      this.cache.delete(oldest);
      this.cachedBytes -= bytes.length;
    }
  }
}

/** Reads a chunk's record and checks its length and checksum. */
export async function readRecord(storage: Storage, hasher: Hasher, entry: ChunkEntry): Promise<Uint8Array> {
  const object = objectKey('packs', entry.pack);
  const record = await storage.get(object, { offset: entry.offset, length: entry.length });
  if (record === undefined) throw corrupt('missing-object', 'is not in the store', object);
  if (record.length !== entry.length) throw corrupt('truncated', 'ends inside a chunk', object, entry.offset);
  if (Number(hasher.checksum(record) & 0xffffffffn) !== entry.checksum) {
    throw corrupt('bad-checksum', `the checksum of chunk ${entry.id} does not match`, object, entry.offset);
  }
  return record;
}
