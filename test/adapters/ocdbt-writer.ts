/** Writes data files of OCDBT databases for tests: values in frames of zstd that hold them as they are, and a node. */

import { ByteWriter } from '../../src/bytes/index.js';

/** A frame with its content in one raw block. */
export function rawFrame(content: Uint8Array): Uint8Array {
  const writer = new ByteWriter();
  writer.u32(0xfd2fb528);
  writer.u8(0xa0);
  writer.u32(content.length);
  const word = (content.length << 3) | 1;
  writer.bytes(Uint8Array.of(word, word >> 8, word >> 16));
  writer.bytes(content);
  return writer.finish();
}

export interface ValueDraft {
  key: string;
  /** In the node, or at this place of the data file. */
  value: Uint8Array | { offset: number; length: number };
}

export const bytesOf = (text: string): Uint8Array => Uint8Array.from(text, (letter) => letter.charCodeAt(0));

/** Numbers and bytes of a leaf, in their order; a test may change any of them. */
export function leafContent(
  path: string,
  values: readonly ValueDraft[],
  change = (_at: number, value: number) => value,
): Uint8Array {
  const writer = new ByteWriter();
  let count = 0;
  const number = (value: number) => writer.varint(change(count++, value));
  writer.u8(0);
  number(1);
  number(path.length);
  number(0);
  writer.bytes(bytesOf(path));
  number(values.length);
  let last = '';
  const keys = values.map(({ key }) => {
    let prefix = 0;
    while (prefix < last.length && last[prefix] === key[prefix]) prefix++;
    last = key;
    return { prefix, suffix: key.slice(prefix) };
  });
  for (const { prefix } of keys.slice(1)) number(prefix);
  for (const { suffix } of keys) number(suffix.length);
  for (const { suffix } of keys) writer.bytes(bytesOf(suffix));
  for (const { value } of values) number(value.length);
  for (const { value } of values) writer.u8(value instanceof Uint8Array ? 0 : 1);
  const outside = values.flatMap(({ value }) => (value instanceof Uint8Array ? [] : [value]));
  for (const _ of outside) number(0);
  for (const { offset } of outside) number(offset);
  for (const { value } of values) if (value instanceof Uint8Array) writer.bytes(value);
  return writer.finish();
}

/** A node as it stands in a file, with a checksum that is not right: nobody looks at it. */
export function nodeOf(content: Uint8Array): Uint8Array {
  const frame = rawFrame(content);
  const writer = new ByteWriter();
  writer.bytes(Uint8Array.of(0x0c, 0xdb, 0x20, 0xde));
  writer.u64(frame.length + 18);
  writer.bytes(Uint8Array.of(0, 1));
  writer.bytes(frame);
  writer.u32(0);
  return writer.finish();
}

export function zarrDescription(
  shape: readonly number[],
  dtype = '<f4',
  compressor = '{"id":"zstd","level":1}',
): Uint8Array {
  const text = `{"chunks":[${shape}],"compressor":${compressor},"dtype":"${dtype}","filters":null,"order":"C","shape":[${shape}]}`;
  return bytesOf(text);
}
