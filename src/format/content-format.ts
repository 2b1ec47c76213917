/** What differs from save to save: chunk ids, content-cut lengths, paths and digests of files (FORMAT.md, "Content"). */
import { ByteReader, ByteWriter } from '../bytes/index.js';
import { corrupt } from '../errors.js';
import type { ChunkId } from '../hash/index.js';
import { dtypeInfo } from '../tensor/index.js';
import { chunkIdAt, idBytes } from './chunk-table.js';
import type { Layout, StreamLayout } from './layout-format.js';
import { BYTE_CHUNK_BYTES, CHUNK_BYTES_MAX, CHUNK_ID_BYTES, IDS_PER_PAGE } from './limits.js';
import { readText, writeText } from './text.js';

/** How a setting is written; 0 is reserved. */
const SETTING = { false: 1, true: 2, number: 3 } as const;

/** The chunks of one stream: ids, and for content-cut streams their decoded lengths in bytes. */
export interface StreamContent {
  ids: ChunkId[];
  lengths: number[] | null;
}

export interface Content {
  /** In the order of the layout's streams. */
  streams: StreamContent[];
  /** In the order of the layout's files. */
  files: FileContent[];
  /** Directories that hold no file. */
  directories: string[];
  /** Settings of the optimizers' parameter groups: the next save may have been made with this one's learning rate. */
  settings: OptimizerSettings[];
}

/** Numbers and switches of one parameter group, by name: `lr`, `beta1`, `weight_decay`, … */
export type OptimizerSettings = Record<string, number | boolean>;

export interface FileContent {
  /** Relative, with `/`. */
  path: string;
  /** XXH64 of the file's bytes, 16 hexadecimal digits. */
  digest: string;
}

/** Returns the bytes of a whole chunk of a stream that is not content-cut. */
export function chunkBytes(stream: StreamLayout, chunkElements: number): number {
  return stream.chunking === 'bytes' ? BYTE_CHUNK_BYTES : chunkElements * dtypeInfo(stream.dtype).bytes;
}

/** Returns the bytes of a stream. */
export function streamBytes(stream: StreamLayout): number {
  return stream.elements * dtypeInfo(stream.dtype).bytes;
}

/** Returns the decoded length of every chunk of a stream. */
export function chunkLengths(stream: StreamLayout, content: StreamContent, chunkElements: number): number[] {
  if (content.lengths !== null) return content.lengths;
  const size = chunkBytes(stream, chunkElements);
  const total = streamBytes(stream);
  return content.ids.map((_, index) => Math.min(size, total - index * size));
}

/** Encodes lengths, paths and digests. */
export function encodeFacts(layout: Layout, content: Content): Uint8Array {
  const writer = new ByteWriter();
  layout.streams.forEach((stream, index) => {
    if (stream.chunking !== 'content') return;
    const lengths = content.streams[index].lengths ?? [];
    writer.varint(lengths.length);
    for (const length of lengths) writer.varint(length);
  });
  for (const file of content.files) {
    writeText(writer, file.path);
    writer.bigU64(BigInt(`0x${file.digest}`));
  }
  writer.varint(content.directories.length);
  for (const path of content.directories) writeText(writer, path);
  writer.varint(content.settings.length);
  for (const settings of content.settings) writeSettings(writer, settings);
  return writer.finish();
}

/** Encodes all chunk ids, cut into pages. */
export function encodeIdPages(content: Content): Uint8Array[] {
  const ids = content.streams.flatMap((stream) => stream.ids);
  const pages: Uint8Array[] = [];
  for (let start = 0; start < ids.length; start += IDS_PER_PAGE) {
    const writer = new ByteWriter(IDS_PER_PAGE * CHUNK_ID_BYTES);
    for (const id of ids.slice(start, start + IDS_PER_PAGE)) writer.bytes(idBytes(id));
    pages.push(writer.finish());
  }
  return pages;
}

/** Decodes the content that belongs to a layout; counts must agree with it exactly. */
export function decodeContent(
  layout: Layout,
  chunkElements: number,
  facts: Uint8Array,
  idPages: readonly Uint8Array[],
  object: string,
): Content {
  const reader = new ByteReader(facts, object);
  const lengths = layout.streams.map((stream) =>
    stream.chunking === 'content' ? readLengths(reader, stream) : null,
  );
  const files = layout.files.map(() => readFile(reader));
  const directories = readDirectories(reader);
  const settings = readSettingsList(reader);
  if (reader.remaining > 0) reader.fail('trailing-bytes', 'the facts have bytes after their end');
  const ids = idPages.flatMap((page) => decodeIdPage(page, object));
  let next = 0;
  const streams = layout.streams.map((stream, index) => {
    const own = lengths[index];
    const count = own?.length ?? Math.ceil(streamBytes(stream) / chunkBytes(stream, chunkElements));
    const part = ids.slice(next, next + count);
    next += count;
    if (part.length !== count)
      throw corrupt('bad-count', 'has fewer chunk ids than its layout needs', object);
    return { ids: part, lengths: own };
  });
  if (next !== ids.length) throw corrupt('bad-count', 'has more chunk ids than its layout needs', object);
  return { streams, files, directories, settings };
}

function readLengths(reader: ByteReader, stream: StreamLayout): number[] {
  const count = reader.varint();
  if (count > reader.remaining) reader.fail('bad-count', 'a stream has too many chunks');
  const lengths = Array.from({ length: count }, () => reader.varint());
  const total = lengths.reduce((sum, length) => sum + length, 0);
  if (total !== streamBytes(stream) || lengths.some((length) => length > CHUNK_BYTES_MAX)) {
    reader.fail('bad-length', 'the chunk lengths do not add up to the stream');
  }
  return lengths;
}

function readFile(reader: ByteReader): FileContent {
  return { path: readText(reader), digest: reader.bigU64().toString(16).padStart(16, '0') };
}

function writeSettings(writer: ByteWriter, settings: OptimizerSettings): void {
  const entries = Object.entries(settings);
  writer.varint(entries.length);
  for (const [name, value] of entries) {
    writeText(writer, name);
    writer.u8(typeof value === 'number' ? SETTING.number : value ? SETTING.true : SETTING.false);
    if (typeof value === 'number') writer.f64(value);
  }
}

function readSettingsList(reader: ByteReader): OptimizerSettings[] {
  const count = reader.varint();
  if (count > reader.remaining) reader.fail('bad-count', 'has too many optimizer settings');
  return Array.from({ length: count }, () => readSettings(reader));
}

function readSettings(reader: ByteReader): OptimizerSettings {
  const count = reader.varint();
  if (count > reader.remaining) reader.fail('bad-count', 'has too many optimizer settings');
  const entries = Array.from({ length: count }, (): [string, number | boolean] => {
    const name = readText(reader);
    const kind = reader.u8();
    if (kind === SETTING.number) return [name, reader.f64()];
    if (kind !== SETTING.true && kind !== SETTING.false)
      reader.fail('bad-setting', 'an unknown kind of setting');
    return [name, kind === SETTING.true];
  });
  return Object.fromEntries(entries);
}

function readDirectories(reader: ByteReader): string[] {
  const count = reader.varint();
  if (count > reader.remaining) reader.fail('bad-count', 'names too many directories');
  return Array.from({ length: count }, () => readText(reader));
}

function decodeIdPage(page: Uint8Array, object: string): ChunkId[] {
  checkIdPage(page, object);
  return Array.from({ length: page.length / CHUNK_ID_BYTES }, (_, at) =>
    chunkIdAt(page, at * CHUNK_ID_BYTES),
  );
}

/** Checks that a page of a manifest holds whole ids, of 16 bytes each. */
export function checkIdPage(page: Uint8Array, object: string): void {
  if (page.length % CHUNK_ID_BYTES !== 0)
    throw corrupt('bad-length', 'a page of chunk ids is cut off', object);
}
