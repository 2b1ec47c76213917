import type { ByteReader } from '../bytes/index.js';
import { ThetalogError } from '../errors.js';

/** The error for an id that a newer version may know. */
export function unsupported(reader: ByteReader, code: string, what: string, offset: number): ThetalogError {
  const message = `${reader.object}: unknown ${what} ${reader.bytes[offset]} of a record`;
  return new ThetalogError('unsupported', code, message, {
    object: reader.object,
    offset,
    hint: 'A newer version of thetalog may read it.',
  });
}
