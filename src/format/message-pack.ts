/**
 * Reads the MessagePack that records are made of: nil, booleans, numbers, texts, bytes, lists and maps with text keys. The
 * library that writes them reads more, extension types that become dates, regular expressions and classes made on the
 * spot; bytes from a store must not choose among constructors. Source: the MessagePack specification.
 */
import { ByteReader } from '../bytes/index.js';
import { RECORD_DEPTH_MAX } from './limits.js';

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Reads the one value that fills `bytes`; `corrupt` for anything else. */
export function readMessagePack(bytes: Uint8Array, object: string): unknown {
  const reader = new ByteReader(bytes, object);
  const value = readValue(reader, 0);
  if (reader.remaining > 0) reader.fail('bad-record', 'a record has bytes after its end');
  return value;
}

function readValue(reader: ByteReader, depth: number): unknown {
  if (depth > RECORD_DEPTH_MAX) reader.fail('bad-record', 'a record is nested too deeply');
  const code = reader.u8();
  if (code < 0x80) return code;
  if (code < 0x90) return readMap(reader, code & 0x0f, depth);
  if (code < 0xa0) return readList(reader, code & 0x0f, depth);
  if (code < 0xc0) return readText(reader, code & 0x1f);
  if (code >= 0xe0) return code - 0x100;
  return WIDE[code - 0xc0]?.(reader, depth) ?? (code === 0xc0 ? null : unknownForm(reader, code));
}

type Reader = (reader: ByteReader, depth: number) => unknown;

/** By the code less 0xc0. */
const WIDE: Readonly<Record<number, Reader>> = {
  2: () => false,
  3: () => true,
  4: (reader) => reader.view8(reader.u8()),
  5: (reader) => reader.view8(bigEndian(reader, 2)),
  6: (reader) => reader.view8(bigEndian(reader, 4)),
  10: (reader) => viewOf(reader, 4).getFloat32(0),
  11: (reader) => viewOf(reader, 8).getFloat64(0),
  12: (reader) => reader.u8(),
  13: (reader) => bigEndian(reader, 2),
  14: (reader) => bigEndian(reader, 4),
  15: (reader) => Number(viewOf(reader, 8).getBigUint64(0)),
  16: (reader) => viewOf(reader, 1).getInt8(0),
  17: (reader) => viewOf(reader, 2).getInt16(0),
  18: (reader) => viewOf(reader, 4).getInt32(0),
  19: (reader) => Number(viewOf(reader, 8).getBigInt64(0)),
  25: (reader) => readText(reader, reader.u8()),
  26: (reader) => readText(reader, bigEndian(reader, 2)),
  27: (reader) => readText(reader, bigEndian(reader, 4)),
  28: (reader, depth) => readList(reader, bigEndian(reader, 2), depth),
  29: (reader, depth) => readList(reader, bigEndian(reader, 4), depth),
  30: (reader, depth) => readMap(reader, bigEndian(reader, 2), depth),
  31: (reader, depth) => readMap(reader, bigEndian(reader, 4), depth),
};

function unknownForm(reader: ByteReader, code: number): never {
  return reader.fail('bad-record', `a record holds a value of the unknown form 0x${code.toString(16)}`);
}

function viewOf(reader: ByteReader, length: number): DataView {
  const bytes = reader.view8(length);
  return new DataView(bytes.buffer, bytes.byteOffset, length);
}

function bigEndian(reader: ByteReader, length: 2 | 4): number {
  const view = viewOf(reader, length);
  return length === 2 ? view.getUint16(0) : view.getUint32(0);
}

function readText(reader: ByteReader, length: number): string {
  const start = reader.offset;
  const bytes = reader.view8(length);
  if (length < 48 && bytes.every((byte) => byte < 0x80)) return String.fromCharCode(...bytes);
  try {
    return decoder.decode(bytes);
  } catch {
    return reader.fail('bad-record', 'a text of a record is no UTF-8', start);
  }
}

/** An item takes a byte at least, so a longer list than there are bytes is a lie. */
function readList(reader: ByteReader, length: number, depth: number): unknown[] {
  if (length > reader.remaining) reader.fail('bad-count', 'a list is longer than its record');
  const items: unknown[] = [];
  for (let index = 0; index < length; index++) items.push(readValue(reader, depth + 1));
  return items;
}

/** Without a prototype: a key may be called `__proto__`. */
function readMap(reader: ByteReader, length: number, depth: number): object {
  if (length * 2 > reader.remaining) reader.fail('bad-count', 'a map is longer than its record');
  const map: Record<string, unknown> = Object.create(null);
  for (let index = 0; index < length; index++) {
    const start = reader.offset;
    const key = readValue(reader, depth + 1);
    if (typeof key !== 'string') return reader.fail('bad-record', 'a key of a record is no text', start);
    if (key in map) reader.fail('bad-record', 'a key of a record occurs twice', start);
    map[key] = readValue(reader, depth + 1);
  }
  return map;
}
