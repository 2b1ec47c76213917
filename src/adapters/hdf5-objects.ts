/**
 * Object headers of HDF5: lists of messages, in one or several blocks. Source: HDF5 File Format Specification 3.0, section IV.A;
 * versions 1 (what h5py writes unless told otherwise) and 2. Only 8-byte offsets and lengths, which all known writers use.
 */
import { ByteReader } from '../bytes/index.js';
import { corrupt } from '../errors.js';
import type { RandomAccess } from './adapter.js';

/** Guards memory against one block that claims to be all of a large file. Messages are at most 64 KiB each. */
const BLOCK_BYTES_MAX = 16 * 2 ** 20;
const BLOCKS_MAX = 1000;
const MESSAGE_CONTINUATION = 0x10;
const FLAG_SHARED = 2;
const OHDR = 0x5244484f;

/** What h5py calls an undefined address. */
const UNDEFINED = 2n ** 64n - 1n;

/** A message of an object; the reader covers its content. */
export interface ObjectMessage {
  type: number;
  /** Its content is elsewhere. */
  isShared: boolean;
  content: ByteReader;
}

/** An HDF5 file, which may lie inside another: addresses count from its own first byte. */
export class Hdf5Source {
  readonly name: string;
  readonly size: number;
  private readonly file: RandomAccess;
  private readonly start: number;
  /** Every byte is needed about once; what is read more often runs in circles. */
  private budget: number;

  constructor(file: RandomAccess, start: number, size: number) {
    this.file = file;
    this.name = file.name;
    this.start = start;
    this.size = size;
    this.budget = 2 * size + 65_536;
  }

  async read(address: number, length: number): Promise<ByteReader> {
    if (length > BLOCK_BYTES_MAX) throw this.damaged('hdf5-block', `a block of ${length} bytes`, address);
    if (address > this.size || length > this.size - address)
      throw this.damaged(
        'truncated',
        `needs ${length} bytes at offset ${address}`,
        Math.min(address, this.size),
      );
    this.budget -= length;
    if (this.budget < 0)
      throw this.damaged('hdf5-circle', 'its parts name one another again and again', address);
    const bytes = await this.file.read(this.start + address, length);
    return new ByteReader(bytes, this.name, 0, length, this.start + address);
  }

  /** Where an address is in the file around it. */
  offsetOf(address: number): number {
    return this.start + address;
  }

  damaged(code: string, message: string, address: number): Error {
    return corrupt(code, message, this.name, this.start + Math.min(address, this.size));
  }
}

/** Reads an address; undefined where nothing is stored. */
export function readAddress(reader: ByteReader): number | undefined {
  const at = reader.offset;
  const address = reader.bigU64();
  if (address === UNDEFINED) return undefined;
  if (address > BigInt(Number.MAX_SAFE_INTEGER))
    reader.fail('number-too-large', 'an address is out of range', at);
  return Number(address);
}

/** Reads all messages of the object whose header is at `address`. */
export async function readMessages(file: Hdf5Source, address: number): Promise<ObjectMessage[]> {
  const prefix = await file.read(address, 16);
  const isSecond = prefix.u32() === OHDR;
  prefix.offset = 0;
  const header = isSecond ? await secondHeader(file, address) : firstHeader(prefix, address);
  const messages: ObjectMessage[] = [];
  const blocks = [header.block];
  for (const { at, length } of blocks) {
    if (blocks.length > BLOCKS_MAX)
      throw file.damaged('hdf5-header', 'an object in too many blocks', address);
    const reader = await file.read(at, length);
    for (const message of header.split(reader)) {
      if (message.type === MESSAGE_CONTINUATION)
        blocks.push(header.next(message.content.u64(), message.content.u64(), message.content));
      else messages.push(message);
    }
  }
  return messages;
}

interface Block {
  at: number;
  length: number;
}

interface Header {
  block: Block;
  split(reader: ByteReader): Generator<ObjectMessage>;
  /** The block of messages in a continuation. */
  next(at: number, length: number, reader: ByteReader): Block;
}

function firstHeader(prefix: ByteReader, address: number): Header {
  if (prefix.u8() !== 1) prefix.fail('hdf5-header', 'no header of an object', 0);
  prefix.view8(7);
  return {
    block: { at: address + 16, length: prefix.u32() },
    *split(reader) {
      while (reader.remaining >= 8) {
        const type = reader.u16();
        const length = reader.u16();
        const flags = reader.u8();
        reader.view8(3);
        yield { type, isShared: (flags & FLAG_SHARED) !== 0, content: reader.inner(length) };
      }
    },
    next: (at, length) => ({ at, length }),
  };
}

async function secondHeader(file: Hdf5Source, address: number): Promise<Header> {
  // The longest prefix: signature, version, flags, four times, two counts, eight bytes of length.
  const prefix = await file.read(address, Math.min(34, file.size - address));
  prefix.view8(4);
  if (prefix.u8() !== 2) prefix.fail('hdf5-header', 'a version that is not known', 4);
  const flags = prefix.u8();
  if ((flags & 0x20) !== 0) prefix.view8(16);
  if ((flags & 0x10) !== 0) prefix.view8(4);
  const length = readWidth(prefix, flags & 3);
  return {
    block: { at: address + prefix.offset, length },
    *split(reader) {
      const ordered = (flags & 4) !== 0;
      while (reader.remaining >= (ordered ? 6 : 4)) {
        const type = reader.u8();
        const size = reader.u16();
        const messageFlags = reader.u8();
        if (ordered) reader.u16();
        yield { type, isShared: (messageFlags & FLAG_SHARED) !== 0, content: reader.inner(size) };
      }
    },
    // A signature in front, a checksum behind.
    next(at, total, reader) {
      if (total < 8) reader.fail('hdf5-header', 'a block without room for its checksum');
      return { at: at + 4, length: total - 8 };
    },
  };
}

/** Reads a number of 1, 2, 4 or 8 bytes: 2 to the power of `exponent`. */
export function readWidth(reader: ByteReader, exponent: number): number {
  if (exponent === 0) return reader.u8();
  if (exponent === 1) return reader.u16();
  return exponent === 2 ? reader.u32() : reader.u64();
}
