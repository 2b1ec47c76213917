import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { openEnvelope, openEnvelopeAt, sealEnvelope } from '../../src/format/envelope.js';
import {
  checkPackHeader,
  decodeLease,
  decodeManifest,
  decodePackFooter,
  decodePackTrailer,
  decodePage,
  decodeRoot,
  decodeSegment,
  decodeStoreConfig,
  encodeLayout,
  encodeLease,
  encodeManifest,
  encodePage,
  encodeRoot,
  encodeSegment,
  encodeStoreConfig,
  footerSource,
  openSection,
  PACK_TRAILER_BYTES,
  packHeader,
  packSection,
  placeOfSource,
} from '../../src/format/index.js';
import type { Group } from '../../src/tensor/index.js';
import { catalogueEntries } from './arbitraries.js';
import { chunk, delta, errorOf, example, hasher, manifest, PACK, packEnd, root } from './examples.js';

const page = { name: 'object', run: 'gpt', entries: [] };

/** Every checksummed object, and how it is read. */
const objects: [string, Uint8Array, (bytes: Uint8Array) => unknown][] = [
  ['root', encodeRoot(hasher, root), (bytes) => decodeRoot(hasher, bytes, 'object')],
  ['page', encodePage(hasher, page), (bytes) => decodePage(hasher, bytes, 'object')],
  ['manifest', encodeManifest(hasher, manifest), (bytes) => decodeManifest(hasher, bytes, 'object')],
  ['segment', encodeSegment(hasher, [chunk, delta]), (bytes) => [...decodeSegment(hasher, bytes, 'object')]],
  [
    'lease',
    encodeLease(hasher, { attempt: PACK, expiresAt: 1 }),
    (bytes) => decodeLease(hasher, bytes, 'object'),
  ],
  [
    'pack footer',
    packEnd.subarray(0, -PACK_TRAILER_BYTES),
    (bytes) => [...decodePackFooter(hasher, bytes, 208, PACK, 'object')],
  ],
  [
    'pack trailer',
    packEnd.subarray(-PACK_TRAILER_BYTES),
    (bytes) => decodePackTrailer(bytes, 208 + packEnd.length, 'object'),
  ],
];

describe.each(objects)('%s', (_name, bytes, decode) => {
  test('any flipped bit is corrupt or unsupported and names the object', () => {
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const damaged = bytes.slice();
      damaged[bit >>> 3] ^= 1 << (bit & 7);
      const error = errorOf(() => decode(damaged));
      expect(error?.kind, `bit ${bit}`).toMatch(/^(corrupt|unsupported)$/);
      expect(error?.object).toBe('object');
    }
  });

  test('cut off anywhere it is corrupt', () => {
    for (let length = 0; length < bytes.length; length++)
      expect(errorOf(() => decode(bytes.slice(0, length)))?.kind, `${length} bytes`).toBe('corrupt');
  });
});

test('a section with any flipped bit is corrupt or unpacks to the very same', () => {
  const raw = encodeLayout(example.layout);
  const { stored, rawLength, checksum } = packSection(hasher, raw, true);
  const reference = { object: '', offset: 7, length: stored.length, rawLength, checksum };
  for (let bit = 0; bit < stored.length * 8; bit++) {
    const damaged = stored.slice();
    damaged[bit >>> 3] ^= 1 << (bit & 7);
    let unpacked: Uint8Array | undefined;
    const error = errorOf(() => {
      unpacked = openSection(hasher, reference, damaged, 'object');
    });
    if (error === undefined) expect(unpacked).toEqual(raw);
    else expect(error).toMatchObject({ kind: 'corrupt', object: 'object' });
  }
  expect(errorOf(() => openSection(hasher, reference, stored.subarray(1), 'object'))).toMatchObject({
    code: 'truncated',
    offset: 7,
  });
});

test.each(objects.filter(([name]) => !/manifest|trailer/.test(name)))(
  '%s with a byte after its end is corrupt',
  (_name, bytes, decode) => {
    expect(errorOf(() => decode(Uint8Array.of(...bytes, 0)))?.code).toBe('trailing-bytes');
  },
);

describe('another version is unsupported, and nothing of it is believed', () => {
  test.each(objects.slice(0, 6))('%s', (name, bytes, decode) => {
    const newest = { manifest: 3, page: 2 }[name] ?? 1;
    for (const version of [0, newest + 1, 255]) {
      const newer = bytes.slice();
      newer[4] = version;
      expect(errorOf(() => decode(newer))).toMatchObject({ kind: 'unsupported', code: 'format-version' });
    }
  });

  test('a page on which a checkpoint has lost groups has version 2, and no other version may say so', () => {
    const [entry] = fc.sample(catalogueEntries, { seed: 1, numRuns: 50 }).flat();
    const lost = { ...entry, droppedGroups: ['optimizer'] as Group[] };
    const bytes = encodePage(hasher, { ...page, entries: [lost] });
    expect([encodePage(hasher, { ...page, entries: [{ ...lost, droppedGroups: [] }] })[4], bytes[4]]).toEqual(
      [1, 2],
    );
    expect(errorOf(() => openEnvelope(hasher, 'TLPG', bytes, 'object'))).toMatchObject({
      kind: 'unsupported',
      message: 'object: format version 2, flags 1 are not known to this build',
    });
    const { payload } = openEnvelopeAt(hasher, 'TLPG', bytes, 'object', 2);
    expect(errorOf(() => decodePage(hasher, sealEnvelope(hasher, 'TLPG', payload), 'object'))).toMatchObject({
      kind: 'corrupt',
      code: 'bad-field',
    });
    const unknown = encodePage(hasher, {
      ...page,
      entries: [{ ...lost, droppedGroups: ['later' as Group] }],
    });
    expect(errorOf(() => decodePage(hasher, unknown, 'object'))).toMatchObject({ code: 'unknown-group' });
  });

  test('a manifest that names a footer has version 2, and no other version may name one', () => {
    const footer = footerSource(PACK, 208, 90);
    const bytes = encodeManifest(hasher, { ...manifest, segments: [PACK, footer] });
    expect(bytes[4]).toBe(2);
    expect(decodeManifest(hasher, bytes, 'object').manifest.segments).toEqual([PACK, footer]);
    const older = sealEnvelope(hasher, 'TLMF', openEnvelopeAt(hasher, 'TLMF', bytes, 'object', 2).payload);
    expect(errorOf(() => decodeManifest(hasher, older, 'object'))).toMatchObject({ code: 'bad-version' });
  });

  test('a manifest with files in unpacked form has version 3, and no other version may have them', () => {
    const bytes = encodeManifest(hasher, { ...manifest, unpacked: true });
    expect(bytes[4]).toBe(3);
    expect(decodeManifest(hasher, bytes, 'object').manifest.unpacked).toBe(true);
    // What readers of before do.
    expect(errorOf(() => openEnvelopeAt(hasher, 'TLMF', bytes, 'object', 2))).toMatchObject({
      kind: 'unsupported',
      code: 'format-version',
    });
    const { payload } = openEnvelopeAt(hasher, 'TLMF', bytes, 'object', 3);
    const older = sealEnvelope(hasher, 'TLMF', payload, 2);
    expect(errorOf(() => decodeManifest(hasher, older, 'object'))).toMatchObject({ code: 'bad-version' });
  });

  test.each([
    '',
    'x',
    `${PACK}:`,
    `${PACK}:1`,
    `${PACK}:01+2`,
    `${PACK}:0+2`,
    `../${PACK}:1+2`,
    `${PACK}:1+-2`,
  ])('%j names nothing that a manifest may name', (source) => {
    expect(errorOf(() => placeOfSource(source, 'object'))).toMatchObject({ code: 'bad-name' });
  });

  test('pack header', () => {
    const header = packHeader();
    expect(errorOf(() => checkPackHeader(header, 'object'))).toBeUndefined();
    header[4] = 2;
    expect(errorOf(() => checkPackHeader(header, 'object'))?.kind).toBe('unsupported');
    expect(errorOf(() => checkPackHeader(header.subarray(0, 4), 'object'))?.kind).toBe('corrupt');
  });

  test.each([
    ['version', { version: 2 }],
    ['hash', { hash: 'blake3' }],
    ['feature', { features: ['encryption'] }],
  ])('config with another %s', (_what, change) => {
    const json = JSON.parse(
      new TextDecoder().decode(encodeStoreConfig(hasher, { id: 'a'.repeat(32), chunkElements: 1024 })),
    );
    const bytes = new TextEncoder().encode(JSON.stringify({ ...json, ...change }));
    expect(errorOf(() => decodeStoreConfig(hasher, bytes, 'object'))?.kind).toBe('unsupported');
  });

  test.each([
    '',
    '{',
    '[]',
    'null',
    '{}',
    '{"format":"thetalog","version":1,"hash":"xxh3-128","features":[]}',
  ])('config %j is corrupt', (text) => {
    expect(errorOf(() => decodeStoreConfig(hasher, new TextEncoder().encode(text), 'object'))?.kind).toBe(
      'corrupt',
    );
  });
});
