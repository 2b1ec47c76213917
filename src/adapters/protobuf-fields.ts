import type { ByteReader } from '../bytes/index.js';

/** A field of a protobuf message: its number, and what follows as a number or as bytes. */
export type ProtobufField =
  | { number: number; value: number; bytes?: undefined }
  | { number: number; value?: undefined; bytes: ByteReader };

/** Reads the fields of a message one after the other, up to the end of `reader`. Values are at most 53 bits. */
export function* protobufFields(reader: ByteReader): Generator<ProtobufField> {
  while (reader.remaining > 0) {
    const at = reader.offset;
    const tag = reader.varint();
    const number = Math.floor(tag / 8);
    const wireType = tag % 8;
    if (wireType === 0) yield { number, value: reader.varint() };
    else if (wireType === 1) yield { number, bytes: reader.inner(8) };
    else if (wireType === 2) yield { number, bytes: reader.inner(reader.varint()) };
    else if (wireType === 5) yield { number, bytes: reader.inner(4) };
    else reader.fail('protobuf-field', `a field of wire type ${wireType}`, at);
  }
}

/** Returns what is left of a reader as text; whatever is no UTF-8 becomes U+FFFD. */
export function protobufText(reader: ByteReader): string {
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(reader.view8(reader.remaining));
}
