/**
 * Nodes of OCDBT databases, in which TensorStore keeps what has names. Source: google/tensorstore, kvstore/ocdbt/format/btree.cc,
 * btree_codec.h and data_file_id_codec.cc. Only leaves have values; checksums are not looked at: the engine keeps the bytes
 * whatever they are.
 */
import type { ByteReader } from '../bytes/index.js';

/** Guards memory: TensorStore makes nodes of at most 8 MiB. */
const ENTRIES_MAX = 2 ** 20;
const FILES_MAX = 2 ** 16;
/** Of keys, and of paths. */
const TEXT_MAX = 65_535;
/** Of all texts of a node together: those that share their beginning take more of memory than of the node. */
const TEXTS_MAX = 2 ** 26;

/** A name and where its value is: in the node itself, or in a file. */
export interface LeafEntry {
  /** One character a byte. */
  key: string;
  /** Path of a data file; undefined: the node. */
  file: string | undefined;
  /** In the file, or in what the node's reader reads. */
  offset: number;
  length: number;
}

/** Reads what is in a node, which ends with the reader; none of one that is no leaf. */
export function readLeaf(reader: ByteReader): LeafEntry[] {
  if (reader.u8() !== 0) return [];
  const files = readPaths(reader);
  const count = countOf(reader, ENTRIES_MAX);
  if (count === 0) reader.fail('ocdbt-node', 'a node without entries');
  const keys = readTexts(reader, count, 0);
  const lengths = numbers(reader, count);
  const kinds = Array.from({ length: count }, () => reader.u8());
  if (kinds.some((kind) => kind > 1)) reader.fail('ocdbt-node', 'an unknown kind of value');
  const outside = kinds.flatMap((kind, entry) => (kind === 1 ? [entry] : []));
  const fileOf = new Map<number, string>();
  for (const entry of outside) {
    const file = reader.varint();
    if (file >= files.length) reader.fail('ocdbt-node', 'a data file that is not in the table');
    fileOf.set(entry, files[file]);
  }
  const offsetOf = new Map(outside.map((entry) => [entry, reader.varint()]));
  const entries = keys.map((key, entry): LeafEntry => {
    const length = lengths[entry];
    const offset = offsetOf.get(entry) ?? reader.offset;
    if (kinds[entry] === 0) reader.view8(length);
    return { key, file: fileOf.get(entry), offset, length };
  });
  if (reader.remaining > 0) reader.fail('ocdbt-node', 'bytes after the end of a node');
  return entries;
}

function readPaths(reader: ByteReader): string[] {
  const count = countOf(reader, FILES_MAX);
  return count === 0 ? [] : readTexts(reader, count, count);
}

/** Reads texts of which each shares its beginning with the one before; `passed` numbers between their lengths and them say nothing here. */
function readTexts(reader: ByteReader, count: number, passed: number): string[] {
  const prefixes = [0, ...numbers(reader, count - 1)];
  const suffixes = numbers(reader, count);
  numbers(reader, passed);
  let total = 0;
  let last = '';
  return suffixes.map((suffix, at) => {
    const prefix = prefixes[at];
    total += prefix + suffix;
    if (prefix > last.length || prefix + suffix > TEXT_MAX || total > TEXTS_MAX)
      reader.fail('ocdbt-node', 'a text shares more than the one before it has, or is too long');
    last = last.slice(0, prefix) + latin1(reader.view8(suffix));
    return last;
  });
}

function countOf(reader: ByteReader, most: number): number {
  const count = reader.varint();
  if (count > most || count > reader.remaining)
    reader.fail('ocdbt-node', 'more entries than there is room for');
  return count;
}

function numbers(reader: ByteReader, count: number): number[] {
  return Array.from({ length: count }, () => reader.varint());
}

/** Returns bytes as text, one character each. */
export function latin1(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += 4096)
    text += String.fromCharCode(...bytes.subarray(at, at + 4096));
  return text;
}
