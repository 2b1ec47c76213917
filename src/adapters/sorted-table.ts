/**
 * Sorted tables of LevelDB, as TensorFlow writes them: blocks of entries whose keys share prefixes, a block of where these blocks
 * are, a footer. Source: google/leveldb `doc/table_format.md`, `table/format.cc`; tensorflow/core/lib/io/format.cc. Checksums
 * are not looked at: the engine keeps the bytes whatever they are.
 */
import { ByteReader } from '../bytes/index.js';
import { corrupt, ThetalogError } from '../errors.js';
import type { RandomAccess } from './adapter.js';

const FOOTER_BYTES = 48;
const MAGIC = [0x57, 0xfb, 0x80, 0x8b, 0x24, 0x75, 0x47, 0xdb];
/** One of compression, four of checksum. */
const TRAILER_BYTES = 5;
/** Guards memory. Indexes of the largest models take some megabytes. */
const TABLE_BYTES_MAX = 256 * 2 ** 20;
/** Names of variables are paths. */
const KEY_BYTES_MAX = 65_536;
/** Bytes of all keys together: those that share their beginning take more of memory than of the file. */
const KEYS_BYTES_MAX = 2 ** 26;
/** Guards memory: an entry takes three bytes of the file, and hundreds here. */
const ENTRIES_MAX = 1_000_000;

/** An entry; the reader covers its value. */
export interface TableEntry {
  /** One character a byte: keys may be any bytes. */
  key: string;
  value: ByteReader;
}

/** Returns whether the file ends as a sorted table does. */
export async function isSortedTable(file: RandomAccess): Promise<boolean> {
  if (file.size < FOOTER_BYTES) return false;
  const tail = await file.read(file.size - MAGIC.length, MAGIC.length);
  return MAGIC.every((byte, index) => tail[index] === byte);
}

/** Reads all entries of a table, in order. */
export async function readSortedTable(file: RandomAccess): Promise<TableEntry[]> {
  if (!(await isSortedTable(file)))
    throw corrupt('table-footer', 'the end of a sorted table is not there', file.name, file.size);
  if (file.size > TABLE_BYTES_MAX) {
    const message = `${file.name}: a table of ${file.size} bytes is not read`;
    throw new ThetalogError('unsupported', 'table-too-large', message, { object: file.name, offset: 0 });
  }
  const bytes = await file.read(0, file.size);
  const footer = new ByteReader(bytes, file.name, bytes.length - FOOTER_BYTES);
  readHandle(footer);
  const index = readHandle(footer);
  const table = { bytes, object: file.name, keyBytes: 0, entries: 0 };
  const entries: TableEntry[] = [];
  let end = 0;
  for (const { value } of readBlock(table, index)) {
    const at = value.offset;
    const place = readHandle(value);
    // Blocks follow one another, so that none is read more than once.
    if (place.offset < end) value.fail('table-block', 'a block begins inside another', at);
    end = place.offset + place.size + TRAILER_BYTES;
    for (const entry of readBlock(table, place)) entries.push(entry);
  }
  return entries;
}

interface Table {
  bytes: Uint8Array;
  object: string;
  keyBytes: number;
  entries: number;
}

interface BlockPlace {
  offset: number;
  size: number;
}

function readHandle(reader: ByteReader): BlockPlace {
  return { offset: reader.varint(), size: reader.varint() };
}

function readBlock(table: Table, { offset, size }: BlockPlace): TableEntry[] {
  const { bytes, object } = table;
  const room = bytes.length - FOOTER_BYTES - TRAILER_BYTES;
  if (offset > room || size > room - offset || size < 4)
    throw corrupt(
      'table-block',
      `no block of ${size} bytes at offset ${offset}`,
      object,
      bytes.length - FOOTER_BYTES,
    );
  const compression = bytes[offset + size];
  if (compression !== 0) {
    const message = `${object}: a table with compressed blocks is not read`;
    throw new ThetalogError('unsupported', 'table-compressed', message, { object, offset: offset + size });
  }
  const tail = new ByteReader(bytes, object, offset + size - 4, offset + size);
  const restarts = tail.u32();
  if (restarts > (size - 4) / 4)
    tail.fail('table-block', `no room for ${restarts} restarts`, offset + size - 4);
  const reader = new ByteReader(bytes, object, offset, offset + size - 4 - 4 * restarts);
  return readEntries(reader, table);
}

function readEntries(reader: ByteReader, table: Table): TableEntry[] {
  const entries: TableEntry[] = [];
  let key = '';
  while (reader.remaining > 0) {
    const at = reader.offset;
    const shared = reader.varint();
    const added = reader.varint();
    const valueBytes = reader.varint();
    table.keyBytes += shared + added;
    if (shared > key.length || added > KEY_BYTES_MAX || shared + added > KEY_BYTES_MAX)
      reader.fail('table-key', 'a key shares more than the one before it has, or is too long', at);
    if (++table.entries > ENTRIES_MAX) reader.fail('table-entries', `more than ${ENTRIES_MAX} entries`, at);
    if (table.keyBytes > KEYS_BYTES_MAX) reader.fail('table-key', 'the keys take too much memory', at);
    key = key.slice(0, shared) + String.fromCharCode(...reader.view8(added));
    entries.push({ key, value: reader.inner(valueBytes) });
  }
  return entries;
}
