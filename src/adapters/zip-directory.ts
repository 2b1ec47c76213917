/**
 * A strict reader of zip directories. It answers one question, where the bytes of each record lie, and believes the
 * directory only where the local headers agree and no two records share a byte. It checks no checksum: the engine keeps
 * the bytes whatever they are (torch can be told to write wrong ones).
 *
 * Bytes in front of the first record are refused as in torch's reader, which takes all offsets from the start of the
 * file.
 */
import { ByteReader } from '../bytes/index.js';
import { corrupt, type ThetalogError } from '../errors.js';
import type { RandomAccess } from './adapter.js';
import {
  type DirectoryEntry,
  type DirectoryPlace,
  END_BYTES,
  findEndRecord,
  LOCAL_HEADER_BYTES,
  type LocalHeader,
  readDirectoryEntry,
  readEndRecord,
  readLocalHeader,
  readZip64End,
  readZip64Locator,
  ZIP64_END_BYTES,
  ZIP64_LOCATOR_BYTES,
} from './zip-records.js';

/** Records of one archive. The largest checkpoints have one per storage, some 100,000; guards memory. */
const ENTRIES_MAX = 500_000;
/** Bytes of a central directory; guards memory against a large file that claims to be all directory. */
const DIRECTORY_BYTES_MAX = 256 * 2 ** 20;
/** The longest comment of a zip file: 16 bits. */
const COMMENT_BYTES_MAX = 65_535;
const SMALLEST_ENTRY_BYTES = 46;
const FULL_32 = 0xffffffff;

/** A record of the archive, with the place of its bytes in the file. */
export interface ZipEntry extends DirectoryEntry {
  dataOffset: number;
}

/** Returns true for the first bytes of a zip file with at least one record. */
export function looksLikeZip(head: Uint8Array): boolean {
  return head.length >= 4 && head[0] === 0x50 && head[1] === 0x4b && head[2] === 3 && head[3] === 4;
}

/** Returns the name of the first record as far as `head` holds it. */
export function firstRecordName(head: Uint8Array): string {
  if (!looksLikeZip(head) || head.length < LOCAL_HEADER_BYTES) return '';
  const length = head[26] + head[27] * 256;
  return String.fromCharCode(...head.subarray(LOCAL_HEADER_BYTES, LOCAL_HEADER_BYTES + length));
}

/** Reads all entries, in the order of the directory. Throws `corrupt` for whatever does not agree with itself. */
export async function readZipDirectory(source: RandomAccess): Promise<ZipEntry[]> {
  const { place, end } = await findDirectory(source);
  if (place.entryCount > ENTRIES_MAX || place.directoryBytes > DIRECTORY_BYTES_MAX)
    throw corrupt('zip-directory', 'the directory is too large', source.name, end);
  if (place.directoryOffset + place.directoryBytes !== end)
    throw corrupt(
      'zip-directory',
      'the directory does not end where its end record begins',
      source.name,
      end,
    );
  if (place.entryCount * SMALLEST_ENTRY_BYTES > place.directoryBytes)
    throw corrupt('zip-directory', `no room for ${place.entryCount} entries`, source.name, end);
  const bytes = await source.read(place.directoryOffset, place.directoryBytes);
  const reader = new ByteReader(bytes, source.name, 0, bytes.length, place.directoryOffset);
  const names = new Set<string>();
  const entries: DirectoryEntry[] = [];
  for (let index = 0; index < place.entryCount; index++) {
    const start = reader.offset;
    const entry = readDirectoryEntry(reader);
    if (names.has(entry.name)) reader.fail('zip-duplicate', `${entry.name} occurs twice`, start);
    names.add(entry.name);
    entries.push(entry);
  }
  if (reader.remaining > 0) reader.fail('zip-directory', 'the directory holds more than its entries');
  return placeEntries(entries, place.directoryOffset, source);
}

/** Returns what the end records say and where the first of them begins. */
async function findDirectory(source: RandomAccess): Promise<{ place: DirectoryPlace; end: number }> {
  const tailBytes = Math.min(source.size, END_BYTES + COMMENT_BYTES_MAX);
  const tailOffset = source.size - tailBytes;
  const tail = await source.read(tailOffset, tailBytes);
  const endAt = findEndRecord(tail);
  if (endAt < 0) throw corrupt('zip-end', 'no end of central directory: cut off?', source.name, source.size);
  const endOffset = tailOffset + endAt;
  const endReader = new ByteReader(tail, source.name, endAt, tail.length, tailOffset);
  const locatorOffset = endOffset - ZIP64_LOCATOR_BYTES;
  const wideOffset = await findZip64End(locatorOffset, source);
  const plain = readEndRecord(endReader, wideOffset !== undefined);
  if (wideOffset === undefined) return { place: plain, end: endOffset };
  if (wideOffset + ZIP64_END_BYTES !== locatorOffset)
    throw corrupt(
      'zip-end',
      'the ZIP64 end record is not in front of its locator',
      source.name,
      locatorOffset,
    );
  const wide = await source.read(wideOffset, ZIP64_END_BYTES);
  const reader = new ByteReader(wide, source.name, 0, wide.length, wideOffset);
  return { place: readZip64End(reader, plain), end: wideOffset };
}

/** Where the ZIP64 end record is said to be; undefined where no locator is. */
async function findZip64End(locatorOffset: number, source: RandomAccess): Promise<number | undefined> {
  if (locatorOffset < ZIP64_END_BYTES) return undefined;
  const locator = await source.read(locatorOffset, ZIP64_LOCATOR_BYTES);
  return readZip64Locator(new ByteReader(locator, source.name, 0, locator.length, locatorOffset));
}

/** Reads the local headers, in file order, and checks that the records lie one after the other. */
async function placeEntries(
  entries: readonly DirectoryEntry[],
  limit: number,
  source: RandomAccess,
): Promise<ZipEntry[]> {
  const placed: ZipEntry[] = [];
  let end = 0;
  const order = entries.map((_, index) => index);
  order.sort((a, b) => entries[a].localOffset - entries[b].localOffset);
  for (const index of order) {
    const entry = entries[index];
    const { name, localOffset } = entry;
    if (localOffset < end)
      throw corrupt('zip-overlap', `${name} begins inside another record`, source.name, localOffset);
    if (end === 0 && localOffset !== 0)
      throw corrupt('zip-prefix', 'the first record is not at the start of the file', source.name, 0);
    const dataOffset = await findData(entry, source);
    end = dataOffset + entry.compressedBytes;
    if (end > limit)
      throw corrupt('zip-overlap', `${name} reaches into the directory`, source.name, localOffset);
    placed[index] = { ...entry, dataOffset };
  }
  return placed;
}

async function findData(entry: DirectoryEntry, source: RandomAccess): Promise<number> {
  const { localOffset, nameBytes } = entry;
  const fixedBytes = LOCAL_HEADER_BYTES + nameBytes.length;
  const fixed = await source.read(localOffset, fixedBytes);
  if (fixed[26] + fixed[27] * 256 !== nameBytes.length) throw disagrees(entry, 'name', source);
  const extraLength = fixed[28] + fixed[29] * 256;
  const needsExtra = !entry.hasDescriptor && new ByteReader(fixed, source.name, 18).u32() === FULL_32;
  const bytes = new Uint8Array(fixedBytes + extraLength);
  bytes.set(fixed);
  if (needsExtra) bytes.set(await source.read(localOffset, bytes.length));
  const header = readLocalHeader(new ByteReader(bytes, source.name, 0, bytes.length, localOffset));
  const disagreement = findDisagreement(entry, header);
  if (disagreement !== undefined) throw disagrees(entry, disagreement, source);
  return localOffset + fixedBytes + header.extraBytes;
}

function disagrees(entry: DirectoryEntry, what: string, source: RandomAccess): ThetalogError {
  const message = `${entry.name}: the local header has another ${what} than the directory`;
  return corrupt('zip-local-header', message, source.name, entry.localOffset);
}

/** A writer that streams (torch does) leaves checksum and sizes in the local header empty and appends them. */
function findDisagreement(entry: DirectoryEntry, header: LocalHeader): string | undefined {
  const streamed = entry.hasDescriptor;
  const same = (local: number, wanted: number): boolean =>
    local === wanted || (streamed && (local === 0 || local === FULL_32));
  if (!sameBytes(entry.nameBytes, header.nameBytes)) return 'name';
  if (entry.method !== header.method) return 'compression method';
  if (streamed !== header.hasDescriptor) return 'flag';
  if (!same(header.crc, entry.crc)) return 'checksum';
  const sizes = same(header.bytes, entry.bytes) && same(header.compressedBytes, entry.compressedBytes);
  return sizes ? undefined : 'size';
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}
