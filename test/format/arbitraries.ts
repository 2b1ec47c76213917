/** Random values of everything that the format encodes, within the bounds that writers keep. */
import fc from 'fast-check';
import {
  type CatalogueEntry,
  type ChunkEntry,
  type Content,
  chunkBytes,
  type Layout,
  type Manifest,
  type Root,
  type SectionReference,
  streamBytes,
  type TensorLayout,
} from '../../src/format/index.js';
import type { ChunkId } from '../../src/hash/index.js';
import { DTYPES, GROUPS } from '../../src/tensor/index.js';

/** Elements in a chunk for the layouts made here. */
export const CHUNK_ELEMENTS = 1024;

const hex = (digits: number): fc.Arbitrary<string> =>
  fc
    .array(fc.constantFrom(...'0123456789abcdef'), { minLength: digits, maxLength: digits })
    .map((list) => list.join(''));
const count = fc.maxSafeNat();
const name = fc.tuple(hex(16), fc.nat(9999)).map(([attempt, number]) => `${attempt}-${number}`);
const chunkId = hex(32) as fc.Arbitrary<ChunkId>;
const text = fc.string({ unit: 'grapheme', maxLength: 12 });
const key = text.filter((value) => value !== '__proto__');
const orNull = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | null> =>
  fc.oneof(fc.constant(null), arbitrary);

/** Returns a map without a prototype's surprises: a plain object with own keys. */
function dictionary<T>(value: fc.Arbitrary<T>): fc.Arbitrary<Record<string, T>> {
  return fc.dictionary(key, value, { noNullPrototype: true, maxKeys: 4 });
}

export const catalogueEntries: fc.Arbitrary<CatalogueEntry[]> = fc.array(
  fc.record<CatalogueEntry>({
    id: hex(32),
    manifest: name,
    kind: fc.constantFrom('files', 'state'),
    step: orNull(count),
    epoch: orNull(fc.double({ min: 0, noNaN: true }).map((value) => (value === 0 ? 0 : value))),
    label: text,
    // MessagePack's writer knows no negative zero; it means nothing in a metric.
    metrics: dictionary(fc.double().map((value) => (value === 0 ? 0 : value))),
    meta: dictionary(text),
    parent: orNull(hex(32)),
    groups: fc.subarray([...GROUPS]),
    createdAt: count,
    logicalBytes: count,
    storedBytes: count,
    height: fc.nat(16),
    droppedGroups: fc.subarray([...GROUPS]),
  }),
  { maxLength: 5 },
);

const mark = fc.record({ id: hex(32), run: text });
export const roots: fc.Arbitrary<Root> = fc.record({
  generation: count,
  writeId: hex(16),
  gcEpoch: count,
  runs: fc
    .array(fc.tuple(text, fc.record({ pages: fc.array(fc.record({ name, count }), { maxLength: 3 }) })))
    .map((runs) => new Map(runs)),
  tags: fc.array(fc.tuple(text, mark), { maxLength: 4 }).map((tags) => new Map(tags)),
  pins: fc.array(mark, { maxLength: 4 }),
  condemned: fc.array(text, { maxLength: 4 }),
});

const section: fc.Arbitrary<SectionReference> = fc
  .record({
    object: fc.oneof(fc.constant(''), name),
    offset: count,
    lengths: fc.tuple(fc.nat(2 ** 20), fc.nat(2 ** 20)),
    checksum: fc.uint8Array({ minLength: 8, maxLength: 8 }),
  })
  .map(({ object, offset, lengths, checksum }) => ({
    object,
    offset,
    length: Math.min(...lengths),
    rawLength: Math.max(...lengths),
    checksum,
  }));

export const manifests: fc.Arbitrary<Manifest> = fc.record({
  name: fc.constant('manifest'),
  checkpoint: hex(32),
  layout: section,
  facts: section,
  idPages: fc.array(section, { maxLength: 3 }),
  segments: fc.array(name, { maxLength: 3 }),
});

/** The records of one pack, in order, from offset 8 on. */
export function packEntries(pack: string): fc.Arbitrary<ChunkEntry[]> {
  const record = fc.record({
    id: chunkId,
    gap: fc.nat(3),
    length: fc.integer({ min: 1, max: 2 ** 24 }),
    rawLength: fc.nat(2 ** 24),
    references: fc.array(chunkId, { maxLength: 8 }),
    height: fc.integer({ min: 1, max: 16 }),
    checksum: fc.nat(2 ** 32 - 1),
  });
  return fc.array(record, { maxLength: 6 }).map((records) => {
    let end = 8;
    return records.map(({ gap, height, ...rest }) => {
      const offset = end + gap;
      end = offset + rest.length;
      return { ...rest, pack, offset, height: rest.references.length > 0 ? height : 0 };
    });
  });
}

/** Entries of several packs, pack by pack. */
export const segmentEntries: fc.Arbitrary<ChunkEntry[]> = fc
  .uniqueArray(name, { maxLength: 3 })
  .chain((packs) => fc.tuple(...packs.map(packEntries)))
  .map((lists) => lists.flat());

const stream = fc.record({
  key: text,
  dtype: fc.constantFrom(...DTYPES),
  chunking: fc.constantFrom('grid' as const, 'bytes' as const, 'content' as const),
  elements: fc.nat(5000),
});

/** A layout whose tensors and files lie inside its streams, and content that belongs to it. */
export const layoutsWithContent: fc.Arbitrary<{ layout: Layout; content: Content }> = fc
  .array(stream, { minLength: 1, maxLength: 4 })
  .chain((streams) =>
    fc.record({
      layout: fc.record({
        streams: fc.constant(streams),
        tensors: fc.array(tensorIn(streams)),
        files: fc.array(fileIn(streams)),
      }),
      directories: fc.array(text, { maxLength: 3 }),
      settings: fc.array(dictionary<number | boolean>(fc.oneof(fc.double(), fc.boolean())), { maxLength: 2 }),
      seed: chunkId,
      digest: hex(16),
    }),
  )
  .map(({ layout, directories, settings, seed, digest }) => ({
    layout,
    content: {
      streams: layout.streams.map((item, at) => contentOf(item, at, seed)),
      files: layout.files.map((_, at) => ({ path: `file-${at}`, digest })),
      directories,
      settings,
    },
  }));

function tensorIn(streams: Layout['streams']): fc.Arbitrary<TensorLayout> {
  return fc
    .record({
      at: fc.nat(streams.length - 1),
      name: text,
      group: fc.constantFrom(...GROUPS),
      part: fc.nat(4),
      strided: fc.boolean(),
    })
    .map(({ at, name, group, part, strided }) => {
      const { elements, dtype } = streams[at];
      const columns = Math.floor(elements / 4);
      const shape = strided ? [columns, 2] : [part, columns];
      const box = {
        origin: strided ? [0, 0] : [part, 0],
        extent: strided ? [columns, 2] : [Math.min(part, 1), columns],
        stream: at,
        elementOffset: 0,
        strides: strided ? [2, 1] : null,
      };
      return { name, group, dtype, shape, boxes: [box] };
    });
}

function fileIn(streams: Layout['streams']): fc.Arbitrary<Layout['files'][number]> {
  return fc
    .record({
      at: fc.nat(streams.length - 1),
      format: text,
      mode: fc.nat(0o777),
      skeleton: fc.nat(100),
      packed: orNull(count),
    })
    .map(({ at, format, mode, skeleton, packed }) => {
      const length = streamBytes(streams[at]);
      return {
        format,
        size: packed ?? length + skeleton,
        mode,
        skeleton: skeleton === 0 ? null : at,
        pieces: [
          { kind: 'skeleton' as const, length: skeleton },
          { kind: 'stream' as const, stream: at, byteOffset: 0, length },
        ],
        ...(packed !== null && { unpackedSize: length + skeleton }),
      };
    });
}

function contentOf(item: Layout['streams'][number], at: number, seed: ChunkId): Content['streams'][number] {
  const total = streamBytes(item);
  const size = item.chunking === 'content' ? 3000 : chunkBytes(item, CHUNK_ELEMENTS);
  const chunks = Math.ceil(total / size);
  const ids = Array.from(
    { length: chunks },
    (_, index) => `${seed.slice(0, 24)}${hex8(at * 4096 + index)}` as ChunkId,
  );
  const lengths = ids.map((_, index) => Math.min(size, total - index * size));
  return { ids, lengths: item.chunking === 'content' ? lengths : null };
}

function hex8(value: number): string {
  return value.toString(16).padStart(8, '0');
}
