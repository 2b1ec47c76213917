/**
 * Work on chunks as plain data, so that it can be handed to another thread, and the functions that do it. They touch
 * nothing but what is in the job, and memory that is kept for it: what they return depends on nothing else.
 */
import { type Codec, RECORD_ROOM_BYTES } from '../codec/index.js';
import { corrupt, isThetalogError, type ThetalogError } from '../errors.js';
import type { ChunkEntry } from '../format/index.js';
import type { ChunkId, Hasher } from '../hash/index.js';
import type { Arena, Kernels } from '../kernels/index.js';
import { copyBytes } from './copy-bytes.js';
import { type RawBytes, readParts } from './file-parts.js';

/** What work on chunks takes; every thread has its own. */
export interface ChunkTools {
  readonly kernels: Kernels;
  readonly codec: Codec;
  readonly hasher: Hasher;
  /** Milliseconds of any clock: times are for people, and nothing that is stored depends on them. */
  now(): number;
  /** New memory that is being filled by several jobs, by the key that these have for it. */
  readonly kept: Map<number, Uint8Array<ArrayBuffer>>;
}

/** A record as it lies in a pack; whoever decodes it checks it. */
export interface StoredRecord {
  readonly entry: ChunkEntry;
  /** The key of the pack, for errors: threads start faster without all that knows formats. */
  readonly object: string;
  readonly bytes: Uint8Array;
}

/** A chunk whose bytes are at hand. */
export type KnownChunk = { readonly id: ChunkId } & RawBytes;

/** Chunks that are decoded when first asked for, what they read before them. */
export class DecodedChunks {
  private readonly tools: ChunkTools;
  private readonly inArena: boolean;
  private readonly records = new Map<ChunkId, StoredRecord>();
  private readonly offered = new Map<ChunkId, KnownChunk>();
  private readonly outcomes = new Map<ChunkId, Uint8Array | ThetalogError>();
  /** Places in the arena of chunks that were released, by length. */
  private readonly places = new Map<number, Uint8Array[]>();
  private readonly mark: number;

  /**
   * `inArena`: decoded bytes lie where kernels use them in place, as long as there is room, until they are released here or
   * their room is.
   */
  constructor(tools: ChunkTools, records: readonly StoredRecord[], inArena = false) {
    this.tools = tools;
    this.inArena = inArena;
    this.mark = tools.kernels.arena.mark();
    for (const record of records) this.records.set(record.entry.id, record);
  }

  /**
   * Forgets a chunk: its bytes are not asked for again, and their place is used for others. With the last one goes all that
   * was taken of the arena since this was made.
   */
  release(id: ChunkId): void {
    const { arena } = this.tools.kernels;
    const outcome = this.outcomes.get(id);
    this.outcomes.delete(id);
    if (!this.inArena || outcome === undefined) return;
    if (this.outcomes.size === 0) {
      this.places.clear();
      arena.release(this.mark);
    } else if (outcome instanceof Uint8Array && arena.holds(outcome)) {
      const known = this.places.get(outcome.length);
      if (known === undefined) this.places.set(outcome.length, [outcome]);
      else known.push(outcome);
    }
  }

  /** Adds a chunk whose bytes are said to be at hand: they are compared with the id when they are used. */
  offer(known: KnownChunk): void {
    this.offered.set(known.id, known);
  }

  /** Returns the bytes of a chunk, checked against its id, or throws what is wrong with it or below it. */
  get(id: ChunkId): Uint8Array {
    const outcome = this.outcomes.get(id) ?? this.outcomeOf(id);
    this.outcomes.set(id, outcome);
    if (outcome instanceof Uint8Array) return outcome;
    throw outcome;
  }

  private outcomeOf(id: ChunkId): Uint8Array | ThetalogError {
    try {
      return this.decode(id);
    } catch (error) {
      if (isThetalogError(error, 'corrupt')) return error;
      throw error;
    }
  }

  private decode(id: ChunkId): Uint8Array {
    const { kernels, codec, hasher } = this.tools;
    const offered = this.offered.get(id);
    if (offered !== undefined) return this.checkOffered(offered);
    const stored = this.records.get(id);
    if (stored === undefined) throw corrupt('missing-chunk', 'no index segment has it', `chunk ${id}`);
    const { entry, object, bytes } = stored;
    const inputs = entry.references.map((reference) => this.input(stored, reference));
    const { arena } = kernels;
    const target = this.inArena ? this.place(entry.rawLength) : undefined;
    const mark = arena.mark();
    try {
      // Without a target the codec may return a view of the record, which must not be of the arena then.
      const record = isShared(bytes) ? copied(bytes, target && arena) : bytes;
      // First, although the id proves the bytes: damage that decodes to them all the same is what `repair` drops.
      if (Number(hasher.checksum(record) & 0xffffffffn) !== entry.checksum)
        throw corrupt('bad-checksum', `the checksum of chunk ${id} does not match`, object, entry.offset);
      const raw = codec.decode(record, entry.rawLength, inputs, object, target);
      if (hasher.chunkId(raw) !== id)
        throw corrupt('chunk-id', `decodes to other bytes than chunk ${id}`, object, entry.offset);
      return raw;
    } finally {
      arena.release(mark);
    }
  }

  private place(length: number): Uint8Array | undefined {
    return this.places.get(length)?.pop() ?? this.tools.kernels.arena.take(length);
  }

  private checkOffered(known: KnownChunk): Uint8Array {
    const { kernels, hasher } = this.tools;
    const object = `chunk ${known.id}`;
    try {
      const raw = placeRaw(kernels, known, lengthOf(known));
      if (hasher.chunkId(raw) === known.id) return raw;
    } catch (cause) {
      if (!isThetalogError(cause)) throw cause;
      throw corrupt('chunk-id', `cannot be read any more where it was: ${cause.message}`, object);
    }
    throw corrupt('chunk-id', `changed ${'bytes' in known ? 'in memory' : 'in its file'}`, object);
  }

  /** What a record reads must be lower than itself, so that nothing can go in a circle. */
  private input({ entry: { id, height, offset }, object }: StoredRecord, reference: ChunkId): Uint8Array {
    const read = this.records.get(reference)?.entry;
    if (read !== undefined && read.height >= height) {
      const message = `chunk ${id} reads chunk ${reference}, which is not lower`;
      throw corrupt('height-order', message, object, offset);
    }
    return this.get(reference);
  }
}

/** Returns so many bytes where kernels use them in place, if there is room. */
export function placeRaw({ arena }: Kernels, raw: RawBytes, length: number): Uint8Array {
  const place = arena.take(length);
  if ('parts' in raw) return readParts(raw.parts, place ?? new Uint8Array(length));
  return place === undefined ? raw.bytes : copyBytes(place, raw.bytes);
}

/** Returns where records of chunks of so many bytes at most can be made in place, if there is room. */
export function placeForRecords({ arena }: Kernels, length: number): Uint8Array | undefined {
  return arena.take(length + RECORD_ROOM_BYTES);
}

/** In the arena, if there is room. */
function copied(bytes: Uint8Array, arena: Arena | undefined): Uint8Array {
  return copyBytes(arena?.take(bytes.length) ?? new Uint8Array(bytes.length), bytes);
}

function isShared({ buffer }: Uint8Array): boolean {
  return buffer instanceof SharedArrayBuffer;
}

function lengthOf(raw: RawBytes): number {
  return 'bytes' in raw ? raw.bytes.length : raw.parts.reduce((sum, { length }) => sum + length, 0);
}
