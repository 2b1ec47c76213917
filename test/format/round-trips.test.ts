import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  decodeContent,
  decodeLayout,
  decodeLease,
  decodeManifest,
  decodePackFooter,
  decodePackTrailer,
  decodePage,
  decodeRoot,
  decodeSegment,
  decodeStoreConfig,
  emptyRoot,
  encodeFacts,
  encodeIdPages,
  encodeLayout,
  encodeLease,
  encodeManifest,
  encodePackEnd,
  encodePage,
  encodeRoot,
  encodeSegment,
  encodeStoreConfig,
  entriesOf,
  openSection,
  PACK_TRAILER_BYTES,
  packSection,
} from '../../src/format/index.js';
import { loadHasher } from '../../src/hash/index.js';
import { loadKernels } from '../../src/kernels/index.js';
import {
  CHUNK_ELEMENTS,
  catalogueEntries,
  layoutsWithContent,
  manifests,
  packEntries,
  roots,
  segmentEntries,
} from './arbitraries.js';

const hasher = await loadHasher(loadKernels());

function holds<T>(arbitrary: fc.Arbitrary<T>, roundTrip: (value: T) => unknown): void {
  fc.assert(
    fc.property(arbitrary, (value) => {
      expect(roundTrip(value)).toEqual(value);
    }),
    { numRuns: 200 },
  );
}

describe('what is encoded decodes to the same', () => {
  test('roots', () => {
    holds(roots, (root) => decodeRoot(hasher, encodeRoot(hasher, root), 'root'));
    expect(decodeRoot(hasher, encodeRoot(hasher, emptyRoot('0a')), 'root')).toEqual(emptyRoot('0a'));
  });

  test('catalogue pages', () => {
    holds(catalogueEntries, (entries) => {
      const page = { name: 'page', run: 'run', entries };
      return decodePage(hasher, encodePage(hasher, page), 'pages/page').entries;
    });
  });

  test('manifest heads, also with sections behind them', () => {
    holds(manifests, (manifest) => {
      const head = encodeManifest(hasher, manifest);
      const opened = decodeManifest(hasher, Uint8Array.of(...head, 1, 2, 3), 'manifest');
      expect(opened.bodyOffset).toBe(head.length);
      return opened.manifest;
    });
  });

  test('segments', () => {
    holds(segmentEntries, (entries) => [
      ...entriesOf(decodeSegment(hasher, encodeSegment(hasher, entries), 'segment')),
    ]);
  });

  test('pack footers, found through the trailer', () => {
    const pack = '0123456789abcdef-1';
    holds(packEntries(pack), (entries) => {
      const last = entries.at(-1);
      const recordsEnd = last === undefined ? 8 : last.offset + last.length;
      const end = encodePackEnd(hasher, entries, recordsEnd);
      const trailer = end.subarray(-PACK_TRAILER_BYTES);
      const place = decodePackTrailer(trailer, recordsEnd + end.length, 'pack');
      expect(place.offset).toBe(recordsEnd);
      return [...decodePackFooter(hasher, end.subarray(0, place.length), place.offset, pack, 'pack')];
    });
  });

  test('layouts', () => {
    holds(
      layoutsWithContent.map(({ layout }) => layout),
      (layout) => decodeLayout(encodeLayout(layout), 'layout', true),
    );
  });

  test('contents', () => {
    fc.assert(
      fc.property(layoutsWithContent, ({ layout, content }) => {
        const facts = encodeFacts(layout, content);
        const decoded = decodeContent(layout, CHUNK_ELEMENTS, facts, encodeIdPages(content), 'content');
        expect(decoded).toEqual(content);
      }),
    );
  });

  test('sections, deflated or as they are', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), fc.boolean(), fc.nat(9), (bytes, compress, repeats) => {
        const raw = Uint8Array.from(
          { length: bytes.length * repeats },
          (_, index) => bytes[index % bytes.length],
        );
        const { stored, rawLength, checksum } = packSection(hasher, raw, compress);
        const reference = { object: '', offset: 0, length: stored.length, rawLength, checksum };
        expect(openSection(hasher, reference, stored, 'section')).toEqual(raw);
      }),
    );
  });

  test('leases and configs', () => {
    const lease = { attempt: '0123456789abcdef', expiresAt: 1_700_000_000_123 };
    expect(decodeLease(hasher, encodeLease(hasher, lease), 'lease')).toEqual(lease);
    const config = { id: '0123456789abcdef0123456789abcdef', chunkElements: 262_144 };
    expect(decodeStoreConfig(hasher, encodeStoreConfig(hasher, config), 'thetalog.json')).toEqual(config);
  });
});
