/** What frames of zstd consist of: RFC 8878, section 3.1.1. */
import { type HuffmanCode, readHuffmanCode } from './huffman-literals.js';
import { Sequences, type SequenceTables } from './sequences.js';

export const FRAME_MAGIC = [0x28, 0xb5, 0x2f, 0xfd] as const;
/** Magic, descriptor, window, dictionary, size. */
export const FRAME_HEADER_MAX = 18;
export const CHECKSUM_BYTES = 4;
export const BLOCK_HEADER_BYTES = 3;
export const BLOCK_BYTES_MAX = 128 * 1024;
/** Bytes before the current one that copies may be made of: guards memory. Levels up to 19 need 8 MiB. */
const WINDOW_MAX = 32 * 2 ** 20;
/** Sizes of the first three of four streams of literals. */
export const JUMP_BYTES = 6;

export interface FrameHeader {
  bytes: number;
  /** How far back copies may reach, as far as it is kept here. */
  window: number;
  hasChecksum: boolean;
}

/** Reads the header at the start of `bytes`; undefined where there is none, it is cut off, or the frame needs a dictionary. */
export function readFrameHeader(bytes: Uint8Array): FrameHeader | undefined {
  if (bytes.length < 6 || FRAME_MAGIC.some((byte, at) => bytes[at] !== byte)) return undefined;
  const descriptor = bytes[4];
  const isSingle = (descriptor & 32) !== 0;
  if ((descriptor & 8) !== 0 || (descriptor & 3) !== 0) return undefined;
  let at = isSingle ? 5 : 6;
  const sizeCode = descriptor >> 6;
  const sizeBytes = sizeCode === 0 ? (isSingle ? 1 : 0) : 1 << sizeCode;
  if (at + sizeBytes > bytes.length) return undefined;
  let size = sizeCode === 1 ? 256 : 0;
  for (let index = 0; index < sizeBytes; index++) size += bytes[at + index] * 2 ** (8 * index);
  at += sizeBytes;
  const exponent = 2 ** (10 + (bytes[5] >> 3));
  const window = isSingle ? size : exponent + (exponent / 8) * (bytes[5] & 7);
  const hasChecksum = (descriptor & 4) !== 0;
  return { bytes: at, window: Math.min(window, WINDOW_MAX), hasChecksum };
}

export type BlockKind = 'raw' | 'repeated' | 'compressed';

export interface BlockHeader {
  isLast: boolean;
  kind: BlockKind;
  /** Bytes of the block; of a repeated byte, its times. */
  size: number;
}

/** Returns what three bytes say; undefined for what is reserved. */
export function readBlockHeader(bytes: Uint8Array, at: number): BlockHeader | undefined {
  const word = bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16);
  const kind = (['raw', 'repeated', 'compressed'] as const)[(word >> 1) & 3];
  const size = word >> 3;
  if (kind === undefined || size > BLOCK_BYTES_MAX) return undefined;
  return { isLast: (word & 1) === 1, kind, size };
}

export interface LiteralsHeader {
  kind: 'raw' | 'repeated' | 'coded' | 'coded-again';
  bytes: number;
  /** Literals. */
  count: number;
  /** Bytes of what follows the header. */
  stored: number;
  streams: 1 | 4;
}

/** Reads the header of a block's literals; undefined for what is none or does not fit. */
export function readLiteralsHeader(bytes: Uint8Array, at: number, end: number): LiteralsHeader | undefined {
  if (at >= end) return undefined;
  const form = (bytes[at] >> 2) & 3;
  const kind = (['raw', 'repeated', 'coded', 'coded-again'] as const)[bytes[at] & 3];
  const isCoded = kind === 'coded' || kind === 'coded-again';
  const length = isCoded ? [3, 3, 4, 5][form] : [1, 2, 1, 3][form];
  if (at + length > end) return undefined;
  let word = 0;
  for (let index = 0; index < length; index++) word += bytes[at + index] * 2 ** (8 * index);
  if (!isCoded) {
    const count = Math.floor(word / (form % 2 === 0 ? 8 : 16));
    return { kind, bytes: length, count, stored: kind === 'raw' ? count : 1, streams: 1 };
  }
  const field = 2 ** [10, 10, 14, 18][form];
  const count = Math.floor(word / 16) % field;
  return { kind, bytes: length, count, stored: Math.floor(word / 16 / field), streams: form === 0 ? 1 : 4 };
}

/** What blocks of a frame leave to those after them, and where one is decoded. */
export class FrameState {
  code: HuffmanCode | undefined;
  readonly tables: SequenceTables = {};
  readonly sequences = new Sequences();
  private readonly blocks: Uint8Array[] = [];

  /** Returns memory for the literals of a block, used for that of the block before. */
  literals(count: number): Uint8Array {
    return this.memory(0, count);
  }

  /** Returns memory for the streams of literals. */
  encoded(count: number): Uint8Array {
    return this.memory(1, 2 * count + 64);
  }

  private memory(place: number, count: number): Uint8Array {
    const known = this.blocks[place];
    const bytes = known !== undefined && known.length >= count ? known : new Uint8Array(count);
    this.blocks[place] = bytes;
    return bytes.subarray(0, count);
  }

  /** Forgets the frame before. */
  begin(): void {
    this.code = undefined;
    this.tables.literals = undefined;
    this.tables.offsets = undefined;
    this.tables.matches = undefined;
  }

  /** Reads the code of literals, if they bring one; returns its bytes, undefined where there is none to use. */
  readCode(kind: LiteralsHeader['kind'], bytes: Uint8Array, start: number, end: number): number | undefined {
    if (kind === 'coded-again') return this.code === undefined ? undefined : 0;
    const read = readHuffmanCode(bytes, start, end);
    this.code = read?.code;
    return read?.used;
  }
}

/** Returns the literals of each of the streams that they are coded in; undefined for fewer than these take. */
export function streamLengths(count: number, streams: 1 | 4): number[] | undefined {
  if (streams === 1) return [count];
  const each = (count + 3) >> 2;
  return count < 6 ? undefined : [each, each, each, count - 3 * each];
}
