/**
 * Tables of encoded chunks, as packed columns: where each lies in its pack, what it decodes to and what it reads
 * (FORMAT.md, "Chunk table"). Pack footers and index segments are made of them.
 */
import { type ByteReader, type ByteWriter, toHex, writeHex } from '../bytes/index.js';
import type { ChunkId } from '../hash/index.js';
import { CHUNK_BYTES_MAX, CHUNK_ID_BYTES, HEIGHT_MAX, REFERENCES_MAX } from './limits.js';

/** One encoding of a chunk. */
export interface ChunkEntry {
  id: ChunkId;
  /** Name of the pack that holds the record. */
  pack: string;
  /** Of the record in the pack, in bytes. */
  offset: number;
  length: number;
  /** Decoded bytes. */
  rawLength: number;
  /** 0: reads nothing; else larger than the heights of all it reads. */
  height: number;
  /** Ids of the chunks that decoding reads, the base first. */
  references: ChunkId[];
  /** Low 32 bits of the record's XXH64. */
  checksum: number;
}

/** Appends the table of one pack's entries, which are in ascending order of offset; offsets count from `start`. */
export function writeChunkTable(writer: ByteWriter, entries: readonly ChunkEntry[], start = 0): void {
  writer.varint(entries.length);
  for (const entry of entries) writer.bytes(idBytes(entry.id));
  let end = -start;
  for (const entry of entries) {
    writer.varint(entry.offset - end);
    end = entry.offset + entry.length;
  }
  for (const entry of entries) writer.varint(entry.length);
  for (const entry of entries) writer.varint(entry.rawLength);
  for (const entry of entries) writer.u8(entry.height);
  for (const entry of entries) writer.u32(entry.checksum);
  for (const entry of entries) {
    writer.u8(entry.references.length);
    for (const reference of entry.references) writer.bytes(idBytes(reference));
  }
}

/**
 * A table as it stands in its bytes, checked: every number is bounded, heights and references make sense. Entries are made
 * when they are asked for, one after the other: there may be millions, and a walk over the columns makes none.
 */
export class ChunkTable implements Iterable<ChunkEntry> {
  readonly pack: string;
  readonly count: number;
  /** Of all entries, 16 bytes each. */
  readonly ids: Uint8Array;
  readonly heights: Uint8Array;
  /** Of each entry in one byte the number of chunks that decoding reads, then their ids. */
  readonly references: Uint8Array;
  /** Where the last record ends in the pack, in bytes. */
  readonly recordsEnd: number;
  private readonly gaps: ByteReader;
  private readonly lengths: ByteReader;
  private readonly rawLengths: ByteReader;
  private readonly checksums: ByteReader;

  /** Reads the table of a pack. */
  constructor(reader: ByteReader, pack: string) {
    const count = reader.varint();
    if (count * (CHUNK_ID_BYTES + 9) > reader.remaining)
      reader.fail('bad-count', 'a chunk table has too many entries');
    this.pack = pack;
    this.count = count;
    this.ids = reader.view8(count * CHUNK_ID_BYTES);
    this.gaps = reader.copy();
    const gaps = sumOf(reader, count);
    this.lengths = reader.copy();
    this.recordsEnd = gaps + sumOf(reader, count);
    if (!Number.isSafeInteger(this.recordsEnd)) reader.fail('bad-offset', 'a chunk lies beyond any pack');
    this.rawLengths = reader.copy();
    for (let at = 0; at < count; at++)
      if (reader.varint() > CHUNK_BYTES_MAX)
        reader.fail('bad-length', 'a chunk is larger than any chunk may be');
    this.heights = reader.view8(count);
    this.checksums = reader.copy();
    reader.view8(4 * count);
    const { offset } = reader;
    for (const height of this.heights) passReferences(reader, height);
    this.references = reader.bytes.subarray(offset, reader.offset);
  }

  /** Where the first record begins in the pack, in bytes. */
  get recordsStart(): number {
    return this.count === 0 ? this.recordsEnd : this.gaps.copy().varint();
  }

  *[Symbol.iterator](): Generator<ChunkEntry> {
    const { pack, ids, heights, references } = this;
    const [gaps, lengths] = [this.gaps.copy(), this.lengths.copy()];
    const [rawLengths, checksums] = [this.rawLengths.copy(), this.checksums.copy()];
    for (let row = 0, end = 0, read = 0; row < this.count; row++) {
      const reads: ChunkId[] = [];
      for (let left = references[read++]; left > 0; left--, read += CHUNK_ID_BYTES)
        reads.push(chunkIdAt(references, read));
      const offset = end + gaps.varint();
      const length = lengths.varint();
      end = offset + length;
      const id = chunkIdAt(ids, row * CHUNK_ID_BYTES);
      const [rawLength, height, checksum] = [rawLengths.varint(), heights[row], checksums.u32()];
      yield { id, pack, offset, length, rawLength, height, references: reads, checksum };
    }
  }
}

/** Yields the entries of tables one after the other. */
export function* entriesOf(tables: Iterable<ChunkTable>): Generator<ChunkEntry> {
  for (const table of tables) yield* table;
}

/** Passes over a column of numbers. */
function sumOf(reader: ByteReader, count: number): number {
  let sum = 0;
  for (let at = 0; at < count; at++) sum += reader.varint();
  return sum;
}

function passReferences(reader: ByteReader, height: number): void {
  if (height > HEIGHT_MAX) reader.fail('bad-height', 'a chunk is higher than any chunk may be');
  const number = reader.u8();
  if (number > REFERENCES_MAX || number > 0 !== height > 0)
    reader.fail('bad-references', 'the number of references does not fit the height');
  if (number > 0) reader.view8(number * CHUNK_ID_BYTES);
}

/** Returns the id in 16 bytes of `bytes`. */
export function chunkIdAt(bytes: Uint8Array, offset: number): ChunkId {
  return toHex(bytes, offset, offset + CHUNK_ID_BYTES) as ChunkId;
}

/** Returns the 16 bytes of an id. */
export function idBytes(id: ChunkId): Uint8Array {
  const bytes = new Uint8Array(CHUNK_ID_BYTES);
  writeHex(id, bytes, 0);
  return bytes;
}
