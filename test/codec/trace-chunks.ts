/** Chunks of the training traces in ../shared/traces, which not every machine has. */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type Codec, fromBase, type Level } from '../../src/codec/index.js';
import type { DType } from '../../src/tensor/index.js';

export const TRACES = fileURLToPath(new URL('../../../shared/traces/', import.meta.url));

/** Elements of a chunk in the default grid. */
const CHUNK_ELEMENTS = 262_144;

export const hasTraces = existsSync(TRACES);

/** A trace's tensors by name. */
export type Tensors = Map<string, Uint8Array>;

export function safetensorsTrace(step: number): Tensors {
  const file = readFileSync(`${TRACES}bf16/step-${step}.safetensors`);
  const headerLength = Number(file.readBigUInt64LE(0));
  const header = JSON.parse(file.toString('utf8', 8, 8 + headerLength)) as Record<
    string,
    { data_offsets: [number, number] }
  >;
  const tensors: Tensors = new Map();
  for (const [name, entry] of Object.entries(header)) {
    if (name === '__metadata__') continue;
    const [start, end] = entry.data_offsets;
    tensors.set(name, file.subarray(8 + headerLength + start, 8 + headerLength + end));
  }
  return tensors;
}

/** The uncompressed `data/N` records of a torch zip file, found by its central directory. */
export function torchTrace(path: string): Tensors {
  const file = readFileSync(`${TRACES}${path}`);
  const end = file.lastIndexOf(Buffer.from('PK\x05\x06', 'latin1'));
  let at = file.readUInt32LE(end + 16);
  const tensors: Tensors = new Map();
  for (let entry = file.readUInt16LE(end + 10); entry > 0; entry--) {
    const nameLength = file.readUInt16LE(at + 28);
    const name = file.toString('utf8', at + 46, at + 46 + nameLength);
    const size = file.readUInt32LE(at + 24);
    const local = file.readUInt32LE(at + 42);
    if (file.readUInt16LE(at + 10) !== 0) throw new Error(`${name} is compressed`);
    const start = local + 30 + file.readUInt16LE(local + 26) + file.readUInt16LE(local + 28);
    const record = /\/data\/\d+$/.test(name) ? name.slice(name.indexOf('/')) : undefined;
    if (record !== undefined) tensors.set(record, file.subarray(start, start + size));
    at += 46 + nameLength + file.readUInt16LE(at + 30) + file.readUInt16LE(at + 32);
  }
  return tensors;
}

export interface Sizes {
  readonly raw: number;
  readonly records: number;
  readonly ratio: number;
}

/** Encodes every chunk of a trace, checks that it decodes, and adds up the lengths. */
export function encodeTrace(
  codec: Codec,
  dtype: DType,
  elementBytes: number,
  next: Tensors,
  base: Tensors | undefined,
  level: Level,
): Sizes {
  let raw = 0;
  let records = 0;
  for (const [name, bytes] of next) {
    for (let start = 0; start < bytes.length; start += CHUNK_ELEMENTS * elementBytes) {
      const chunk = bytes.subarray(start, start + CHUNK_ELEMENTS * elementBytes);
      const from = base?.get(name)?.subarray(start, start + CHUNK_ELEMENTS * elementBytes);
      const { record, prediction } = codec.encode(chunk, dtype, fromBase(from), level);
      const decoded = codec.decode(record, chunk.length, prediction?.inputs ?? [], name);
      if (Buffer.compare(decoded, chunk) !== 0) throw new Error(`${name} does not round-trip`);
      raw += chunk.length;
      records += record.length;
    }
  }
  return { raw, records, ratio: raw / records };
}
