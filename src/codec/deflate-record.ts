/** Records of opaque bytes: raw DEFLATE streams (RFC 1951), with or without a preset dictionary. */
import { deflateSync, inflateSync } from 'fflate';
import { type ByteReader, ByteWriter } from '../bytes/index.js';
import { ENCODING } from './record-ids.js';

/** The window of DEFLATE: of a longer base only the end can be referred to. */
const DICTIONARY_BYTES_MAX = 32_768;

/** No DEFLATE stream expands more than this: 258 bytes from 2 bits. */
const EXPANSION_MAX = 1032;

export type DeflateLevel = 6 | 9;

function dictionaryOf(base: Uint8Array): Uint8Array {
  return base.subarray(Math.max(0, base.length - DICTIONARY_BYTES_MAX));
}

/** Returns the record of `raw`, with the end of `base` as dictionary if there is one. */
export function encodeDeflate(
  raw: Uint8Array,
  base: Uint8Array | undefined,
  level: DeflateLevel,
): Uint8Array {
  const options = base === undefined ? { level } : { level, dictionary: dictionaryOf(base) };
  const coded = deflateSync(raw, options);
  const writer = new ByteWriter(coded.length + 1);
  writer.u8(base === undefined ? ENCODING.deflate : ENCODING.deflateWithDictionary);
  writer.bytes(coded);
  return writer.finish();
}

/** Repetitions are looked for in so many bytes; they must be worth the time of DEFLATE. */
const SAMPLE_BYTES = 32_768;
const REPEATED_SHARE_MAX = 1 / 2;

/**
 * Returns the record of integers that repeat what is not far before, as masks and position ids do, or `other`, which is a
 * record of the same, where that is not far larger.
 */
export function smallerIfRepeated(raw: Uint8Array, other: Uint8Array): Uint8Array {
  const length = Math.min(raw.length, SAMPLE_BYTES);
  const start = (raw.length - length) >>> 1;
  const sample = deflateSync(raw.subarray(start, start + length), { level: 6 });
  if (sample.length * raw.length > other.length * length * REPEATED_SHARE_MAX) return other;
  const record = encodeDeflate(raw, undefined, 6);
  return record.length < other.length ? record : other;
}

/** Decodes the rest of a record, after its encoding byte. */
export function decodeDeflate(
  reader: ByteReader,
  rawLength: number,
  base: Uint8Array | undefined,
): Uint8Array {
  const start = reader.offset;
  const coded = reader.view8(reader.remaining);
  if (rawLength > coded.length * EXPANSION_MAX) {
    reader.fail('record-truncated', `too short for ${rawLength} bytes`, start);
  }
  // One byte more than expected shows a stream that is too long; fflate drops what does not fit.
  const out = new Uint8Array(rawLength + 1);
  const raw = inflated(reader, coded, out, base, start);
  if (raw.length !== rawLength) {
    reader.fail('record-length', `inflates to another length than ${rawLength}`, start);
  }
  return raw;
}

function inflated(
  reader: ByteReader,
  coded: Uint8Array,
  out: Uint8Array,
  base: Uint8Array | undefined,
  start: number,
): Uint8Array {
  try {
    return inflateSync(coded, base === undefined ? { out } : { out, dictionary: dictionaryOf(base) });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return reader.fail('record-deflate', `a DEFLATE stream is damaged (${reason})`, start);
  }
}
