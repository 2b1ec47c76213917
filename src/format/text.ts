import type { ByteReader, ByteWriter } from '../bytes/index.js';
import { NAME_BYTES_MAX } from './limits.js';

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true });

/** Writes a text as varint byte length and UTF-8. */
export function writeText(writer: ByteWriter, text: string): void {
  const bytes = encoder.encode(text);
  writer.varint(bytes.length);
  writer.bytes(bytes);
}

/** Reads a text of at most NAME_BYTES_MAX bytes; broken UTF-8 is `corrupt`. */
export function readText(reader: ByteReader): string {
  const start = reader.offset;
  const length = reader.varint();
  if (length > NAME_BYTES_MAX) reader.fail('bad-length', 'a text is too long', start);
  try {
    return decoder.decode(reader.view8(length));
  } catch {
    return reader.fail('bad-text', 'a text is no UTF-8', start);
  }
}
