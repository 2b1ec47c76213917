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

/** What comes next in the file: bytes of the body, bytes of the script, a frame, or a frame whose content has a script of its own. */
export const STEP = { body: 1, script: 2, frame: 3, nest: 4 } as const;
/** Largest content with a script of its own, and largest body of that: both are held in memory. */
export const NEST_BYTES_MAX = 8 * 2 ** 20;

/** A part of the file. */
export interface UnpackedPart {
  kind: 'body' | 'script' | 'frame' | 'nest';
  /** Where it lies in the file. */
  offset: number;
  length: number;
  /** Where its bytes, or what the frame contains, lie in the unpacked form; of bytes of the script nothing lies there. */
  position: number;
  bodyLength: number;
  /** Bytes of the script: the part itself, or the structure of the frame. */
  script: ByteReader;
  /** What comes of the body that is its own by a script of its own: the content of the frame. */
  inner?: { length: number; script: ByteReader };
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

/** Yields the parts of a file, in order; their bodies fill `[start, end)` of the unpacked form. */
export function* unpackedParts(script: ByteReader, start: number, end: number): Generator<UnpackedPart> {
  let offset = 0;
  let position = start;
  while (script.remaining > 0) {
    const part = readPart(script, offset, position);
    if (part.bodyLength > end - position) script.fail('bad-form', 'a step reaches beyond the body');
    yield part;
    offset += part.length;
    position += part.bodyLength;
  }
  if (position !== end) script.fail('bad-form', 'a part of the body is not used');
}

function readPart(script: ByteReader, offset: number, position: number): UnpackedPart {
  const step = script.u8();
  const length = script.varint();
  const place = { offset, length, position, bodyLength: 0 };
  if (step === STEP.body) return { ...place, kind: 'body', bodyLength: length, script: script.inner(0) };
  if (step === STEP.script) return { ...place, kind: 'script', script: script.inner(length) };
  const bodyLength = script.varint();
  const structure = script.inner(script.varint());
  if (step === STEP.frame) return { ...place, kind: 'frame', bodyLength, script: structure };
  if (step !== STEP.nest) script.fail('bad-form', 'an unknown step');
  const contentLength = script.varint();
  const inner = { length: contentLength, script: script.inner(script.varint()) };
  if (contentLength > NEST_BYTES_MAX || bodyLength > NEST_BYTES_MAX)
    script.fail('bad-form', 'a content with a script of its own is too long');
  return { ...place, kind: 'nest', bodyLength, script: structure, inner };
}
