/** Writes GGUF files, also such that no writer would: every number is taken as it is given. */
import { littleEndian } from '../reliability/dice.js';
import { joined } from '../reliability/malformed-pickle.js';

export interface GgufTensor {
  name: string;
  /** Fastest first, as in the file. */
  dims: number[];
  type: number;
  place: number;
}

export interface GgufDraft {
  magic: string;
  version: number;
  tensorCount?: number;
  valueCount?: number;
  /** Key, type and bytes of each value. */
  values: { key: string; type: number; bytes: Uint8Array }[];
  tensors: GgufTensor[];
  alignment: number;
  data: Uint8Array;
}

/** Returns a number of the version's width: 32 bits in the first, 64 from the second on. */
export function ggufCount(value: number, version: number): Uint8Array {
  return littleEndian(value, version === 1 ? 4 : 8);
}

export function ggufText(text: string, version: number): Uint8Array {
  const bytes = new TextEncoder().encode(text);
  return Uint8Array.from([...ggufCount(bytes.length, version), ...bytes]);
}

/** A sound draft of two tensors. */
export function ggufDraft(version = 3): GgufDraft {
  return {
    magic: 'GGUF',
    version,
    values: [{ key: 'general.name', type: 8, bytes: ggufText('tiny', version) }],
    tensors: [
      { name: 'a', dims: [3, 2], type: 0, place: 0 },
      { name: 'b', dims: [32, 2], type: 8, place: 32 },
    ],
    alignment: 32,
    data: Uint8Array.from({ length: 32 + 68 }, (_, index) => index),
  };
}

export function writeGguf(draft: GgufDraft): Uint8Array {
  const { magic, version, values, tensors, alignment, data } = draft;
  const count = (value: number) => ggufCount(value, version);
  const parts: Uint8Array[] = [
    new TextEncoder().encode(magic),
    littleEndian(version, 4),
    count(draft.tensorCount ?? tensors.length),
    count(draft.valueCount ?? values.length),
  ];
  for (const { key, type, bytes } of values) parts.push(ggufText(key, version), littleEndian(type, 4), bytes);
  for (const { name, dims, type, place } of tensors) {
    parts.push(ggufText(name, version), littleEndian(dims.length, 4), ...dims.map(count));
    parts.push(littleEndian(type, 4), littleEndian(place, 8));
  }
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  parts.push(new Uint8Array(Math.ceil(length / alignment) * alignment - length), data);
  return joined(parts);
}
