/**
 * Groups of HDF5: which names lead to which objects, either by link messages or by a B-tree of symbol tables and a heap of names.
 * Source: HDF5 File Format Specification 3.0, sections III.A, III.B, III.D, IV.A.2.g. Links in a fractal heap (more than eight
 * in a group, in files of the newest form) are not looked for: what they lead to stays in the skeleton.
 */
import type { ByteReader } from '../bytes/index.js';
import { type Hdf5Source, type ObjectMessage, readAddress, readWidth } from './hdf5-objects.js';

const MESSAGE_LINK = 6;
const MESSAGE_SYMBOL_TABLE = 0x11;
const TREE = 0x45455254;
const SNOD = 0x444f4e53;
const HEAP = 0x50414548;
const NODE_BYTES = 24;
const TREE_DEPTH_MAX = 32;
const SYMBOL_BYTES = 40;
const NAME_BYTES_MAX = 4096;

/** A name in a group, and where the header of its object is. */
export interface Hdf5Link {
  name: string;
  address: number;
}

/** Returns the hard links of a group; none for everything else. */
export async function readLinks(file: Hdf5Source, messages: readonly ObjectMessage[]): Promise<Hdf5Link[]> {
  const links: Hdf5Link[] = [];
  for (const { type, isShared, content } of messages) {
    if (isShared) continue;
    if (type === MESSAGE_LINK) links.push(...readLink(content));
    else if (type === MESSAGE_SYMBOL_TABLE) {
      const [tree, heap] = [readAddress(content), readAddress(content)];
      if (tree === undefined || heap === undefined) continue;
      const names = await readHeap(file, heap);
      await walkTree(file, tree, TREE_DEPTH_MAX, names, links);
    }
  }
  return links;
}

/** Soft and external links lead to names, not to objects. */
function readLink(reader: ByteReader): Hdf5Link[] {
  if (reader.u8() !== 1) reader.fail('hdf5-link', 'a version that is not known');
  const flags = reader.u8();
  const type = (flags & 8) === 0 ? 0 : reader.u8();
  if ((flags & 4) !== 0) reader.view8(8);
  if ((flags & 0x10) !== 0) reader.u8();
  const name = decodeName(reader.view8(readWidth(reader, flags & 3)));
  if (type !== 0) return [];
  const address = readAddress(reader);
  return address === undefined ? [] : [{ name, address }];
}

function decodeName(bytes: Uint8Array): string {
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes.subarray(0, NAME_BYTES_MAX));
}

async function readHeap(file: Hdf5Source, address: number): Promise<ByteReader> {
  const header = await file.read(address, 32);
  if (header.u32() !== HEAP) header.fail('hdf5-heap', 'no heap of names', 0);
  header.view8(4);
  const length = header.u64();
  header.view8(8);
  return file.read(header.u64(), length);
}

async function walkTree(
  file: Hdf5Source,
  address: number,
  depth: number,
  names: ByteReader,
  links: Hdf5Link[],
): Promise<void> {
  const header = await file.read(address, NODE_BYTES);
  const signature = header.u32();
  if (signature === SNOD) {
    header.view8(2);
    await readSymbols(file, address + 8, header.u16(), names, links);
    return;
  }
  if (signature !== TREE || header.u8() !== 0) header.fail('hdf5-tree', 'no node of a tree of names', 0);
  if (depth === 0) header.fail('hdf5-tree', 'a tree that is too deep', 0);
  header.u8();
  const count = header.u16();
  const children = await file.read(address + NODE_BYTES, count * 16);
  for (let index = 0; index < count; index++) {
    children.view8(8);
    await walkTree(file, children.u64(), depth - 1, names, links);
  }
}

async function readSymbols(
  file: Hdf5Source,
  address: number,
  count: number,
  names: ByteReader,
  links: Hdf5Link[],
): Promise<void> {
  const reader = await file.read(address, count * SYMBOL_BYTES);
  for (let index = 0; index < count; index++) {
    const at = reader.offset;
    const nameAt = reader.u64();
    const object = readAddress(reader);
    reader.view8(24);
    if (nameAt >= names.bytes.length) reader.fail('hdf5-name', 'a name outside of its heap', at);
    const longest = names.bytes.subarray(nameAt, nameAt + NAME_BYTES_MAX);
    const length = longest.indexOf(0);
    if (object !== undefined && length > 0)
      links.push({ name: decodeName(longest.subarray(0, length)), address: object });
  }
}
