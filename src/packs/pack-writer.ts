/** Collects encoded chunks into packs and writes each as one immutable object, a few at once. */
import { type ChunkEntry, encodePackEnd, objectKey, PACK_HEADER_BYTES, packHeader } from '../format/index.js';
import type { ChunkId, Hasher } from '../hash/index.js';
import type { ObjectWriter } from './object-writer.js';

/** Packs close at this size: large enough for object stores, small enough to hold a few in memory. */
export const PACK_BYTES_TARGET = 32 * 2 ** 20;
/** Full packs being written while the next one fills: one waits for the disk while another is handed to it. */
const UPLOADS_MAX = 3;

/** An encoded chunk on its way into a pack. */
export interface PackedChunk {
  id: ChunkId;
  record: Uint8Array;
  rawLength: number;
  height: number;
  references: ChunkId[];
  /** Low 32 bits of the record's XXH64, if it is known. */
  checksum?: number;
}

export class PackWriter {
  /** All entries appended so far, in order. */
  readonly entries: ChunkEntry[] = [];
  private readonly hasher: Hasher;
  private readonly objects: ObjectWriter;
  private name: string;
  private parts: Uint8Array[] = [packHeader()];
  private openEntries: ChunkEntry[] = [];
  private length = PACK_HEADER_BYTES;
  private readonly uploads = new Set<Promise<void>>();
  private failure: unknown;

  constructor(hasher: Hasher, objects: ObjectWriter) {
    this.hasher = hasher;
    this.objects = objects;
    this.name = objects.newName();
  }

  /** Bytes waiting in the open pack. */
  get openBytes(): number {
    return this.length;
  }

  /** Appends a record; when the pack is full, starts writing it, once there are not too many being written. */
  async append(chunk: PackedChunk): Promise<ChunkEntry> {
    const entry: ChunkEntry = {
      id: chunk.id,
      pack: this.name,
      offset: this.length,
      length: chunk.record.length,
      rawLength: chunk.rawLength,
      height: chunk.height,
      references: chunk.references,
      checksum: chunk.checksum ?? Number(this.hasher.checksum(chunk.record) & 0xffffffffn),
    };
    this.parts.push(chunk.record);
    this.length += chunk.record.length;
    this.openEntries.push(entry);
    this.entries.push(entry);
    if (this.length >= PACK_BYTES_TARGET) await this.close();
    return entry;
  }

  /** Writes what is left and waits until all packs are durable. */
  async finish(): Promise<void> {
    if (this.openEntries.length > 0) await this.close();
    await Promise.all(this.uploads);
    this.throwFailure();
  }

  private async close(): Promise<void> {
    this.parts.push(encodePackEnd(this.hasher, this.openEntries, this.length));
    const key = objectKey('packs', this.name);
    const parts = this.parts;
    this.name = this.objects.newName();
    this.parts = [packHeader()];
    this.openEntries = [];
    this.length = PACK_HEADER_BYTES;
    while (this.uploads.size >= UPLOADS_MAX) await Promise.race(this.uploads);
    this.throwFailure();
    const upload = this.upload(key, parts);
    this.uploads.add(upload);
    void upload.then(() => this.uploads.delete(upload));
  }

  /** Remembers a failure for whoever waits next. */
  private async upload(key: string, parts: readonly Uint8Array[]): Promise<void> {
    try {
      await this.objects.put(key, parts);
    } catch (error) {
      this.failure ??= error;
    }
  }

  private throwFailure(): void {
    if (this.failure !== undefined) throw this.failure;
  }
}
