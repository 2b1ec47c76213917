/**
 * GGUF, the files of llama.cpp: magic, version, counts, metadata, tensor infos, padding, aligned tensors. Source:
 * ggml-org/ggml `docs/gguf.md`, `gguf-py/gguf/constants.py` (sizes of blocks). Shards of a model are ordinary files.
 */
import { ByteReader } from '../bytes/index.js';
import { corrupt, isThetalogError, ThetalogError } from '../errors.js';
import type { Adapter, RandomAccess, TensorRange } from './adapter.js';
import { shapeBytes } from './element-type.js';
import { elementsOf, type GgufType, ggufType } from './gguf-types.js';
import { groupOfTensorName } from './group-names.js';
import { orderRanges } from './range-keys.js';

const MAGIC = [0x47, 0x47, 0x55, 0x46];
const VERSION_MAX = 3;
/** First try at the length of the header, which is nowhere written: vocabularies take megabytes of it. */
const WINDOW_BYTES = 256 * 1024;
const WINDOW_GROWTH = 8;
/** Guards memory. The longest vocabularies with their merges take some 20 MB. */
const HEADER_BYTES_MAX = 256 * 2 ** 20;
/** The largest models have some 2,000 tensors a file. */
const TENSORS_MAX = 1_000_000;
/** ggml has four. */
const DIMENSIONS_MAX = 8;
const NAME_BYTES_MAX = 4096;
const DEFAULT_ALIGNMENT = 32;

/** Bytes of a metadata value by its type; text and arrays, 8 and 9, tell their own length. */
const VALUE_BYTES = [1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8];
const TYPE_U32 = 4;
const TYPE_TEXT = 8;
const TYPE_ARRAY = 9;
const ARRAY_DEPTH_MAX = 4;

/** The GGUF format; keys are the tensors' names. */
export const ggufAdapter: Adapter = {
  format: 'gguf',
  recognises: (head) => MAGIC.every((byte, index) => head[index] === byte),
  async segment(source) {
    const { infos, dataOffset } = await readHeader(source);
    const sorted = [...infos].sort((a, b) => a.place - b.place);
    const ranges = sorted.map((info, index) => {
      const next = sorted[index + 1]?.place ?? source.size - dataOffset;
      return rangeOf(info, dataOffset, next, source);
    });
    return { format: 'gguf', ranges: orderRanges(ranges) };
  },
};

interface TensorInfo {
  name: string;
  /** Slowest first; the file has them the other way round. */
  shape: number[];
  type: GgufType | undefined;
  /** Bytes after the first tensor. */
  place: number;
  /** Of the entry in the header, for errors. */
  offset: number;
}

interface Header {
  infos: TensorInfo[];
  dataOffset: number;
}

async function readHeader(source: RandomAccess): Promise<Header> {
  for (let window = WINDOW_BYTES; ; window *= WINDOW_GROWTH) {
    const length = Math.min(window, source.size, HEADER_BYTES_MAX);
    try {
      return parseHeader(new ByteReader(await source.read(0, length), source.name));
    } catch (error) {
      const cutOff = isThetalogError(error) && error.code === 'truncated';
      if (!cutOff || length === source.size) throw error;
      if (length === HEADER_BYTES_MAX)
        throw unsupported('gguf-header', 'the header is too long', source.name);
    }
  }
}

function unsupported(code: string, message: string, object: string): ThetalogError {
  return new ThetalogError('unsupported', code, `${object}: ${message}`, { object, offset: MAGIC.length });
}

function parseHeader(reader: ByteReader): Header {
  reader.view8(MAGIC.length);
  const version = reader.u32();
  if (version !== 0 && version % 2 ** 16 === 0)
    throw unsupported('gguf-big-endian', 'big-endian GGUF is not looked into', reader.object);
  if (version < 1 || version > VERSION_MAX)
    throw unsupported('gguf-version', `version ${version} of GGUF is not known`, reader.object);
  const readCount = version === 1 ? () => reader.u32() : () => reader.u64();
  const at = reader.offset;
  const tensorCount = readCount();
  const valueCount = readCount();
  if (tensorCount > TENSORS_MAX) reader.fail('gguf-count', `${tensorCount} tensors are too many`, at);
  const alignment = readMetadata(reader, valueCount, readCount);
  const infos: TensorInfo[] = [];
  const names = new Set<string>();
  for (let index = 0; index < tensorCount; index++) {
    const info = readInfo(reader, readCount);
    if (names.has(info.name)) reader.fail('gguf-duplicate', `${info.name} occurs twice`, info.offset);
    if (info.place % alignment !== 0)
      reader.fail('gguf-alignment', `${info.name} is not aligned`, info.offset);
    names.add(info.name);
    infos.push(info);
  }
  return { infos, dataOffset: Math.ceil(reader.offset / alignment) * alignment };
}

/** Passes over the metadata, of which only the alignment matters; every value takes bytes, so no count runs on. */
function readMetadata(reader: ByteReader, count: number, readCount: () => number): number {
  let alignment = DEFAULT_ALIGNMENT;
  for (let index = 0; index < count; index++) {
    const key = readText(reader, readCount);
    const at = reader.offset;
    const type = reader.u32();
    if (key !== 'general.alignment' || type !== TYPE_U32) {
      skipValue(reader, type, readCount, 0);
      continue;
    }
    alignment = reader.u32();
    const isPower = alignment > 0 && Number.isInteger(Math.log2(alignment));
    if (!isPower) reader.fail('gguf-alignment', `an alignment of ${alignment} bytes`, at);
  }
  return alignment;
}

function skipValue(reader: ByteReader, type: number, readCount: () => number, depth: number): void {
  if (type === TYPE_TEXT) {
    reader.view8(readCount());
    return;
  }
  if (type !== TYPE_ARRAY) {
    reader.view8(valueBytes(reader, type));
    return;
  }
  if (depth === ARRAY_DEPTH_MAX) reader.fail('gguf-array', 'arrays inside arrays, too deep');
  const elementType = reader.u32();
  const count = readCount();
  if (elementType !== TYPE_TEXT && elementType !== TYPE_ARRAY) {
    const bytes = count * valueBytes(reader, elementType);
    reader.view8(Number.isSafeInteger(bytes) ? bytes : Number.MAX_SAFE_INTEGER);
    return;
  }
  for (let index = 0; index < count; index++) skipValue(reader, elementType, readCount, depth + 1);
}

function valueBytes(reader: ByteReader, type: number): number {
  return VALUE_BYTES[type] ?? reader.fail('gguf-value', `a value of type ${type} is not known`);
}

function readText(reader: ByteReader, readCount: () => number): string {
  const at = reader.offset;
  const length = readCount();
  if (length > NAME_BYTES_MAX) reader.fail('gguf-name', `a name of ${length} bytes is too long`, at);
  const bytes = reader.view8(length);
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return reader.fail('gguf-name', 'a name is not valid UTF-8', at);
  }
}

function readInfo(reader: ByteReader, readCount: () => number): TensorInfo {
  const offset = reader.offset;
  const name = readText(reader, readCount);
  const count = reader.u32();
  if (count > DIMENSIONS_MAX) reader.fail('gguf-shape', `${name} has ${count} dimensions`, offset);
  const shape = Array.from({ length: count }, readCount).reverse();
  const type = ggufType(reader.u32());
  return { name, shape, type, place: reader.u64(), offset };
}

/** A tensor of a type that is not known reaches up to the next. */
function rangeOf(
  { name, shape, type, place, offset: infoOffset }: TensorInfo,
  dataOffset: number,
  next: number,
  source: RandomAccess,
): TensorRange {
  const offset = dataOffset + place;
  const elements = elementsOf(shape, type, next - place);
  if (elements === undefined)
    throw corrupt('gguf-shape', `${name}: [${shape}] is no shape of its type`, source.name, infoOffset);
  const length = shapeBytes(elements.shape, elements.bytes);
  if (length === undefined || length > source.size - offset)
    throw corrupt('truncated', `${name} is not all there`, source.name, source.size);
  const group = groupOfTensorName(name);
  const view = { name, shape: elements.shape, elementOffset: 0 };
  return { offset, length, dtype: elements.dtype, group, key: name, tensors: [view] };
}
