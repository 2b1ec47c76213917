/** Writes the index of a TensorBundle, also such that TensorFlow would not. */
import { littleEndian } from '../reliability/dice.js';
import { joined } from '../reliability/malformed-pickle.js';

/** The end of every table. */
export const MAGIC = Uint8Array.of(0x57, 0xfb, 0x80, 0x8b, 0x24, 0x75, 0x47, 0xdb);

export interface BundleEntry {
  key: string;
  value: Uint8Array;
}

export function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return Uint8Array.of(...bytes, rest);
    bytes.push((rest % 128) + 128);
  }
}

/** A field of a protobuf message: a number, or bytes. */
export function field(number: number, value: number | Uint8Array): Uint8Array {
  if (typeof value === 'number') return joined([varint(number * 8), varint(value)]);
  return joined([varint(number * 8 + 2), varint(value.length), value]);
}

export interface EntryDraft {
  key: string;
  type: number;
  shape: number[];
  shard: number;
  offset: number;
  size: number;
  more: Uint8Array;
}

export function entryOf({ key, type, shape, shard, offset, size, more }: EntryDraft): BundleEntry {
  const sizes = joined(shape.map((length) => field(2, field(1, length))));
  const fields = [field(1, type), field(2, sizes), field(3, shard), field(4, offset), field(5, size), more];
  return { key, value: joined(fields) };
}

/** A block; keys share what they have in common with the one before unless `plain`. */
export function block(entries: readonly BundleEntry[], compression = 0): Uint8Array {
  const parts: Uint8Array[] = [];
  let before = '';
  for (const { key, value } of entries) {
    let shared = 0;
    while (shared < Math.min(key.length, before.length) && key[shared] === before[shared]) shared++;
    const added = Uint8Array.from(key.slice(shared), (byte) => byte.charCodeAt(0));
    parts.push(varint(shared), varint(added.length), varint(value.length), added, value);
    before = key;
  }
  const restarts = [littleEndian(0, 4), littleEndian(1, 4)];
  return joined([...parts, ...restarts, Uint8Array.of(compression, 0, 0, 0, 0)]);
}

/** The first entry of a table has the empty key: `littleEndian` false says that the data is not. */
export function header(littleEndian = true): BundleEntry {
  const order = littleEndian ? [] : [field(2, 1)];
  return { key: '', value: joined([field(1, 1), ...order, field(3, field(1, 1))]) };
}

/** A table of one block for each list of entries. */
export function writeTable(blocks: readonly (readonly BundleEntry[])[], compression = 0): Uint8Array {
  const parts: Uint8Array[] = [];
  const handles: BundleEntry[] = [];
  let end = 0;
  const add = (bytes: Uint8Array): Uint8Array => {
    const handle = joined([varint(end), varint(bytes.length - 5)]);
    parts.push(bytes);
    end += bytes.length;
    return handle;
  };
  for (const entries of blocks)
    handles.push({ key: entries.at(-1)?.key ?? '', value: add(block(entries, compression)) });
  const places = joined([add(block([])), add(block(handles))]);
  return joined([...parts, places, new Uint8Array(40 - places.length), MAGIC]);
}
