/**
 * Manifests: a head that names what a checkpoint consists of, and sections behind it. Sections that an earlier manifest
 * already holds are referred to instead of written again (FORMAT.md, "Manifest").
 */

import { deflateSync } from 'fflate';
import { corrupt } from '../errors.js';
import type { Hasher } from '../hash/index.js';
import { inflateExactly, MAGIC, openEnvelopeAt, sealEnvelope } from './envelope.js';
import { type Fields, packRecord, readOwnName, unpackRecord } from './fields.js';
import { isFooterSource } from './index-source.js';
import { FOOTERS_VERSION, FORMAT_VERSION, MANIFEST_VERSION, PAYLOAD_BYTES_MAX } from './limits.js';

/** Where the bytes of a section lie. */
export interface SectionReference {
  /** Name of the manifest object that holds it; empty: the manifest itself. */
  object: string;
  /** From the start of the object; in the manifest itself from the end of its head. */
  offset: number;
  /** Stored bytes. */
  length: number;
  /** Bytes after inflating; equal to `length` for a section stored as it is. */
  rawLength: number;
  /** XXH64 of the raw bytes, 8 bytes big-endian. */
  checksum: Uint8Array;
}

export interface Manifest {
  /** Its own; empty in those of before this field. An object found under another name than its own is damage. */
  name: string;
  checkpoint: string;
  layout: SectionReference;
  /** Chunk lengths of content-cut streams and digests of files. */
  facts: SectionReference;
  /** Chunk ids of all streams in order, IDS_PER_PAGE to a page. */
  idPages: SectionReference[];
  /** What resolves every chunk, bases included: index segments and footers of packs (`index-source.ts`). */
  segments: string[];
  /** There if its layout may have files in unpacked form. */
  unpacked?: true;
}

/** A manifest as read, with the offset where its own sections start. */
export interface OpenedManifest {
  manifest: Manifest;
  bodyOffset: number;
}

/** A section to be written: stored bytes and the reference to them. */
export interface PackedSection {
  stored: Uint8Array;
  rawLength: number;
  checksum: Uint8Array;
}

/** Packs a section, deflated where that helps. */
export function packSection(hasher: Hasher, raw: Uint8Array, compress: boolean): PackedSection {
  const packed = compress ? deflateSync(raw, { level: 9 }) : raw;
  const stored = packed.length < raw.length ? packed : raw;
  return { stored, rawLength: raw.length, checksum: checksumBytes(hasher, raw) };
}

/** Checks and unpacks the stored bytes of a section. */
export function openSection(
  hasher: Hasher,
  reference: SectionReference,
  stored: Uint8Array,
  object: string,
): Uint8Array {
  if (stored.length !== reference.length)
    throw corrupt('truncated', 'a section is cut off', object, reference.offset);
  const raw =
    reference.length === reference.rawLength ? stored : inflateExactly(stored, reference.rawLength, object);
  if (!equalBytes(checksumBytes(hasher, raw), reference.checksum)) {
    throw corrupt('bad-checksum', 'the checksum of a section does not match', object, reference.offset);
  }
  return raw;
}

/** Returns the checksum of a section as it stands in references. */
export function checksumBytes(hasher: Hasher, raw: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, hasher.checksum(raw));
  return bytes;
}

/** Returns true for equal bytes. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((value, index) => value === b[index]);
}

/** Encodes the head of a manifest; its own sections follow it. */
export function encodeManifest(hasher: Hasher, manifest: Manifest): Uint8Array {
  return sealEnvelope(hasher, MAGIC.manifest, packRecord(manifest), versionOf(manifest));
}

/** The least version that has what is in a manifest. */
function versionOf({ segments, unpacked }: Manifest): number {
  if (unpacked === true) return MANIFEST_VERSION;
  return segments.some(isFooterSource) ? FOOTERS_VERSION : FORMAT_VERSION;
}

/** Decodes and checks the head of a manifest. */
export function decodeManifest(hasher: Hasher, bytes: Uint8Array, object: string): OpenedManifest {
  const { version, payload, length } = openEnvelopeAt(
    hasher,
    MAGIC.manifest,
    bytes,
    object,
    MANIFEST_VERSION,
  );
  const fields = unpackRecord(payload, object);
  const manifest: Manifest = {
    name: readOwnName(fields, object),
    checkpoint: fields.text('checkpoint'),
    layout: decodeReference(fields.map('layout'), object),
    facts: decodeReference(fields.map('facts'), object),
    idPages: fields.records('idPages').map((page) => decodeReference(page, object)),
    segments: fields.texts('segments'),
    ...(fields.names().includes('unpacked') && { unpacked: true as const }),
  };
  if (version < versionOf(manifest))
    throw corrupt('bad-version', 'has footers or unpacked files, which its version has not', object);
  return { manifest, bodyOffset: length };
}

function decodeReference(fields: Fields, object: string): SectionReference {
  const reference = {
    object: fields.text('object'),
    offset: fields.count('offset'),
    length: fields.count('length'),
    rawLength: fields.count('rawLength'),
    checksum: fields.bytes('checksum', 8),
  };
  if (reference.rawLength > PAYLOAD_BYTES_MAX || reference.length > reference.rawLength) {
    throw corrupt('bad-length', 'a section has an impossible length', object);
  }
  return reference;
}
