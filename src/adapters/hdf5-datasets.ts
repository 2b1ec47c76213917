/**
 * Datasets of HDF5 whose elements lie in one piece. Source: HDF5 File Format Specification 3.0, sections IV.A.2.b (space), d (type)
 * and i (layout). Compact and chunked datasets stay in the skeleton.
 */
import type { ByteReader } from '../bytes/index.js';
import { isDType } from '../tensor/index.js';
import { bigEndian, byteElements, type ElementType, elementOf, shapeBytes } from './element-type.js';
import { type Hdf5Source, type ObjectMessage, readAddress } from './hdf5-objects.js';

const MESSAGE_SPACE = 1;
const MESSAGE_TYPE = 3;
const MESSAGE_LAYOUT = 8;
const CLASS_INTEGER = 0;
const CLASS_FLOAT = 1;
const LAYOUT_CONTIGUOUS = 1;
const DIMENSIONS_MAX = 32;

/** Elements in one piece. */
export interface Hdf5Dataset {
  element: ElementType;
  shape: number[];
  /** In the file that is read, which may be around the HDF5 file. */
  offset: number;
  length: number;
}

/** Returns the dataset that the messages describe; undefined if it is none, or none in one piece. */
export function readDataset(file: Hdf5Source, messages: readonly ObjectMessage[]): Hdf5Dataset | undefined {
  const content = (type: number): ByteReader | undefined =>
    messages.find((message) => message.type === type && !message.isShared)?.content;
  const [space, type, layout] = [content(MESSAGE_SPACE), content(MESSAGE_TYPE), content(MESSAGE_LAYOUT)];
  if (space === undefined || type === undefined || layout === undefined) return undefined;
  const address = readLayout(layout);
  const shape = readSpace(space);
  const element = readType(type);
  if (address === undefined || shape === undefined || element === undefined) return undefined;
  const length = shapeBytes(shape, element.bytes);
  if (length === undefined || address > file.size || length > file.size - address)
    throw file.damaged('truncated', `[${shape}] is not all there`, address);
  return { element, shape, offset: file.offsetOf(address), length };
}

/** Undefined for a space of nothing, which has no elements. */
function readSpace(reader: ByteReader): number[] | undefined {
  const version = reader.u8();
  if (version !== 1 && version !== 2) reader.fail('hdf5-space', 'a version that is not known');
  const rank = reader.u8();
  if (rank > DIMENSIONS_MAX) reader.fail('hdf5-space', `${rank} dimensions`);
  reader.u8();
  if (version === 2 && reader.u8() === 2) return undefined;
  if (version === 1) reader.view8(5);
  return Array.from({ length: rank }, () => reader.u64());
}

/** Numbers as the store knows them; all else, of which h5py makes structures, texts and enumerations, as bytes. */
function readType(reader: ByteReader): ElementType | undefined {
  const kind = reader.u8() % 16;
  const flags = reader.u8();
  reader.view8(2);
  const bytes = reader.u32();
  if (bytes === 0) return undefined;
  const name = numberName(kind, bytes, flags, reader);
  if (name === undefined || !isDType(name)) return byteElements(bytes);
  return (flags & 1) === 0 ? elementOf(name) : bigEndian(elementOf(name));
}

function numberName(kind: number, bytes: number, flags: number, reader: ByteReader): string | undefined {
  if (kind === CLASS_INTEGER) return `${(flags & 8) === 0 ? 'u' : 'i'}${bytes * 8}`;
  if (kind !== CLASS_FLOAT) return undefined;
  reader.view8(5);
  const exponentBits = reader.u8();
  if (bytes === 2) return exponentBits === 8 ? 'bf16' : 'f16';
  return `f${bytes * 8}`;
}

/** The address of elements in one piece. */
function readLayout(reader: ByteReader): number | undefined {
  const version = reader.u8();
  if (version === 1 || version === 2) {
    reader.u8();
    if (reader.u8() !== LAYOUT_CONTIGUOUS) return undefined;
    reader.view8(5);
    return readAddress(reader);
  }
  if (version !== 3 && version !== 4) reader.fail('hdf5-layout', 'a version that is not known');
  return reader.u8() === LAYOUT_CONTIGUOUS ? readAddress(reader) : undefined;
}
