/**
 * What a manifest names to resolve its chunks: index segments by name, or the footer of a pack, which says the same of that
 * pack, as `<pack>:<offset>+<length>` (FORMAT.md, "Manifest").
 */
import { corrupt, ThetalogError } from '../errors.js';
import type { Hasher } from '../hash/index.js';
import type { ChunkTable } from './chunk-table.js';
import { isObjectName, objectKey } from './object-names.js';
import { decodePackFooter } from './pack-format.js';
import { decodeSegment } from './segment-format.js';

const FOOTER = /^([0-9a-f]{16}-[0-9]{1,10}):([1-9][0-9]{0,14})\+([1-9][0-9]{0,8})$/;

/** Where the bytes of a source are. */
export interface IndexSourcePlace {
  key: string;
  /** Of a footer in its pack; a segment is a whole object. */
  range?: { offset: number; length: number };
}

/** Returns how a manifest names the footer of a pack. */
export function footerSource(pack: string, offset: number, length: number): string {
  return `${pack}:${offset}+${length}`;
}

export function isFooterSource(source: string): boolean {
  return FOOTER.test(source);
}

/** Returns where a source is; one that nobody can have written is damage of `referrer`. */
export function placeOfSource(source: string, referrer: string): IndexSourcePlace {
  const footer = FOOTER.exec(source);
  if (footer !== null) {
    const [, pack, offset, length] = footer;
    return { key: objectKey('packs', pack), range: { offset: Number(offset), length: Number(length) } };
  }
  if (!isObjectName(source)) throw corrupt('bad-name', 'refers to an impossible index segment', referrer);
  return { key: objectKey('segments', source) };
}

/** Returns the key of the object that a source is in. */
export function sourceKey(source: string): string {
  return placeOfSource(source, 'a manifest').key;
}

/** Checks the bytes of a source and reads its tables, one after the other. */
export function* decodeSource(hasher: Hasher, source: string, bytes: Uint8Array): Generator<ChunkTable> {
  const { key, range } = placeOfSource(source, 'a manifest');
  if (range === undefined) return yield* decodeSegment(hasher, bytes, key);
  const pack = key.slice(key.indexOf('/') + 1);
  try {
    yield decodePackFooter(hasher, bytes, range.offset, pack, key);
  } catch (cause) {
    if (!(cause instanceof ThetalogError)) throw cause;
    const { kind, code, message } = cause;
    throw new ThetalogError(kind, code, message, { object: key, offset: range.offset, cause });
  }
}
