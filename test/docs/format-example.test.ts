import { readFileSync } from 'node:fs';
import { inflateSync } from 'fflate';
import { beforeAll, describe, expect, test } from 'vitest';
import { ByteReader, ByteWriter, fromHex, toHex } from '../../src/bytes/index.js';
import { type Codec, createCodec, fromBase } from '../../src/codec/index.js';
import { ChunkTable, writeChunkTable } from '../../src/format/chunk-table.js';
import { MAGIC } from '../../src/format/envelope.js';
import {
  type ChunkEntry,
  type Content,
  checkPackHeader,
  decodeContent,
  decodeLayout,
  decodeLease,
  decodePackFooter,
  decodePackTrailer,
  decodeSegment,
  encodeFacts,
  encodeIdPages,
  encodeLayout,
  encodeLease,
  encodePackEnd,
  encodeSegment,
  entriesOf,
  type Layout,
  limits,
  PACK_TRAILER_BYTES,
  packHeader,
} from '../../src/format/index.js';
import { type Hasher, loadHasher } from '../../src/hash/index.js';
import { loadKernels } from '../../src/kernels/index.js';
import { DTYPES, dtypeInfo } from '../../src/tensor/index.js';

const page = readFileSync(new URL('../../src/format/FORMAT.md', import.meta.url), 'utf8');

const PACK = '0123456789abcdef-0';
const CHUNK_ELEMENTS = 1024;

/** 16 bf16 elements of 1.0; in the second save, element 5 is the next larger number. */
const first = new Uint8Array(new Uint16Array(16).fill(0x3f80).buffer);
const second = Uint8Array.from(first);
second[10] = 0x81;

let hasher: Hasher;
let codec: Codec;
let entries: ChunkEntry[];

beforeAll(async () => {
  const kernels = loadKernels();
  hasher = await loadHasher(kernels);
  codec = createCodec(kernels);
  const records = block('pack').subarray(8, 27);
  const checksum = (record: Uint8Array): number => Number(hasher.checksum(record) & 0xffffffffn);
  const base = hasher.chunkId(first);
  const common = { pack: PACK, rawLength: 32 };
  entries = [
    { ...common, id: base, offset: 8, length: 7, height: 0, references: [], checksum: 0 },
    {
      ...common,
      id: hasher.chunkId(second),
      offset: 15,
      length: 12,
      height: 1,
      references: [base],
      checksum: 0,
    },
  ];
  entries[0].checksum = checksum(records.subarray(0, 7));
  entries[1].checksum = checksum(records.subarray(7));
});

describe('the worked example', () => {
  test('the pack has a sound header, trailer and footer', () => {
    const pack = block('pack');
    checkPackHeader(pack, 'example');
    const trailer = pack.subarray(pack.length - PACK_TRAILER_BYTES);
    const { offset, length } = decodePackTrailer(trailer, pack.length, 'example');
    expect({ offset, length }).toEqual({ offset: 27, length: 80 });
    const footer = pack.subarray(offset, offset + length);
    expect([...decodePackFooter(hasher, footer, offset, PACK, 'example')]).toEqual(entries);
    expect(toHex(payloadOf(footer))).toBe(toHex(block('chunk-table')));
  });

  test('its records decode to the chunks that their ids name', () => {
    const pack = block('pack');
    const records = entries.map(({ offset, length }) => pack.subarray(offset, offset + length));
    const base = codec.decode(records[0], 32, [], 'example');
    expect(toHex(base)).toBe(toHex(first));
    expect(toHex(codec.decode(records[1], 32, [base], 'example'))).toBe(toHex(second));
    expect(codec.inputsOf(records[0])).toBe(0);
    expect(codec.inputsOf(records[1])).toBe(1);
  });

  test('the encoder makes the same records', () => {
    const pack = block('pack');
    const alone = codec.encode(first, 'bf16', [], 'max').record;
    const delta = codec.encode(second, 'bf16', fromBase(first), 'max').record;
    expect(toHex(alone)).toBe(toHex(pack.subarray(8, 15)));
    expect(toHex(delta)).toBe(toHex(pack.subarray(15, 27)));
  });

  test('the pack is encoded to the same bytes', () => {
    const pack = block('pack');
    const writer = new ByteWriter();
    writer.bytes(packHeader());
    writer.bytes(pack.subarray(8, 27));
    writer.bytes(encodePackEnd(hasher, entries, 27));
    expect(toHex(writer.finish())).toBe(toHex(pack));
  });

  test('the chunk table is read and written as shown', () => {
    const bytes = block('chunk-table');
    const reader = new ByteReader(bytes, 'example');
    expect([...new ChunkTable(reader, PACK)]).toEqual(entries);
    expect(reader.remaining).toBe(0);
    const writer = new ByteWriter();
    writeChunkTable(writer, entries);
    expect(toHex(writer.finish())).toBe(toHex(bytes));
  });

  test('the segment is read and written as shown', () => {
    const bytes = block('segment');
    expect([...entriesOf(decodeSegment(hasher, bytes, 'example'))]).toEqual(entries);
    expect(toHex(payloadOf(bytes))).toBe(toHex(block('segment-payload')));
    expect(toHex(encodeSegment(hasher, entries))).toBe(toHex(bytes));
  });

  test('layout and facts are read and written as shown', () => {
    const content = contentOfExample();
    const layout = decodeLayout(block('layout'), 'example');
    expect(layout).toEqual(layoutOfExample);
    expect(toHex(encodeLayout(layoutOfExample))).toBe(toHex(block('layout')));
    const pages = encodeIdPages(content);
    expect(decodeContent(layout, CHUNK_ELEMENTS, block('facts'), pages, 'example')).toEqual(content);
    expect(toHex(encodeFacts(layoutOfExample, content))).toBe(toHex(block('facts')));
  });

  test('the lease is read and written as shown', () => {
    const lease = { attempt: '0123456789abcdef', expiresAt: 1_764_000_000_000 };
    expect(decodeLease(hasher, block('lease'), 'example')).toEqual(lease);
    expect(toHex(encodeLease(hasher, lease))).toBe(toHex(block('lease')));
  });

  test('every block of the page is tested', () => {
    const names = [...page.matchAll(/^```hex (\S+)$/gm)].map(([, name]) => name);
    expect(names).toEqual(['pack', 'chunk-table', 'segment', 'segment-payload', 'layout', 'facts', 'lease']);
  });
});

describe('the tables', () => {
  test('list the dtypes with their ids, sizes and lanes', () => {
    const rows = [...page.matchAll(/\| (\w+) \| (\d+) \| (\d+) \| (float|integer), (\d) (?=\|)/g)];
    const listed = rows.map(([, name, id, bytes, lane, laneBytes]) => [name, id, bytes, lane, laneBytes]);
    const known = DTYPES.map((dtype) => {
      const { id, bytes, lane, laneBytes } = dtypeInfo(dtype);
      return [dtype, String(id), String(bytes), lane, String(laneBytes)];
    });
    expect(listed.sort(byId)).toEqual(known);
  });

  test('list the magics', () => {
    const listed = [...page.matchAll(/^\| `(TL\w\w)` \|/gm)].map(([, magic]) => magic);
    expect(listed.sort()).toEqual(Object.values(MAGIC).sort());
  });

  test('give the limits of the code', () => {
    const section = page.split('\n## Limits\n')[1] ?? '';
    const limit = (name: string): string => section.split(`\n| ${name} |`)[1]?.split('|')[0].trim() ?? '';
    expect(limit('payload of an envelope or section')).toBe(`${limits.PAYLOAD_BYTES_MAX / 2 ** 20} MiB`);
    expect(limit('height')).toBe(String(limits.HEIGHT_MAX));
    expect(limit('references of an encoding')).toBe(String(limits.REFERENCES_MAX));
    expect(limit('decoded bytes of a chunk')).toBe(`${limits.CHUNK_BYTES_MAX / 2 ** 20} MiB`);
    const elements = [limits.CHUNK_ELEMENTS_MIN, limits.CHUNK_ELEMENTS_MAX].map(grouped).join(' to ');
    expect(limit('chunkElements')).toBe(elements);
    expect(limit('chunk of a *bytes* stream')).toBe(grouped(limits.BYTE_CHUNK_BYTES));
    expect(limit('chunk ids in a page')).toBe(grouped(limits.IDS_PER_PAGE));
    expect(limit('dimensions of a tensor')).toBe(String(limits.RANK_MAX));
    expect(limit('text')).toBe(`${grouped(limits.NAME_BYTES_MAX)} bytes`);
  });
});

const layoutOfExample: Layout = {
  streams: [
    { key: 'model.w', dtype: 'bf16', chunking: 'grid', elements: 16 },
    { key: 'skeleton:w.npy', dtype: 'bytes', chunking: 'bytes', elements: 128 },
  ],
  tensors: [
    {
      name: 'w',
      group: 'model',
      dtype: 'bf16',
      shape: [4, 4],
      boxes: [{ origin: [0, 0], extent: [4, 4], stream: 0, elementOffset: 0, strides: [1, 4] }],
    },
  ],
  files: [
    {
      format: 'npy',
      size: 160,
      mode: 0o644,
      skeleton: 1,
      pieces: [
        { kind: 'skeleton', length: 128 },
        { kind: 'stream', stream: 0, byteOffset: 0, length: 32 },
      ],
    },
  ],
};

function contentOfExample(): Content {
  const header = hasher.chunkId(new Uint8Array(128));
  return {
    streams: [
      { ids: [hasher.chunkId(second)], lengths: null },
      { ids: [header], lengths: null },
    ],
    files: [{ path: 'w.npy', digest: '0011223344556677' }],
    directories: [],
    settings: [],
  };
}

/** Returns the bytes of a named block; what follows a semicolon is a comment. */
function block(name: string): Uint8Array {
  const text = page.split(`\`\`\`hex ${name}\n`)[1]?.split('```')[0] ?? '';
  const digits = text.replace(/;.*$/gm, '').replace(/\s/g, '');
  expect(digits, `block ${name}`).toMatch(/^([0-9a-f]{2})+$/);
  return fromHex(digits);
}

/** Returns the inflated payload of an envelope by the offsets of the page, not by the decoder. */
function payloadOf(envelope: Uint8Array): Uint8Array {
  const view = new DataView(envelope.buffer, envelope.byteOffset);
  const inflated = inflateSync(envelope.subarray(16, 16 + view.getUint32(8, true)));
  expect(inflated.length).toBe(view.getUint32(12, true));
  return inflated;
}

function byId(a: string[], b: string[]): number {
  return Number(a[1]) - Number(b[1]);
}

function grouped(value: number): string {
  return value.toLocaleString('en-US');
}
