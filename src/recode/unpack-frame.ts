/** Takes a frame of zstd apart into its content and its structure: all of its bytes but those that follow from both. */
import type { ByteWriter } from '../bytes/index.js';
import { decodeStream, encodeStream, type HuffmanCode } from './huffman-literals.js';
import type { ContentBuffer, InputWindow } from './streams.js';
import {
  BLOCK_BYTES_MAX,
  BLOCK_HEADER_BYTES,
  type BlockHeader,
  CHECKSUM_BYTES,
  FRAME_HEADER_MAX,
  FrameState,
  JUMP_BYTES,
  type LiteralsHeader,
  readBlockHeader,
  readFrameHeader,
  readLiteralsHeader,
  streamLengths,
} from './zstd-frame.js';

export class FrameUnpacker {
  private readonly input: InputWindow;
  private readonly content: ContentBuffer;
  private readonly state = new FrameState();
  /** The last three offsets, the newest first. */
  private readonly recent = [1, 4, 8];

  constructor(input: InputWindow, content: ContentBuffer) {
    this.input = input;
    this.content = content;
  }

  /**
   * Appends the content and the structure of the frame that begins at `offset`; returns where it ends, undefined where no frame is
   * that comes back from them: what was appended is to be taken back then. Structure and content must not go on beyond these ends.
   */
  unpack(
    offset: number,
    structure: ByteWriter,
    ends: { structure: number; content: number },
  ): number | undefined {
    const { input, state, content, recent } = this;
    const head = input.view(offset, Math.min(FRAME_HEADER_MAX, input.size - offset));
    const frame = head && readFrameHeader(head);
    if (head === undefined || frame === undefined) return undefined;
    structure.bytes(head.subarray(0, frame.bytes));
    state.begin();
    content.begin(frame.window);
    recent.splice(0, 3, 1, 4, 8);
    let at = offset + frame.bytes;
    for (let isLast = false; !isLast; ) {
      const bytes = input.view(at, BLOCK_HEADER_BYTES);
      const block = bytes && readBlockHeader(bytes, 0);
      if (bytes === undefined || block === undefined) return undefined;
      if (structure.length > ends.structure || content.position > ends.content) return undefined;
      structure.bytes(bytes);
      at += BLOCK_HEADER_BYTES;
      const length = block.kind === 'repeated' ? 1 : block.size;
      const stored = input.view(at, length);
      if (stored === undefined || !this.unpackBlock(block, stored, structure)) return undefined;
      at += length;
      isLast = block.isLast;
    }
    if (!frame.hasChecksum) return at;
    const checksum = input.view(at, CHECKSUM_BYTES);
    if (checksum === undefined) return undefined;
    structure.bytes(checksum);
    return at + CHECKSUM_BYTES;
  }

  private unpackBlock({ kind, size }: BlockHeader, stored: Uint8Array, structure: ByteWriter): boolean {
    if (kind === 'compressed') return this.unpackCompressed(stored, structure);
    if (kind === 'raw') this.content.append(stored);
    else {
      structure.bytes(stored);
      this.content.room(size).fill(stored[0]);
    }
    return true;
  }

  private unpackCompressed(stored: Uint8Array, structure: ByteWriter): boolean {
    const { sequences, tables } = this.state;
    const header = readLiteralsHeader(stored, 0, stored.length);
    if (header === undefined || header.count > BLOCK_BYTES_MAX) return false;
    const end = header.bytes + header.stored;
    if (end >= stored.length) return false;
    structure.bytes(stored.subarray(0, header.bytes));
    const literals = this.literalsOf(header, stored.subarray(header.bytes, end), structure);
    if (literals === undefined || !sequences.read(stored, end, stored.length, tables)) return false;
    structure.bytes(stored.subarray(end));
    return this.execute(literals);
  }

  /** Decodes the literals of a block, and adds to the structure what says how they were coded. */
  private literalsOf(
    { kind, count, streams }: LiteralsHeader,
    stored: Uint8Array,
    structure: ByteWriter,
  ): Uint8Array | undefined {
    const { state } = this;
    if (kind === 'raw') return stored;
    const literals = state.literals(count);
    if (kind === 'repeated') {
      structure.bytes(stored);
      return literals.fill(stored[0]);
    }
    const used = state.readCode(kind, stored, 0, stored.length);
    const { code } = state;
    if (used === undefined || code === undefined) return undefined;
    const lengths = streamLengths(count, streams);
    if (lengths === undefined || !decodeStreams(code, lengths, stored.subarray(used), literals))
      return undefined;
    structure.bytes(stored.subarray(0, used));
    const encoded = state.encoded(count);
    const length = encodeStreams(code, lengths, literals, encoded);
    return isEqual(encoded.subarray(0, length), stored.subarray(used)) ? literals : undefined;
  }

  /** Appends what literals and sequences say; false where they do not fit together. */
  private execute(literals: Uint8Array): boolean {
    const { content } = this;
    const { sequences } = this.state;
    if (literals.length + sequences.matchBytes > BLOCK_BYTES_MAX) return false;
    let used = 0;
    for (let index = 0; index < sequences.count; index++) {
      const length = sequences.literals[index];
      if (length > literals.length - used) return false;
      if (length > 0) content.append(literals.subarray(used, used + length));
      used += length;
      const offset = this.offsetOf(sequences.offsets[index], length);
      if (offset < 1 || !content.copy(offset, sequences.matches[index])) return false;
    }
    content.append(literals.subarray(used));
    return true;
  }

  /** Offsets are written as they are, or by their places among the last three: RFC 8878, section 3.1.1.5. */
  private offsetOf(written: number, literals: number): number {
    const { recent } = this;
    if (written > 3) {
      recent.unshift(written - 3);
      recent.pop();
      return recent[0];
    }
    const place = literals === 0 ? written : written - 1;
    if (place === 0) return recent[0];
    const offset = place === 3 ? recent[0] - 1 : recent[place];
    if (place === 3) recent.pop();
    else recent.splice(place, 1);
    recent.unshift(offset);
    return offset;
  }
}

function decodeStreams(
  code: HuffmanCode,
  lengths: readonly number[],
  stored: Uint8Array,
  literals: Uint8Array,
): boolean {
  if (lengths.length === 1) return decodeStream(code, stored, 0, stored.length, literals);
  if (stored.length < JUMP_BYTES) return false;
  let at = JUMP_BYTES;
  let done = 0;
  return lengths.every((length, stream) => {
    const own = stored[2 * stream] | (stored[2 * stream + 1] << 8);
    const end = stream === 3 ? stored.length : at + own;
    const isSound =
      end <= stored.length && decodeStream(code, stored, at, end, literals.subarray(done, done + length));
    at = end;
    done += length;
    return isSound;
  });
}

/** Encodes literals as zstd does; returns the bytes used of `target`. */
export function encodeStreams(
  code: HuffmanCode,
  lengths: readonly number[],
  literals: Uint8Array,
  target: Uint8Array,
): number {
  if (lengths.length === 1) return encodeStream(code, literals, target, 0);
  let at = JUMP_BYTES;
  let done = 0;
  for (const [stream, length] of lengths.entries()) {
    const end = encodeStream(code, literals.subarray(done, done + length), target, at);
    if (stream < 3) {
      target[2 * stream] = end - at;
      target[2 * stream + 1] = (end - at) >> 8;
    }
    at = end;
    done += length;
  }
  return at;
}

function isEqual(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let at = 0; at < a.length; at++) if (a[at] !== b[at]) return false;
  return true;
}
