/**
 * Malformed objects of a store, made one from another seed: bytes, and values that lie under a checksum that is right, and
 * what must hold of each.
 */
import fc from 'fast-check';
import { expect } from 'vitest';
import { ByteWriter } from '../../src/bytes/index.js';
import { isThetalogError } from '../../src/errors.js';
import { MAGIC, openEnvelopeAt } from '../../src/format/envelope.js';
import { packRecord } from '../../src/format/fields.js';
import {
  type CataloguePage,
  checkPackHeader,
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
  type Manifest,
  openSection,
  PACK_TRAILER_BYTES,
  packHeader,
  packSection,
} from '../../src/format/index.js';
import { FORMAT_VERSION } from '../../src/format/limits.js';
import { readMessagePack } from '../../src/format/message-pack.js';
import {
  CHUNK_ELEMENTS,
  catalogueEntries,
  layoutsWithContent,
  manifests,
  packEntries,
  roots,
  segmentEntries,
} from '../format/arbitraries.js';
import { hasher, PACK } from '../format/examples.js';
import { Dice, damaged } from './dice.js';
import { recordEvidence } from './evidence.js';
import { malformedForm, malformedFrame, readForm, readFrame } from './malformed-forms.js';
import { type DamagedRecord, malformedRecord, readRecord } from './malformed-records.js';
import { mutated } from './mutated-values.js';

const OBJECT = 'object';
const SAMPLES = { numRuns: 40, seed: 20261122 };
const CASE_MS = 2000;

/** One kind of object: how a malformed one is made, and how it is read. `read` returns what writing it again gives. */
export interface ObjectParser<Input = unknown> {
  readonly part: string;
  readonly make: (dice: Dice) => Input;
  readonly read: (input: Input) => Uint8Array | undefined;
}

function parser<Input>(one: ObjectParser<Input>): ObjectParser {
  return { ...one, read: (input) => one.read(input as Input) };
}

/** A payload in a frame, with a right checksum; not deflated, which would take longer than all the rest. */
function sealed(magic: string, payload: Uint8Array): Uint8Array {
  const writer = new ByteWriter();
  for (let index = 0; index < 4; index++) writer.u8(magic.charCodeAt(index));
  writer.u8(FORMAT_VERSION);
  writer.u8(0);
  writer.u16(0);
  writer.u32(payload.length);
  writer.u32(payload.length);
  writer.bytes(payload);
  writer.bigU64(hasher.checksum(writer.written()));
  return writer.finish();
}

/** A sealed record with a value that lies, or a payload that is damaged, under a right checksum; or damaged bytes. */
function malformedRecordObject(sound: Uint8Array, magic: string, dice: Dice): Uint8Array {
  if (dice.oneIn(4)) return damaged(sound, dice);
  const { payload } = openEnvelopeAt(hasher, magic, sound, OBJECT);
  if (dice.oneIn(2)) return sealed(magic, damaged(payload, dice));
  return sealed(magic, packRecord(mutated(readMessagePack(payload, OBJECT), dice)));
}

function malformedTableObject(sound: Uint8Array, magic: string, dice: Dice): Uint8Array {
  if (dice.oneIn(4)) return damaged(sound, dice);
  return sealed(magic, damaged(openEnvelopeAt(hasher, magic, sound, OBJECT).payload, dice));
}

const sample = <T>(arbitrary: fc.Arbitrary<T>): T[] => fc.sample(arbitrary, SAMPLES);

function recordParser<T>(
  part: string,
  magic: string,
  samples: readonly T[],
  encode: (value: T) => Uint8Array,
  decode: (bytes: Uint8Array) => T,
): ObjectParser {
  const sound = samples.map(encode);
  return parser({
    part,
    make: (dice) => malformedRecordObject(dice.pick(sound), magic, dice),
    read: (bytes: Uint8Array) => encode(decode(bytes)),
  });
}

const CONTENTS = sample(layoutsWithContent);
const LAYOUTS = CONTENTS.map(({ layout }) => encodeLayout(layout));
const FACTS = CONTENTS.map(({ layout, content }) => encodeFacts(layout, content));
const SEGMENTS = sample(segmentEntries).map((entries) => encodeSegment(hasher, entries));
const PACKS = sample(packEntries(PACK)).map((entries) => {
  const end = entries.reduce((most, { offset, length }) => Math.max(most, offset + length), 8);
  return { end: encodePackEnd(hasher, entries, end), recordsEnd: end };
});

interface MalformedPack {
  head: Uint8Array;
  footer: Uint8Array;
  trailer: Uint8Array;
  bytes: number;
}

function malformedPack(dice: Dice): MalformedPack {
  const { end, recordsEnd } = dice.pick(PACKS);
  const footer = end.subarray(0, -PACK_TRAILER_BYTES);
  const trailer = end.subarray(-PACK_TRAILER_BYTES);
  const part = dice.below(6);
  return {
    head: part === 0 ? damaged(packHeader(), dice) : packHeader(),
    footer: part > 1 ? malformedTableObject(footer, MAGIC.packFooter, dice) : footer,
    trailer: part === 1 ? damaged(trailer, dice) : trailer,
    bytes: recordsEnd + end.length,
  };
}

function readPack({ head, footer, trailer, bytes }: MalformedPack): Uint8Array {
  checkPackHeader(head, OBJECT);
  const { offset } = decodePackTrailer(trailer, bytes, OBJECT);
  return encodePackEnd(hasher, [...decodePackFooter(hasher, footer, offset, PACK, OBJECT)], offset);
}

/** A section whose reference lies about it, or whose stored bytes are damaged. */
function malformedSection(dice: Dice): { reference: ReturnType<typeof referenceOf>; stored: Uint8Array } {
  const { stored, rawLength, checksum } = packSection(hasher, dice.pick(LAYOUTS), true);
  const reference = referenceOf(stored.length, rawLength, checksum);
  if (dice.oneIn(2)) return { reference, stored: damaged(stored, dice) };
  const length = dice.pick([0, 1, reference.rawLength, 2 ** 28, 2 ** 29]);
  return { reference: { ...reference, [dice.pick(['length', 'rawLength'])]: length }, stored };
}

function referenceOf(length: number, rawLength: number, checksum: Uint8Array) {
  return { object: '', offset: 0, length, rawLength, checksum };
}

function malformedConfig(dice: Dice): Uint8Array {
  const config = { id: '0123456789abcdef'.repeat(2), chunkElements: 1024 };
  if (dice.oneIn(2)) return damaged(encodeStoreConfig(hasher, config), dice);
  return encodeStoreConfig(hasher, mutated(config, dice) as typeof config);
}

export const OBJECT_PARSERS: readonly ObjectParser[] = [
  recordParser(
    'root',
    MAGIC.root,
    sample(roots),
    (root) => encodeRoot(hasher, root),
    (bytes) => decodeRoot(hasher, bytes, OBJECT),
  ),
  recordParser(
    'catalogue page',
    MAGIC.page,
    sample(catalogueEntries).map((entries) => ({ name: OBJECT, run: 'gpt', entries })),
    (page: CataloguePage) => encodePage(hasher, page),
    (bytes) => decodePage(hasher, bytes, OBJECT),
  ),
  recordParser(
    'manifest',
    MAGIC.manifest,
    sample(manifests).map((manifest) => ({ ...manifest, name: OBJECT })),
    (value: Manifest) => encodeManifest(hasher, value),
    (bytes) => decodeManifest(hasher, bytes, OBJECT).manifest,
  ),
  recordParser(
    'lease',
    MAGIC.lease,
    [{ attempt: PACK, expiresAt: 1.7e12 }],
    (lease) => encodeLease(hasher, lease),
    (bytes) => decodeLease(hasher, bytes, OBJECT),
  ),
  parser({
    part: 'thetalog.json',
    make: malformedConfig,
    read: (bytes) => encodeStoreConfig(hasher, decodeStoreConfig(hasher, bytes, OBJECT)),
  }),
  parser({
    part: 'index segment',
    make: (dice) => malformedTableObject(dice.pick(SEGMENTS), MAGIC.segment, dice),
    read: (bytes) => encodeSegment(hasher, [...entriesOf(decodeSegment(hasher, bytes, OBJECT))]),
  }),
  parser({ part: 'pack', make: malformedPack, read: readPack }),
  parser({
    part: 'section',
    make: malformedSection,
    read: ({ reference, stored }) => openSection(hasher, reference, stored, OBJECT),
  }),
  parser({
    part: 'layout',
    make: (dice) => damaged(dice.pick(LAYOUTS), dice),
    read: (bytes) => encodeLayout(decodeLayout(bytes, OBJECT, true)),
  }),
  parser({
    part: 'content',
    make(dice) {
      const which = dice.below(CONTENTS.length);
      const { layout, content } = CONTENTS[which];
      const pages = encodeIdPages(content).map((page) => (dice.oneIn(4) ? damaged(page, dice) : page));
      return { layout, facts: damaged(FACTS[which], dice), pages };
    },
    read: ({ layout, facts, pages }) =>
      encodeFacts(layout, decodeContent(layout, CHUNK_ELEMENTS, facts, pages, OBJECT)),
  }),
  parser<DamagedRecord>({
    part: 'chunk record',
    make: malformedRecord,
    read: (record) => readRecord(record, OBJECT),
  }),
  parser({ part: 'zstd frame', make: malformedFrame, read: (frame) => readFrame(frame, OBJECT) }),
  parser({ part: 'unpacked form', make: malformedForm, read: (form) => readForm(form, OBJECT) }),
];

/** What came of the inputs: most are refused, some are read. */
export interface Readings {
  read: number;
  refused: number;
}

/** Tries `count` inputs from consecutive seeds and writes down that they held. */
export function tryObjects({ part, make, read }: ObjectParser, seed: number, count: number): Readings {
  const readings: Readings = { read: 0, refused: 0 };
  for (let number = seed; number < seed + count; number++) {
    const started = performance.now();
    try {
      read(make(new Dice(number)));
      readings.read++;
    } catch (error) {
      if (!isThetalogError(error, 'corrupt', 'unsupported') || error.object !== OBJECT)
        throw new Error(`${part}, seed ${number}`, { cause: error });
      readings.refused++;
    }
    const milliseconds = performance.now() - started;
    if (milliseconds > CASE_MS) expect.fail(`${part}, seed ${number}: ${milliseconds} ms`);
  }
  recordEvidence({ guarantee: 'malformed-inputs', part, cases: count });
  return readings;
}
