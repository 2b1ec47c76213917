/** Collects encoded chunks into packs and writes each as one immutable object, a few at once. */
import { copyBytes } from '../compute/index.js';
import {
  type ChunkEntry,
  encodePackEnd,
  encodePackFront,
  footerSource,
  objectKey,
  PACK_TRAILER_BYTES,
} from '../format/index.js';
import type { ChunkId, Hasher } from '../hash/index.js';
import { BLOCK_BYTES, pageMemory, WINDOW_BYTES } from '../storage/index.js';
import type { ObjectWriter } from './object-writer.js';

/** Packs close at this size: large enough for object stores, small enough to hold a few in memory. */
export const PACK_BYTES_TARGET = 32 * 2 ** 20;
/** Full packs being written while the next one fills: one waits for the disk while another is handed to it. */
const UPLOADS_MAX = 1;

/** Full packs of fewer chunks are laid out so that disks take their records from where they are: to try that with more takes longer. */
const ALIGNED_CHUNKS_MAX = 1024;

/** Memory is taken in pieces of this size. */
const PIECE_BYTES = WINDOW_BYTES / 2;
/** How much of it stays for the packs to come: as much as two packs. */
const KEPT_PIECES_MAX = (2 * PACK_BYTES_TARGET) / PIECE_BYTES;

/** An encoded chunk on its way into a pack. */
export interface PackedChunk {
  id: ChunkId;
  /** Copied: it may be changed afterwards. */
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
  /** The footers of the packs closed so far, as manifests name them. */
  readonly footers: string[] = [];
  private readonly hasher: Hasher;
  private readonly objects: ObjectWriter;
  private name: string;
  private readonly memory: PackMemory;
  private parts: PackParts;
  private openEntries: ChunkEntry[] = [];
  /** Of the records. */
  private length = 0;
  private readonly uploads = new Set<Promise<void>>();
  private failure: unknown;

  constructor(hasher: Hasher, objects: ObjectWriter, memory = new PackMemory()) {
    this.hasher = hasher;
    this.objects = objects;
    this.memory = memory;
    this.name = objects.newName();
    this.parts = new PackParts(memory);
  }

  /** Bytes waiting in the open pack. */
  get openBytes(): number {
    return this.length;
  }

  /**
   * Appends a record; when the pack is full, starts writing it, once there are not too many being written. The offset of the
   * entry is not final before its pack is closed.
   */
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
    this.parts.write(chunk.record);
    this.length += chunk.record.length;
    this.openEntries.push(entry);
    this.entries.push(entry);
    if (this.length >= PACK_BYTES_TARGET) await this.close(true);
    return entry;
  }

  /** Writes what is left and waits until all packs are durable. */
  async finish(): Promise<void> {
    if (this.openEntries.length > 0) await this.close(false);
    await Promise.all(this.uploads);
    this.throwFailure();
  }

  private async close(isFull: boolean): Promise<void> {
    const isAligned = isFull && this.openEntries.length <= ALIGNED_CHUNKS_MAX;
    const alignment = isAligned ? BLOCK_BYTES : 1;
    const front = encodePackFront(this.hasher, this.openEntries, alignment);
    for (const entry of this.openEntries) entry.offset += front.length;
    const recordsEnd = this.length + front.length;
    const end = encodePackEnd(this.hasher, this.openEntries, recordsEnd);
    this.parts.write(end);
    this.footers.push(footerSource(this.name, recordsEnd, end.length - PACK_TRAILER_BYTES));
    const key = objectKey('packs', this.name);
    const parts = this.parts;
    this.name = this.objects.newName();
    this.openEntries = [];
    this.length = 0;
    while (this.uploads.size >= UPLOADS_MAX) await Promise.race(this.uploads);
    this.throwFailure();
    const upload = this.upload(key, front, parts);
    this.uploads.add(upload);
    void upload.then(() => this.uploads.delete(upload));
    this.parts = new PackParts(this.memory);
  }

  /** Remembers a failure for whoever waits next. */
  private async upload(key: string, front: Uint8Array, parts: PackParts): Promise<void> {
    try {
      await this.objects.put(key, [front, ...parts.written()]);
      parts.release();
    } catch (error) {
      this.failure ??= error;
    }
  }

  private throwFailure(): void {
    if (this.failure !== undefined) throw this.failure;
  }
}

/** Memory that packs take and give back, one operation after the other: new memory would be slow to fill. */
export class PackMemory {
  private readonly free: Uint8Array[] = [];

  /** Returns a piece of memory with any content. */
  take(): Uint8Array {
    return this.free.pop() ?? pageMemory(PIECE_BYTES);
  }

  give(pieces: readonly Uint8Array[]): void {
    this.free.push(...pieces.slice(0, KEPT_PIECES_MAX - this.free.length));
  }
}

/** The bytes of a pack, in pieces of memory. */
class PackParts {
  private readonly memory: PackMemory;
  private readonly pieces: Uint8Array[] = [];
  /** Bytes used of the last piece. */
  private used = PIECE_BYTES;

  constructor(memory: PackMemory) {
    this.memory = memory;
  }

  write(bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length; ) {
      if (this.used === PIECE_BYTES) {
        this.pieces.push(this.memory.take());
        this.used = 0;
      }
      const part = bytes.subarray(done, done + PIECE_BYTES - this.used);
      copyBytes(this.pieces[this.pieces.length - 1].subarray(this.used), part);
      this.used += part.length;
      done += part.length;
    }
  }

  written(): Uint8Array[] {
    const last = this.pieces.length - 1;
    return this.pieces.map((piece, at) => (at === last ? piece.subarray(0, this.used) : piece));
  }

  /** Hands the memory on; nobody may read it any more. */
  release(): void {
    this.memory.give(this.pieces);
  }
}
