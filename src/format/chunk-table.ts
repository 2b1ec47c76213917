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

/** Appends the table of one pack's entries, which are in ascending order of offset. */
export function writeChunkTable(writer: ByteWriter, entries: readonly ChunkEntry[]): void {
  writer.varint(entries.length);
  for (const entry of entries) writer.bytes(idBytes(entry.id));
  let end = 0;
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

/** Yields the entries of a table one after the other; every number is bounded, heights and references are checked for sense. */
export function* readChunkTable(reader: ByteReader, pack: string): Generator<ChunkEntry> {
  const count = reader.varint();
  if (count * (CHUNK_ID_BYTES + 9) > reader.remaining)
    reader.fail('bad-count', 'a chunk table has too many entries');
  const ids = reader.view8(count * CHUNK_ID_BYTES);
  const { offsets, lengths } = readPlaces(reader, count);
  const rawLengths = new Uint32Array(count);
  for (let at = 0; at < count; at++) {
    const rawLength = reader.varint();
    if (rawLength > CHUNK_BYTES_MAX) reader.fail('bad-length', 'a chunk is larger than any chunk may be');
    rawLengths[at] = rawLength;
  }
  const heights = reader.view8(count);
  if (heights.some((height) => height > HEIGHT_MAX))
    reader.fail('bad-height', 'a chunk is higher than any chunk may be');
  const checksums = new Uint32Array(count);
  for (let at = 0; at < count; at++) checksums[at] = reader.u32();
  for (let at = 0; at < count; at++) {
    const number = reader.u8();
    if (number > REFERENCES_MAX || number > 0 !== heights[at] > 0)
      reader.fail('bad-references', 'the number of references does not fit the height');
    const references: ChunkId[] = [];
    while (references.length < number) references.push(readChunkId(reader));
    const id = toHex(ids, at * CHUNK_ID_BYTES, (at + 1) * CHUNK_ID_BYTES) as ChunkId;
    const [offset, length, rawLength] = [offsets[at], lengths[at], rawLengths[at]];
    const [height, checksum] = [heights[at], checksums[at]];
    yield { id, pack, offset, length, rawLength, height, references, checksum };
  }
}

function readPlaces(reader: ByteReader, count: number): { offsets: Float64Array; lengths: Float64Array } {
  const [offsets, lengths] = [new Float64Array(count), new Float64Array(count)];
  for (let at = 0; at < count; at++) offsets[at] = reader.varint();
  for (let at = 0, end = 0; at < count; at++) {
    lengths[at] = reader.varint();
    offsets[at] += end;
    end = offsets[at] + lengths[at];
    if (!Number.isSafeInteger(end)) reader.fail('bad-offset', 'a chunk lies beyond any pack');
  }
  return { offsets, lengths };
}

/** Reads one 16-byte id. */
export function readChunkId(reader: ByteReader): ChunkId {
  return toHex(reader.view8(CHUNK_ID_BYTES)) as ChunkId;
}

/** Returns the 16 bytes of an id. */
export function idBytes(id: ChunkId): Uint8Array {
  const bytes = new Uint8Array(CHUNK_ID_BYTES);
  writeHex(id, bytes, 0);
  return bytes;
}
