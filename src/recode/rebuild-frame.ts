/** Puts a frame of zstd together again, from its structure and its content. */
import type { ByteReader } from '../bytes/index.js';
import { encodeStreams } from './unpack-frame.js';
import {
  BLOCK_BYTES_MAX,
  BLOCK_HEADER_BYTES,
  CHECKSUM_BYTES,
  FRAME_HEADER_MAX,
  FrameState,
  type LiteralsHeader,
  readBlockHeader,
  readFrameHeader,
  readLiteralsHeader,
  streamLengths,
} from './zstd-frame.js';

/** Content in order. */
export interface ContentReader {
  /** Returns the next bytes, 128 KiB at most; throws `corrupt` where there are fewer. */
  take(count: number): Uint8Array;
}

export class FrameRebuilder {
  private readonly content: ContentReader;
  private readonly write: (bytes: Uint8Array) => void;
  private readonly state = new FrameState();

  constructor(content: ContentReader, write: (bytes: Uint8Array) => void) {
    this.content = content;
    this.write = write;
  }

  /** Writes the frame of a structure, all of which is used; throws `corrupt` for what is none. */
  rebuild(structure: ByteReader): void {
    const { state } = this;
    const { bytes, offset } = structure;
    const head = bytes.subarray(offset, Math.min(structure.end, offset + FRAME_HEADER_MAX));
    const frame = readFrameHeader(head) ?? bad(structure);
    this.write(structure.view8(frame.bytes));
    state.begin();
    for (let isLast = false; !isLast; ) {
      const header = structure.view8(BLOCK_HEADER_BYTES);
      const block = readBlockHeader(header, 0) ?? bad(structure);
      this.write(header);
      if (block.kind === 'compressed') this.rebuildCompressed(block.size, structure);
      else if (block.kind === 'raw') this.write(this.content.take(block.size));
      else {
        this.write(structure.view8(1));
        this.content.take(block.size);
      }
      isLast = block.isLast;
    }
    if (frame.hasChecksum) this.write(structure.view8(CHECKSUM_BYTES));
    if (structure.remaining > 0) bad(structure);
  }

  private rebuildCompressed(size: number, structure: ByteReader): void {
    const { sequences, tables } = this.state;
    const header = readLiteralsHeader(structure.bytes, structure.offset, structure.end) ?? bad(structure);
    if (header.count > BLOCK_BYTES_MAX) bad(structure);
    this.write(structure.view8(header.bytes));
    const prefix = this.readPrefix(header, structure);
    const start = structure.offset;
    structure.view8(size - header.bytes - header.stored);
    if (!sequences.read(structure.bytes, start, structure.offset, tables)) bad(structure);
    if (header.count + sequences.matchBytes > BLOCK_BYTES_MAX) bad(structure);
    const literals = this.takeLiterals(header.count, structure);
    this.write(prefix);
    if (header.kind === 'raw') this.write(literals);
    else if (header.kind !== 'repeated')
      this.writeCoded(header, header.stored - prefix.length, literals, structure);
    this.write(structure.bytes.subarray(start, structure.offset));
  }

  /** Returns what is in front of the streams of literals: a code, or the byte that all of them are. */
  private readPrefix({ kind }: LiteralsHeader, structure: ByteReader): Uint8Array {
    if (kind === 'raw') return structure.view8(0);
    if (kind === 'repeated') return structure.view8(1);
    const { bytes, offset, end } = structure;
    return structure.view8(this.state.readCode(kind, bytes, offset, end) ?? bad(structure));
  }

  /** Returns those bytes of a block's content that are literals. */
  private takeLiterals(count: number, structure: ByteReader): Uint8Array {
    const { sequences } = this.state;
    const content = this.content.take(count + sequences.matchBytes);
    if (sequences.count === 0) return content;
    const literals = this.state.literals(count);
    let from = 0;
    let done = 0;
    for (let index = 0; index < sequences.count; index++) {
      const length = sequences.literals[index];
      if (length > count - done) bad(structure);
      literals.set(content.subarray(from, from + length), done);
      done += length;
      from += length + sequences.matches[index];
    }
    literals.set(content.subarray(from), done);
    return literals;
  }

  private writeCoded(
    { count, streams }: LiteralsHeader,
    stored: number,
    literals: Uint8Array,
    structure: ByteReader,
  ): void {
    const { code } = this.state;
    const encoded = this.state.encoded(count);
    const lengths = streamLengths(count, streams);
    if (code === undefined || lengths === undefined) bad(structure);
    const length = encodeStreams(code, lengths, literals, encoded);
    if (length !== stored) bad(structure);
    this.write(encoded.subarray(0, length));
  }
}

function bad(structure: ByteReader): never {
  return structure.fail('bad-structure', 'the structure of a frame does not fit its content');
}
