/**
 * Data files of OCDBT databases, as Orbax writes them by default, in unpacked form (`recode/`): a folder `d` of files with random
 * names, in which nodes say what is called how and where it is. The names are those of chunks of zarr arrays, version 2, with their
 * descriptions; the values, small ones in the node itself, are frames of zstd.
 */
import { ByteReader } from '../bytes/index.js';
import { ThetalogError } from '../errors.js';
import {
  FORM_HEADER_BYTES,
  FORM_TRAILER_BYTES,
  isUnpackedForm,
  placeOfScript,
  readNest,
  type UnpackedPart,
  unpackedParts,
} from '../recode/index.js';
import type { Adapter, Folder, RandomAccess, TensorRange } from './adapter.js';
import { type LeafEntry, latin1, readLeaf } from './ocdbt-node.js';
import { orderRanges } from './range-keys.js';
import { chunkBytes, countOf, parseDescription, rangeOfChunk, stepOf, type ZarrArray } from './zarr.js';

const DATA_FILE = /(^|[\\/])d[\\/][0-9a-f]{32}$/;
const NODE_MAGIC = [0x0c, 0xdb, 0x20, 0xde] as const;
/** Magic, length of the node, version 0, compressed by zstd. */
const NODE_HEADER_BYTES = 14;
/** Guards memory: the default is 8 MiB. */
const NODE_BYTES_MAX = 64 * 2 ** 20;
const PARTS_MAX = 2 ** 20;
const DESCRIPTION = '/.zarray';
const CHUNK_KEY = /^(.*)\/(\d{1,15}(?:\.\d{1,15})*)$/s;
/** Values in nodes are of at most 1 KiB in Orbax: they are in the tree of a process and in the one of all. */
const COPIED_BYTES_MAX = 4096;

/** Returns whether a file may be one that this adapter finds tensors in once it is unpacked. */
export function isOcdbtName(name: string): boolean {
  return DATA_FILE.test(name);
}

/** A leaf. */
interface Leaf {
  content: Uint8Array;
  /** In the unpacked form: where it, or what is made of it, lies. */
  position: number;
  entries: LeafEntry[];
  /** The frames in it, by where they begin in the content. */
  frames: Map<number, UnpackedPart>;
}

/** What is known of a data file. */
interface DataFile {
  parts: UnpackedPart[];
  leaves: Leaf[];
}

export const ocdbtAdapter: Adapter = {
  format: 'ocdbt',
  recognises: (head, name) => isOcdbtName(name) && isUnpackedForm(head),
  async segment(source, folder) {
    const own = baseName(source.name);
    const file = (await folder.parse(own, readDataFile)) ?? (await readDataFile(source));
    if (file === undefined) return { format: 'opaque', ranges: [] };
    const others = (await allFiles(folder)).filter((other) => other !== file);
    const leaves = [file, ...others].flatMap((one) => one.leaves);
    const arrays = readArrays(leaves, source.name);
    const inside: TensorRange[] = [];
    for (const leaf of file.leaves) inside.push(...(await rangesInside(source, leaf, arrays)));
    const ranges = orderRanges(apart([...rangesOutside(own, leaves, file.parts, arrays), ...inside]));
    const first = ranges.map(({ key }) => key).sort()[0] ?? '';
    const identity = `${inside.length > 0 ? 'values' : 'data'} ${first}`;
    const counts = new Map<string, number>();
    for (const range of ranges) {
      const count = await countOf(range, source);
      if (count !== undefined) counts.set(range.key, count);
    }
    return { format: 'ocdbt', ranges, identity, ...stepOf(counts) };
  },
};

function baseName(name: string): string {
  return name.replace(/^.*[\\/]/, '');
}

async function allFiles(folder: Folder): Promise<DataFile[]> {
  const files: DataFile[] = [];
  for (const name of folder.names().sort()) {
    const file = await folder.parse(name, readDataFile);
    if (file !== undefined) files.push(file);
  }
  return files;
}

/** Reads the parts and leaves of a file; undefined for one that is not in unpacked form. */
async function readDataFile(file: RandomAccess): Promise<DataFile | undefined> {
  const head = await file.read(0, Math.min(file.size, FORM_HEADER_BYTES));
  if (!isUnpackedForm(head)) return undefined;
  const trailer = await file.read(file.size - FORM_TRAILER_BYTES, FORM_TRAILER_BYTES);
  const script = placeOfScript(head, trailer, file.size, file.name);
  const bytes = await file.read(script.offset, script.length);
  const parts: UnpackedPart[] = [];
  const leaves: Leaf[] = [];
  let before: UnpackedPart | undefined;
  const reader = new ByteReader(bytes, file.name, 0, bytes.length, script.offset);
  for (const part of unpackedParts(reader, FORM_HEADER_BYTES, script.offset)) {
    if (parts.length >= PARTS_MAX) throw tooLarge(file, `more than ${PARTS_MAX} parts`);
    parts.push(part);
    const isFrame = part.kind === 'frame' || part.kind === 'nest';
    if (isFrame && before !== undefined && endsAsNodeHeader(before)) leaves.push(await readNode(file, part));
    before = part;
  }
  return { parts, leaves };
}

async function readNode(file: RandomAccess, part: UnpackedPart): Promise<Leaf> {
  const { position, bodyLength } = part;
  if (bodyLength > NODE_BYTES_MAX) throw tooLarge(file, `a node of ${bodyLength} bytes`);
  const nest = readNest(part, await file.read(position, bodyLength));
  const { content } = nest;
  const entries = readLeaf(new ByteReader(content, file.name, 0, content.length, position));
  return { content, position, entries, frames: framesOf(nest.parts) };
}

function framesOf(parts: readonly UnpackedPart[]): Map<number, UnpackedPart> {
  return new Map(parts.flatMap((part) => (part.kind === 'frame' ? [[part.offset, part]] : [])));
}

function tooLarge(file: RandomAccess, what: string): ThetalogError {
  return new ThetalogError('unsupported', 'ocdbt-too-large', `${file.name}: ${what} are not read`, {
    object: file.name,
    offset: 0,
  });
}

function endsAsNodeHeader({ kind, length, script }: UnpackedPart): boolean {
  if (kind !== 'script' || length < NODE_HEADER_BYTES) return false;
  const header = script.bytes.subarray(script.end - NODE_HEADER_BYTES, script.end);
  return NODE_MAGIC.every((byte, at) => header[at] === byte) && header[12] === 0 && header[13] === 1;
}

/** Returns the arrays that are described in leaves, by name. */
function readArrays(leaves: readonly Leaf[], object: string): Map<string, ZarrArray> {
  const arrays = new Map<string, ZarrArray>();
  for (const { content, position, entries } of leaves) {
    for (const { key, file, offset, length } of entries) {
      const name = key.slice(0, -DESCRIPTION.length);
      if (file !== undefined || !key.endsWith(DESCRIPTION) || arrays.has(name)) continue;
      const array = parseDescription(content.subarray(offset, offset + length), object, position + offset);
      if (array !== undefined) arrays.set(name, array);
    }
  }
  return arrays;
}

/** Returns the name, the place and the array of a chunk; undefined for what is none. */
function chunkOf(
  key: string,
  arrays: ReadonlyMap<string, ZarrArray>,
): { name: string; place: string; array: ZarrArray } | undefined {
  const [, name = '', place = ''] = CHUNK_KEY.exec(key) ?? [];
  const array = arrays.get(name);
  return array && { name, place, array };
}

/** Returns the chunks that leaves say are in a file, if that has them as they say. */
function rangesOutside(
  own: string,
  leaves: readonly Leaf[],
  parts: readonly UnpackedPart[],
  arrays: ReadonlyMap<string, ZarrArray>,
): TensorRange[] {
  const frames = framesOf(parts);
  return leaves.flatMap(({ entries }) =>
    entries.flatMap(({ key, file, offset, length }) => {
      const chunk = file !== undefined && baseName(file) === own ? chunkOf(key, arrays) : undefined;
      const frame = frames.get(offset);
      if (chunk === undefined || frame === undefined || frame.length !== length) return [];
      const { array, name, place } = chunk;
      if (array.compressor !== 'zstd' || frame.bodyLength !== chunkBytes(array)) return [];
      return rangeOfChunk(array, name, place, frame.position) ?? [];
    }),
  );
}

/** Returns the chunks in a leaf. */
async function rangesInside(
  source: RandomAccess,
  { entries, frames }: Leaf,
  arrays: ReadonlyMap<string, ZarrArray>,
): Promise<TensorRange[]> {
  const ranges: TensorRange[] = [];
  for (const { key, file, offset, length } of entries) {
    const frame = frames.get(offset);
    const chunk = file === undefined && frame?.length === length ? chunkOf(key, arrays) : undefined;
    if (chunk === undefined || frame === undefined || frame.bodyLength > COPIED_BYTES_MAX) continue;
    const { array, name, place } = chunk;
    const { position, bodyLength } = frame;
    if (array.compressor !== 'zstd' || bodyLength !== chunkBytes(array)) continue;
    const range = rangeOfChunk(array, name, place, position);
    if (range !== undefined)
      ranges.push({ ...range, copies: latin1(await source.read(position, bodyLength)) });
  }
  return ranges;
}

/** Leaves out what lies in something else: older nodes say the same of the same places. */
function apart(ranges: readonly TensorRange[]): TensorRange[] {
  let end = 0;
  const kept: TensorRange[] = [];
  for (const range of [...ranges].sort((a, b) => a.offset - b.offset || b.length - a.length)) {
    if (range.offset < end) continue;
    kept.push(range);
    end = range.offset + range.length;
  }
  return kept;
}
