/**
 * Malformed objects of a store, also such that lie under a right checksum: a typed error that names the object, or a value
 * that can be written again; 20,000 for each parser, a million in slow-malformed-inputs.test.ts. Seen to fail when
 * records are read by a general MessagePack library; without the check of bounds in ByteReader (all but thetalog.json and
 * sections); when an error of JSON.parse is not caught (thetalog.json); and when one of inflating is not (`inflateExactly`:
 * sections); when sequences may take more literals than there are (`takeLiterals`: unpacked form); and when streams of literals may end anywhere
 * and are not compared (`decodeStream`, `literalsOf`: zstd frame).
 */
import { expect, test } from 'vitest';
import { BLOCK, ENCODING, PREDICTOR } from '../../src/codec/record-ids.js';
import { OBJECT_PARSERS, tryObjects } from './malformed-objects.js';
import { RECORDS } from './malformed-records.js';

test.for(OBJECT_PARSERS)('20,000 malformed inputs: $part', (parser) => {
  const { read, refused } = tryObjects(parser, 1, 20_000);
  expect(refused).toBeGreaterThan(1000);
  expect(read).toBeGreaterThan(0);
});

test('every encoding and every predictor is among the records that are damaged', () => {
  const ids = (at: number, among = RECORDS) => new Set(among.map(({ record }) => record[at]));
  expect(ids(0)).toEqual(new Set(Object.values(ENCODING)));
  const planes = RECORDS.filter(({ record }) => record[0] === ENCODING.planes);
  expect(ids(2, planes)).toEqual(new Set(Object.values(PREDICTOR)));
  const ofBase = planes.filter(({ record }) => record[2] <= PREDICTOR.base);
  expect([...ids(3, ofBase)]).toEqual(
    expect.arrayContaining([
      BLOCK.zero,
      BLOCK.planes,
      BLOCK.classes,
      BLOCK.farClasses,
      BLOCK.gaps,
      BLOCK.prefix,
      BLOCK.touched,
      BLOCK.marked,
      BLOCK.steps,
    ]),
  );
});
