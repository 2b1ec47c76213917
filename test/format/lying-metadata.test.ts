import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ByteWriter } from '../../src/bytes/index.js';
import { MAGIC, sealEnvelope } from '../../src/format/envelope.js';
import { packRecord } from '../../src/format/fields.js';
import {
  type ChunkEntry,
  decodeContent,
  decodeLayout,
  decodeManifest,
  decodePackFooter,
  decodePage,
  decodeRoot,
  decodeSegment,
  emptyRoot,
  encodeFacts,
  encodeIdPages,
  encodeLayout,
  encodeManifest,
  encodePage,
  encodeSegment,
  PACK_TRAILER_BYTES,
} from '../../src/format/index.js';
import { CHUNK_ELEMENTS } from './arbitraries.js';
import { chunk, delta, errorOf, example, hasher, manifest, PACK, packEnd, section } from './examples.js';

describe('lies under a valid checksum are corrupt', () => {
  const seal = (magic: string, write: (writer: ByteWriter) => void): Uint8Array => {
    const writer = new ByteWriter();
    write(writer);
    return sealEnvelope(hasher, magic, writer.finish());
  };
  const segmentOf = (change: Partial<ChunkEntry>): Uint8Array =>
    encodeSegment(hasher, [{ ...chunk, ...change }]);

  test.each<[string, Uint8Array, string]>([
    ['more packs than bytes', seal(MAGIC.segment, (writer) => writer.varint(2 ** 40)), 'bad-count'],
    [
      'more chunks than bytes',
      seal(MAGIC.segment, (writer) => {
        writer.varint(1);
        writer.varint(PACK.length);
        writer.bytes(new TextEncoder().encode(PACK));
        writer.varint(2 ** 45);
      }),
      'bad-count',
    ],
    ['a pack name that leaves the store', segmentOf({ pack: '../../etc/passwd' }), 'bad-name'],
    ['a chunk beyond any chunk', segmentOf({ rawLength: 2 ** 24 + 1 }), 'bad-length'],
    ['a chunk beyond any pack', segmentOf({ offset: Number.MAX_SAFE_INTEGER }), 'bad-offset'],
    ['a height beyond the cap', segmentOf({ height: 17, references: [delta.id] }), 'bad-height'],
    ['a height without a base', segmentOf({ height: 1 }), 'bad-references'],
    ['a base without a height', segmentOf({ references: [delta.id] }), 'bad-references'],
    [
      'more bases than there may be',
      segmentOf({ height: 1, references: Array(9).fill(delta.id) }),
      'bad-references',
    ],
  ])('segment: %s', (_title, bytes, code) => {
    expect(errorOf(() => [...decodeSegment(hasher, bytes, 'object')])).toMatchObject({
      kind: 'corrupt',
      code,
    });
  });

  test('a footer that names records outside its pack', () => {
    const footer = packEnd.subarray(0, -PACK_TRAILER_BYTES);
    expect(errorOf(() => [...decodePackFooter(hasher, footer, 207, PACK, 'object')])?.code).toBe(
      'bad-offset',
    );
  });

  test.each<[string, unknown]>([
    ['a list', []],
    ['no generation', { ...emptyRoot('00'), generation: null, runs: [], tags: [] }],
    ['a negative epoch', { ...emptyRoot('00'), gcEpoch: -1, runs: [], tags: [] }],
    ['runs that are no list', { ...emptyRoot('00'), runs: {}, tags: [] }],
    ['a run without a name', { ...emptyRoot('00'), runs: [{ pages: [] }], tags: [] }],
  ])('root: %s', (_title, value) => {
    const bytes = sealEnvelope(hasher, MAGIC.root, packRecord(value as object));
    expect(errorOf(() => decodeRoot(hasher, bytes, 'object'))?.code).toBe('bad-field');
  });

  test('a manifest section that would inflate to more than it may', () => {
    const lying = { ...manifest, layout: { ...section, rawLength: 2 ** 40 } };
    const bytes = encodeManifest(hasher, lying);
    expect(errorOf(() => decodeManifest(hasher, bytes, 'object'))?.code).toBe('bad-length');
  });

  test('an envelope that would inflate to more than it says', () => {
    const bytes = sealEnvelope(hasher, MAGIC.root, new Uint8Array(100_000));
    new DataView(bytes.buffer).setUint32(12, 50_000, true);
    new DataView(bytes.buffer).setBigUint64(bytes.length - 8, hasher.checksum(bytes.subarray(0, -8)), true);
    expect(errorOf(() => decodeRoot(hasher, bytes, 'object'))?.kind).toBe('corrupt');
  });
});

describe('layouts and contents carry no checksum of their own: damage never escapes as anything but a typed error', () => {
  const layoutBytes = encodeLayout(example.layout);
  const facts = encodeFacts(example.layout, example.content);
  const pages = encodeIdPages(example.content);

  test('layout', () => {
    fc.assert(
      fc.property(
        fc.nat(layoutBytes.length - 1),
        fc.nat(255),
        fc.nat(layoutBytes.length),
        (at, value, length) => {
          const damaged = layoutBytes.slice();
          damaged[at] = value;
          for (const bytes of [damaged, damaged.subarray(0, length)])
            errorOf(() => decodeLayout(bytes, 'object', true));
        },
      ),
      { numRuns: 3000 },
    );
  });

  test('facts', () => {
    fc.assert(
      fc.property(fc.nat(facts.length - 1), fc.nat(255), fc.nat(facts.length), (at, value, length) => {
        const damaged = facts.slice();
        damaged[at] = value;
        for (const bytes of [damaged, damaged.subarray(0, length)])
          errorOf(() => decodeContent(example.layout, CHUNK_ELEMENTS, bytes, pages, 'object'));
      }),
      { numRuns: 1000 },
    );
  });

  test('too few chunk ids, too many, and half of one', () => {
    const decode = (idPages: Uint8Array[]): unknown =>
      decodeContent(example.layout, CHUNK_ELEMENTS, facts, idPages, 'object');
    expect(errorOf(() => decode(pages))).toBeUndefined();
    expect(errorOf(() => decode([...pages, new Uint8Array(16)]))?.code).toBe('bad-count');
    expect(errorOf(() => decode([pages[0].subarray(16)]))?.code).toBe('bad-count');
    expect(errorOf(() => decode([pages[0].subarray(8)]))?.code).toBe('bad-length');
  });

  test.each<[string, Partial<(typeof example.layout.tensors)[number]['boxes'][number]>]>([
    ['beyond its stream', { elementOffset: 1 }],
    ['beyond its stream by its strides', { strides: [3, 1] }],
    ['in a stream that is not there', { stream: 1 }],
  ])('a tensor %s', (_title, change) => {
    const box = { origin: [0, 0], extent: [2, 2], stream: 0, elementOffset: 0, strides: null, ...change };
    const layout = {
      streams: [{ key: 's', dtype: 'f32' as const, chunking: 'grid' as const, elements: 4 }],
      tensors: [{ name: 't', group: 'model' as const, dtype: 'f32' as const, shape: [2, 2], boxes: [box] }],
      files: [],
    };
    expect(errorOf(() => decodeLayout(encodeLayout(layout), 'object', true))?.code).toMatch(
      /^bad-(box|stream)$/,
    );
  });
});

test('an object that lies where another was', () => {
  const page = { name: '0123456789abcdef-1', run: 'gpt', entries: [] };
  const bytes = encodePage(hasher, page);
  expect(decodePage(hasher, bytes, 'pages/0123456789abcdef-1')).toEqual(page);
  expect(errorOf(() => decodePage(hasher, bytes, 'pages/0123456789abcdef-2'))?.code).toBe('wrong-object');
  const head = encodeManifest(hasher, { ...manifest, name: '0123456789abcdef-1' });
  expect(errorOf(() => decodeManifest(hasher, head, 'manifests/0123456789abcdef-2'))?.code).toBe(
    'wrong-object',
  );
});
