/**
 * The unpacked form of a file with frames of zstd: what these contain, back to back, and a script that says how the file comes of it
 * (FORMAT.md, "Unpacked files").
 */
import { ByteReader } from '../bytes/index.js';
import { corrupt, ThetalogError } from '../errors.js';

/** `TLUP`, a version, three zeros. */
export const FORM_MAGIC = [0x54, 0x4c, 0x55, 0x50] as const;
export const FORM_VERSION = 1;
export const FORM_HEADER_BYTES = 8;
/** The length of the script. */
export const FORM_TRAILER_BYTES = 8;
/** Guards memory: a script is read as a whole. Structures take 0.2 % of compressed weights. */
export const SCRIPT_BYTES_MAX = 64 * 2 ** 20;

/** What comes next in the file: bytes of the body, bytes of the script, or a frame. */
export const STEP = { body: 1, script: 2, frame: 3 } as const;

/** A part of the file. */
export interface UnpackedPart {
  kind: 'body' | 'script' | 'frame';
  /** Where it lies in the file. */
  offset: number;
  length: number;
  /** Where its bytes, or the content of the frame, lie in the unpacked form; of bytes of the script nothing lies there. */
  position: number;
  contentLength: number;
  /** Bytes of the script: the part itself, or the structure of the frame. */
  script: ByteReader;
}

/** Returns whether bytes begin as an unpacked form. */
export function isUnpackedForm(head: Uint8Array): boolean {
  return head.length >= FORM_HEADER_BYTES && FORM_MAGIC.every((byte, at) => head[at] === byte);
}

/** Returns where the script of an unpacked form of `size` bytes lies; `trailer` are its last bytes. */
export function placeOfScript(
  head: Uint8Array,
  trailer: Uint8Array,
  size: number,
  object: string,
): { offset: number; length: number } {
  if (!isUnpackedForm(head) || size < FORM_HEADER_BYTES + FORM_TRAILER_BYTES)
    throw corrupt('bad-form', 'is no unpacked file', object, 0);
  if (head[4] !== FORM_VERSION || head[5] + head[6] + head[7] > 0) {
    const message = `${object}: version ${head[4]} of unpacked files is not known to this build`;
    throw new ThetalogError('unsupported', 'form-version', message, { object, hint: 'Upgrade thetalog.' });
  }
  const length = new ByteReader(trailer, object).u64();
  const offset = size - FORM_TRAILER_BYTES - length;
  if (length > SCRIPT_BYTES_MAX || offset < FORM_HEADER_BYTES)
    throw corrupt('bad-form', 'has an impossible script', object, size - FORM_TRAILER_BYTES);
  return { offset, length };
}

/** Yields the parts of a file, in order; `end` is where the body of the unpacked form ends, and all of it must be used. */
export function* unpackedParts(script: Uint8Array, end: number, object: string): Generator<UnpackedPart> {
  const reader = new ByteReader(script, object, 0, script.length, end);
  let offset = 0;
  let position = FORM_HEADER_BYTES;
  while (reader.remaining > 0) {
    const step = reader.u8();
    const first = reader.varint();
    const kind = step === STEP.body ? 'body' : step === STEP.script ? 'script' : 'frame';
    if (kind === 'frame' && step !== STEP.frame) reader.fail('bad-form', 'an unknown step');
    const contentLength = kind === 'frame' ? reader.varint() : kind === 'body' ? first : 0;
    const length = kind === 'frame' ? reader.varint() : first;
    if (contentLength > end - position) reader.fail('bad-form', 'a step reaches beyond the body');
    yield {
      kind,
      offset,
      length,
      position,
      contentLength,
      script: reader.inner(kind === 'body' ? 0 : first),
    };
    offset += length;
    position += contentLength;
  }
  if (position !== end) reader.fail('bad-form', 'a part of the body is not used');
}
