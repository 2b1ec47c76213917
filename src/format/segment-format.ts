/** Index segments: the chunk tables of several packs in one object (FORMAT.md, "Index segment"). */
import { ByteReader, ByteWriter } from '../bytes/index.js';
import type { Hasher } from '../hash/index.js';
import { type ChunkEntry, ChunkTable, writeChunkTable } from './chunk-table.js';
import { MAGIC, openEnvelope, sealEnvelope } from './envelope.js';
import { isObjectName } from './object-names.js';
import { readText, writeText } from './text.js';

/** Encodes entries, grouped by pack in order of first appearance, each group by offset. */
export function encodeSegment(hasher: Hasher, entries: readonly ChunkEntry[]): Uint8Array {
  const packs = new Map<string, ChunkEntry[]>();
  for (const entry of entries) {
    const group = packs.get(entry.pack);
    if (group === undefined) packs.set(entry.pack, [entry]);
    else group.push(entry);
  }
  const writer = new ByteWriter(64 * entries.length + 64);
  writer.varint(packs.size);
  for (const [pack, group] of packs) {
    writeText(writer, pack);
    writeChunkTable(
      writer,
      group.sort((a, b) => a.offset - b.offset),
    );
  }
  return sealEnvelope(hasher, MAGIC.segment, writer.written());
}

/** Checks a segment and reads its tables, one after the other. */
export function* decodeSegment(hasher: Hasher, bytes: Uint8Array, object: string): Generator<ChunkTable> {
  const reader = new ByteReader(openEnvelope(hasher, MAGIC.segment, bytes, object), object);
  const packs = reader.varint();
  if (packs > reader.remaining) reader.fail('bad-count', 'names too many packs');
  for (let index = 0; index < packs; index++) {
    const pack = readText(reader);
    if (!isObjectName(pack)) reader.fail('bad-name', 'names an impossible pack');
    yield new ChunkTable(reader, pack);
  }
  if (reader.remaining > 0) reader.fail('trailing-bytes', 'has bytes after its end');
}
