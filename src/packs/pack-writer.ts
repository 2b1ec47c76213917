/** Collects encoded chunks into packs and writes each as one immutable object, a few at once. */
import {
  type ChunkEntry,
  encodePackEnd,
  footerSource,
  objectKey,
  PACK_HEADER_BYTES,
  PACK_TRAILER_BYTES,
  packHeader,
} from '../format/index.js';
import type { ChunkId, Hasher } from '../hash/index.js';
import type { ObjectWriter } from './object-writer.js';

/** Packs close at this size: large enough for object stores, small enough to hold a few in memory. */
export const PACK_BYTES_TARGET = 32 * 2 ** 20;
/** Full packs being written while the next one fills: one waits for the disk while another is handed to it. */
const UPLOADS_MAX = 2;

/** Memory is taken in pieces of this size. */
const PIECE_BYTES = 2 ** 20;

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
  private readonly memory: Uint8Array[] = [];
  private parts: PackParts;
  private openEntries: ChunkEntry[] = [];
  private length = PACK_HEADER_BYTES;
  private readonly uploads = new Set<Promise<void>>();
  private failure: unknown;

  constructor(hasher: Hasher, objects: ObjectWriter) {
    this.hasher = hasher;
    this.objects = objects;
    this.name = objects.newName();
    this.parts = new PackParts(this.memory);
    this.parts.write(packHeader());
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
    this.parts.write(chunk.record);
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
    const end = encodePackEnd(this.hasher, this.openEntries, this.length);
    this.parts.write(end);
    this.footers.push(footerSource(this.name, this.length, end.length - PACK_TRAILER_BYTES));
    const key = objectKey('packs', this.name);
    const parts = this.parts;
    this.name = this.objects.newName();
    this.openEntries = [];
    this.length = PACK_HEADER_BYTES;
    while (this.uploads.size >= UPLOADS_MAX) await Promise.race(this.uploads);
    this.throwFailure();
    const upload = this.upload(key, parts);
    this.uploads.add(upload);
    void upload.then(() => this.uploads.delete(upload));
    this.parts = new PackParts(this.memory);
    this.parts.write(packHeader());
  }

  /** Remembers a failure for whoever waits next. */
  private async upload(key: string, parts: PackParts): Promise<void> {
    try {
      await this.objects.put(key, parts.written());
      parts.release();
    } catch (error) {
      this.failure ??= error;
    }
  }

  private throwFailure(): void {
    if (this.failure !== undefined) throw this.failure;
  }
}

/** The bytes of a pack, in pieces of memory that are used again: new memory would be slow to fill. */
class PackParts {
  private readonly memory: Uint8Array[];
  private readonly pieces: Uint8Array[] = [];
  /** Bytes used of the last piece. */
  private used = PIECE_BYTES;

  /** `memory`: pieces that are not in use. */
  constructor(memory: Uint8Array[]) {
    this.memory = memory;
  }

  write(bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length; ) {
      if (this.used === PIECE_BYTES) {
        this.pieces.push(this.memory.pop() ?? new Uint8Array(PIECE_BYTES));
        this.used = 0;
      }
      const part = bytes.subarray(done, done + PIECE_BYTES - this.used);
      this.pieces.at(-1)?.set(part, this.used);
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
    this.memory.push(...this.pieces);
  }
}
