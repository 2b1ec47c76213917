/**
 * Writes torch.save archives of any size as torch 2.x does: stored records aligned to 64 bytes, empty sizes in the local
 * headers, data descriptors, ZIP64 end records always. Storages can be larger than memory: a file is a list of pieces and
 * reads as zeros between them.
 */
import { crc32 } from 'node:zlib';
import { ByteWriter } from '../../src/bytes/index.js';
import {
  type PickleStyle,
  PyCall,
  PyGlobal,
  type PyReference,
  PyTuple,
  type PyValue,
  PyReference as Reference,
  writePickle,
} from './pickle-writer.js';
import { SparseSource } from './sources.js';

/** The bytes of a storage, or how many zeros it has. */
export class StorageSpec {
  readonly length: number;
  constructor(
    readonly className: string,
    readonly elementBytes: number,
    readonly content: Uint8Array | number,
  ) {
    this.length = typeof content === 'number' ? content : content.length;
  }
}

export function floats(...values: number[]): StorageSpec {
  return new StorageSpec('FloatStorage', 4, new Uint8Array(new Float32Array(values).buffer));
}

export function zeros(count: number): StorageSpec {
  return new StorageSpec('FloatStorage', 4, count * 4);
}

function rowMajor(shape: readonly number[]): number[] {
  return shape.map((_, axis) => shape.slice(axis + 1).reduce((product, size) => product * size, 1));
}

/** Makes the pickled form of tensors and hands out storage keys in the order in which storages are met. */
export class TorchArchive {
  readonly storages: StorageSpec[] = [];

  reference(storage: StorageSpec): PyReference {
    if (!this.storages.includes(storage)) this.storages.push(storage);
    const key = String(this.storages.indexOf(storage));
    const storageClass = new PyGlobal('torch', storage.className);
    return new Reference(
      new PyTuple('storage', storageClass, key, 'cpu', storage.length / storage.elementBytes),
    );
  }

  tensor(storage: StorageSpec, shape: readonly number[], offset = 0, strides = rowMajor(shape)): PyCall {
    const hooks = new PyCall(new PyGlobal('collections', 'OrderedDict'), new PyTuple());
    const args = [
      this.reference(storage),
      offset,
      new PyTuple(...shape),
      new PyTuple(...strides),
      false,
      hooks,
    ];
    return new PyCall(new PyGlobal('torch._utils', '_rebuild_tensor_v2'), new PyTuple(...args));
  }

  /** A tensor of zeros with a storage of its own. */
  zeros(...shape: number[]): PyCall {
    return this.tensor(zeros(shape.reduce((product, size) => product * size, 1)), shape);
  }
}

export interface TorchZipOptions extends PickleStyle {
  name?: string;
  byteOrder?: string;
}

/** Writes the archive of what `make` pickles. */
export function torchFile(
  make: (archive: TorchArchive) => PyValue,
  options: TorchZipOptions = {},
): SparseSource {
  const archive = new TorchArchive();
  const pickle = writePickle(make(archive), options);
  const text = (value: string) => new TextEncoder().encode(value);
  const records: [string, Uint8Array | number][] = [
    ['data.pkl', pickle],
    ['.format_version', text('1')],
    ['.storage_alignment', text('64')],
    ['byteorder', text(options.byteOrder ?? 'little')],
    ...archive.storages.map((storage, key): [string, Uint8Array | number] => [
      `data/${key}`,
      storage.content,
    ]),
    ['version', text('3\n')],
    ['.data/serialization_id', text('0123456789012345678901234567890123456789')],
  ];
  return zipOf(records, options.name ?? 'archive');
}

const ALIGNMENT = 64;
const FULL_32 = 0xffffffff;
const FLAGS = 0x808;

function zipOf(records: readonly [string, Uint8Array | number][], prefix: string): SparseSource {
  const file = new SparseSource(`${prefix}.pt`);
  const directory = new ByteWriter();
  for (const [record, content] of records) {
    const name = new TextEncoder().encode(`${prefix}/${record}`);
    const length = typeof content === 'number' ? content : content.length;
    const checksum = typeof content === 'number' ? 0 : crc32(content);
    const headerOffset = file.size;
    file.append(localHeader(name, headerOffset));
    if (typeof content === 'number') file.skip(content);
    else file.append(content);
    file.append(descriptor(checksum, length));
    directoryEntry(directory, name, checksum, length, headerOffset);
  }
  const directoryOffset = file.size;
  file.append(directory.finish());
  file.append(endRecords(records.length, directory.length, directoryOffset));
  return file;
}

function localHeader(name: Uint8Array, offset: number): Uint8Array {
  const out = new ByteWriter();
  const unpadded = offset + 30 + name.length + 4;
  const padding = (ALIGNMENT - (unpadded % ALIGNMENT)) % ALIGNMENT;
  out.u32(0x04034b50);
  for (const field of [0, FLAGS, 0, 0, 0]) out.u16(field);
  for (const field of [0, 0, 0]) out.u32(field);
  out.u16(name.length);
  out.u16(padding + 4);
  out.bytes(name);
  out.u16(0x4246);
  out.u16(padding);
  out.bytes(new Uint8Array(padding).fill(0x5a));
  return out.finish();
}

function descriptor(checksum: number, length: number): Uint8Array {
  const out = new ByteWriter();
  out.u32(0x08074b50);
  out.u32(checksum);
  for (let field = 0; field < 2; field++) {
    if (length >= FULL_32) out.u64(length);
    else out.u32(length);
  }
  return out.finish();
}

function directoryEntry(
  out: ByteWriter,
  name: Uint8Array,
  checksum: number,
  length: number,
  headerOffset: number,
): void {
  const wide = [length, length, headerOffset].filter((value) => value >= FULL_32);
  out.u32(0x02014b50);
  for (const field of [0, 0, FLAGS, 0, 0, 0]) out.u16(field);
  out.u32(checksum);
  out.u32(Math.min(length, FULL_32));
  out.u32(Math.min(length, FULL_32));
  for (const field of [name.length, wide.length === 0 ? 0 : 4 + 8 * wide.length, 0, 0, 0]) out.u16(field);
  out.u32(0);
  out.u32(Math.min(headerOffset, FULL_32));
  out.bytes(name);
  if (wide.length === 0) return;
  out.u16(1);
  out.u16(8 * wide.length);
  for (const value of wide) out.u64(value);
}

function endRecords(count: number, bytes: number, offset: number): Uint8Array {
  const out = new ByteWriter();
  out.u32(0x06064b50);
  out.u64(44);
  out.u16(0x31e);
  out.u16(45);
  out.u32(0);
  out.u32(0);
  for (const field of [count, count, bytes, offset]) out.u64(field);
  out.u32(0x07064b50);
  out.u32(0);
  out.u64(offset + bytes);
  out.u32(1);
  out.u32(0x06054b50);
  for (const field of [0, 0, count, count]) out.u16(field);
  out.u32(bytes);
  out.u32(Math.min(offset, FULL_32));
  out.u16(0);
  return out.finish();
}
