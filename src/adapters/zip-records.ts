/**
 * The records of a zip file as plain values: end of central directory (also ZIP64), directory entries, local headers.
 * Source: PKWARE APPNOTE 6.3.10, sections 4.3 and 4.5.3.
 */
import { ByteReader } from '../bytes/index.js';
import { corrupt, ThetalogError } from '../errors.js';

export const LOCAL_SIGNATURE = 0x04034b50;
export const LOCAL_HEADER_BYTES = 30;
export const END_BYTES = 22;
export const ZIP64_LOCATOR_BYTES = 20;
export const ZIP64_END_BYTES = 56;
const ENTRY_SIGNATURE = 0x02014b50;
const END_SIGNATURE = 0x06054b50;
const ZIP64_END_SIGNATURE = 0x06064b50;
const ZIP64_LOCATOR_SIGNATURE = 0x07064b50;

/** Encrypted, a patch, strongly encrypted, an encrypted directory. */
const FLAGS_UNREADABLE = 0x2061;
/** MS-DOS's mark of a directory: readers that go by it find nothing in the record. */
const ATTRIBUTE_DIRECTORY = 0x10;
const FLAG_DESCRIPTOR = 8;
const FLAG_UTF8 = 0x800;
const EXTRA_ZIP64 = 1;
const FULL_16 = 0xffff;
const FULL_32 = 0xffffffff;

/** Bytes of a record name. Real ones are module paths; the field allows 65,535, which only an attack on memory needs. */
const NAME_BYTES_MAX = 4096;

/** What an end-of-central-directory record says; the ZIP64 form has the same fields, wider. */
export interface DirectoryPlace {
  entryCount: number;
  directoryBytes: number;
  directoryOffset: number;
}

/** One entry of the central directory. */
export interface DirectoryEntry {
  name: string;
  /** Not compressed. */
  stored: boolean;
  method: number;
  hasDescriptor: boolean;
  crc: number;
  compressedBytes: number;
  bytes: number;
  localOffset: number;
  nameBytes: Uint8Array;
}

/** A local header as far as it must agree with the directory. */
export interface LocalHeader {
  method: number;
  hasDescriptor: boolean;
  crc: number;
  compressedBytes: number;
  bytes: number;
  nameBytes: Uint8Array;
  extraBytes: number;
}

/** Finds the end record in the file's last bytes: the last signature whose comment ends exactly with the file. */
export function findEndRecord(tail: Uint8Array): number {
  for (let at = tail.length - END_BYTES; at >= 0; at--) {
    if (tail[at] !== 0x50 || tail[at + 1] !== 0x4b || tail[at + 2] !== 5 || tail[at + 3] !== 6) continue;
    if (tail[at + 20] + tail[at + 21] * 256 === tail.length - at - END_BYTES) return at;
  }
  return -1;
}

/** Reads an end record, `wide` if there is one of ZIP64, too. Archives in several parts are refused. */
export function readEndRecord(reader: ByteReader, wide: boolean): DirectoryPlace {
  const start = reader.offset;
  if (reader.u32() !== END_SIGNATURE) reader.fail('zip-end', 'no end of central directory', start);
  const disks = [reader.u16(), reader.u16()];
  const entryCounts = [reader.u16(), reader.u16()];
  const single =
    disks.every((disk) => disk === 0 || (wide && disk === FULL_16)) && entryCounts[0] === entryCounts[1];
  if (!single) throw severalParts(reader.object);
  return { entryCount: entryCounts[1], directoryBytes: reader.u32(), directoryOffset: reader.u32() };
}

/** Reads a ZIP64 locator and returns where the ZIP64 end record is said to be; undefined without a locator. */
export function readZip64Locator(reader: ByteReader): number | undefined {
  if (reader.u32() !== ZIP64_LOCATOR_SIGNATURE) return undefined;
  const disk = reader.u32();
  const offset = reader.u64();
  const diskCount = reader.u32();
  if (disk !== 0 || diskCount !== 1) throw severalParts(reader.object);
  return offset;
}

/** Reads a ZIP64 end record, which must agree with the plain one wherever that one is not full. */
export function readZip64End(reader: ByteReader, plain: DirectoryPlace): DirectoryPlace {
  const start = reader.offset;
  if (reader.u32() !== ZIP64_END_SIGNATURE)
    reader.fail('zip-end', 'the ZIP64 end record is not where its locator says', start);
  const size = reader.u64();
  if (size !== ZIP64_END_BYTES - 12)
    reader.fail('zip-end', `a ZIP64 end record of ${size} bytes is not known`, start);
  reader.view8(4);
  if (reader.u32() !== 0 || reader.u32() !== 0) throw severalParts(reader.object);
  const entryCount = reader.u64();
  if (reader.u64() !== entryCount) throw severalParts(reader.object);
  const place = { entryCount, directoryBytes: reader.u64(), directoryOffset: reader.u64() };
  const agrees =
    [entryCount, FULL_16].includes(plain.entryCount) &&
    [place.directoryBytes, FULL_32].includes(plain.directoryBytes) &&
    [place.directoryOffset, FULL_32].includes(plain.directoryOffset);
  if (!agrees) reader.fail('zip-end', 'the two end records of the zip disagree', start);
  return place;
}

function severalParts(object: string): ThetalogError {
  const message = `${object}: a zip archive in several parts is not supported`;
  return new ThetalogError('unsupported', 'zip-multi-part', message, { object });
}

function encrypted(object: string, offset: number): ThetalogError {
  const message = `${object}: a zip archive with encrypted records is not supported`;
  return new ThetalogError('unsupported', 'zip-encrypted', message, { object, offset });
}

/** Reads one entry of the central directory. */
export function readDirectoryEntry(reader: ByteReader): DirectoryEntry {
  const start = reader.offset;
  if (reader.u32() !== ENTRY_SIGNATURE)
    reader.fail('zip-directory', 'no entry where the directory needs one', start);
  reader.view8(4);
  const flags = reader.u16();
  const method = reader.u16();
  reader.view8(4);
  const crc = reader.u32();
  const sizes = { compressedBytes: reader.u32(), bytes: reader.u32(), localOffset: 0 };
  const nameLength = reader.u16();
  const extraLength = reader.u16();
  const commentLength = reader.u16();
  const disk = reader.u16();
  if (disk !== 0) throw severalParts(reader.object);
  reader.u16();
  const attributes = reader.u32();
  sizes.localOffset = reader.u32();
  if (nameLength > NAME_BYTES_MAX)
    reader.fail('zip-name', `a record name of ${nameLength} bytes is too long`, start);
  const nameBytes = reader.view8(nameLength);
  widen(reader, extraLength, sizes);
  reader.view8(commentLength);
  if ((flags & FLAGS_UNREADABLE) !== 0) throw encrypted(reader.object, start);
  if ((attributes & ATTRIBUTE_DIRECTORY) !== 0 && sizes.bytes > 0)
    reader.fail('zip-directory', 'a record that is a directory and has content', start);
  const stored = method === 0;
  if (stored && sizes.compressedBytes !== sizes.bytes)
    reader.fail('zip-entry-size', 'a stored record has two different sizes', start);
  const name = decodeName(nameBytes, (flags & FLAG_UTF8) !== 0, reader, start);
  return { name, stored, method, hasDescriptor: (flags & FLAG_DESCRIPTOR) !== 0, crc, ...sizes, nameBytes };
}

/** Reads a local header whose extra field follows; `bytes` must hold the header, the name and the extra field. */
export function readLocalHeader(reader: ByteReader): LocalHeader {
  const start = reader.offset;
  if (reader.u32() !== LOCAL_SIGNATURE)
    reader.fail('zip-local-header', 'no record where the directory says', start);
  reader.view8(2);
  const flags = reader.u16();
  const method = reader.u16();
  reader.view8(4);
  const crc = reader.u32();
  const sizes = { compressedBytes: reader.u32(), bytes: reader.u32() };
  const nameLength = reader.u16();
  const extraBytes = reader.u16();
  const nameBytes = reader.view8(nameLength);
  widen(reader, extraBytes, sizes);
  return { method, hasDescriptor: (flags & FLAG_DESCRIPTOR) !== 0, crc, ...sizes, nameBytes, extraBytes };
}

interface WideSizes {
  compressedBytes: number;
  bytes: number;
  localOffset?: number;
}

/** Replaces full 32-bit sizes by those of the ZIP64 extra field, which holds only the full ones, in a fixed order. */
function widen(reader: ByteReader, extraLength: number, sizes: WideSizes): void {
  const extra = new ByteReader(reader.view8(extraLength), reader.object);
  while (extra.remaining >= 4) {
    const id = extra.u16();
    const length = extra.u16();
    if (length > extra.remaining) return;
    const field = new ByteReader(extra.view8(length), reader.object);
    if (id !== EXTRA_ZIP64) continue;
    if (sizes.bytes === FULL_32 && field.remaining >= 8) sizes.bytes = field.u64();
    if (sizes.compressedBytes === FULL_32 && field.remaining >= 8) sizes.compressedBytes = field.u64();
    if (sizes.localOffset === FULL_32 && field.remaining >= 8) sizes.localOffset = field.u64();
    return;
  }
}

/** Names without the UTF-8 flag are in an unknown 8-bit code; as Latin-1 they stay distinct. */
function decodeName(bytes: Uint8Array, utf8: boolean, reader: ByteReader, at: number): string {
  if (!utf8) return String.fromCharCode(...bytes);
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw corrupt('zip-name', 'a record name is not valid UTF-8', reader.object, at);
  }
}
