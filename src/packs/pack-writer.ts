/** Collects encoded chunks into packs and writes each as one immutable object, one upload ahead of the encoder. */
import { type ChunkEntry, encodePackEnd, objectKey, PACK_HEADER_BYTES, packHeader } from '../format/index.js';
import type { ChunkId, Hasher } from '../hash/index.js';
import type { ObjectWriter } from './object-writer.js';

/** Packs close at this size: large enough for object stores, small enough to hold two in memory. */
export const PACK_BYTES_TARGET = 32 * 2 ** 20;

/** An encoded chunk on its way into a pack. */
export interface EncodedRecord {
  id: ChunkId;
  record: Uint8Array;
  rawLength: number;
  height: number;
  references: ChunkId[];
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
  private upload: Promise<void> = Promise.resolve();

  constructor(hasher: Hasher, objects: ObjectWriter) {
    this.hasher = hasher;
    this.objects = objects;
    this.name = objects.newName();
  }

  /** Bytes waiting in the open pack. */
  get openBytes(): number {
    return this.length;
  }

  /** Appends a record; when the pack is full, waits for the pack before it and starts writing this one. */
  async append(chunk: EncodedRecord): Promise<ChunkEntry> {
    const entry: ChunkEntry = {
      id: chunk.id,
      pack: this.name,
      offset: this.length,
      length: chunk.record.length,
      rawLength: chunk.rawLength,
      height: chunk.height,
      references: chunk.references,
      checksum: Number(this.hasher.checksum(chunk.record) & 0xffffffffn),
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
    await this.upload;
  }

  private async close(): Promise<void> {
    this.parts.push(encodePackEnd(this.hasher, this.openEntries, this.length));
    const key = objectKey('packs', this.name);
    const parts = this.parts;
    this.name = this.objects.newName();
    this.parts = [packHeader()];
    this.openEntries = [];
    this.length = PACK_HEADER_BYTES;
    await this.upload;
    this.upload = this.objects.put(key, parts);
    this.upload.catch(() => {});
  }
}
