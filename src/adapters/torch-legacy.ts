/**
 * torch.save files before torch 1.6, and of `_use_new_zipfile_serialization=False`: five pickles (magic number, protocol
 * version, system facts, the object, the list of storage keys), then for each key an i64 count and the raw elements.
 * Keys are memory addresses and differ from run to run. Source: torch/serialization.py, `_legacy_save`.
 */
import { ByteReader } from '../bytes/index.js';
import { corrupt, isThetalogError, ThetalogError } from '../errors.js';
import type { Adapter, RandomAccess } from './adapter.js';
import { type Unpickled, unpickle } from './pickle.js';
import { entriesOf, itemsOf, type PickleReference, type PickleValue } from './pickle-values.js';
import { type StoragePlaces, segmentTorchFile } from './torch-ranges.js';
import { declaredBytes, readStorageUse, type StorageUse } from './torch-storages.js';
import { PICKLE_BYTES_MAX, pickleTooLarge } from './torch-zip.js';

/** The first pickle: protocol 2, LONG1 0x1950a86a20f9469cfc6c, STOP. */
const MAGIC = [0x80, 2, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, 0x2e];
const PROTOCOL = 1001;
/** First try at the length of the pickles, which is nowhere written; multiplied until they all end inside. */
const WINDOW_BYTES = 256 * 1024;
const WINDOW_GROWTH = 8;
const COUNT_BYTES = 8;

/** The form of torch.save files without a zip archive. */
export const torchLegacyAdapter: Adapter = {
  format: 'torch-legacy',
  recognises: (head) => MAGIC.every((byte, index) => head[index] === byte),
  async segment(source) {
    const { system, object, pickleOffset, keys, end } = await readPickles(source);
    const littleEndian = entriesOf(system)?.get('little_endian') !== false;
    const uses = usesByKey(object.references, source.name);
    const places = await placeStorages(keys, uses, end, littleEndian, source);
    return segmentTorchFile({
      format: 'torch-legacy',
      source,
      unpickled: object,
      pickleOffset,
      places,
      littleEndian,
    });
  },
};

interface LegacyPickles {
  system: PickleValue;
  object: Unpickled;
  pickleOffset: number;
  keys: string[];
  /** Offset of the first storage. */
  end: number;
}

async function readPickles(source: RandomAccess): Promise<LegacyPickles> {
  for (let window = WINDOW_BYTES; ; window *= WINDOW_GROWTH) {
    const length = Math.min(window, source.size, PICKLE_BYTES_MAX);
    const bytes = await source.read(0, length);
    try {
      return parsePickles(bytes, source.name);
    } catch (error) {
      const cutOff = isThetalogError(error) && (error.code === 'truncated' || error.code === 'pickle-text');
      if (!cutOff || length === source.size) throw error;
      if (length === PICKLE_BYTES_MAX) throw pickleTooLarge(source.name, MAGIC.length);
    }
  }
}

function parsePickles(bytes: Uint8Array, name: string): LegacyPickles {
  const origin = { object: name, offset: 0 };
  const version = unpickle(bytes, origin, MAGIC.length);
  if (version.value !== PROTOCOL) {
    const message = `${name}: this version of the torch file format is not known`;
    throw new ThetalogError('unsupported', 'torch-legacy-version', message, {
      object: name,
      offset: MAGIC.length,
    });
  }
  const system = unpickle(bytes, origin, version.end);
  const object = unpickle(bytes, origin, system.end);
  const keyList = unpickle(bytes, origin, object.end);
  if ([version, system, keyList].some(({ references }) => references.length > 0))
    throw corrupt('torch-legacy-keys', 'a persistent id outside of the object', name, MAGIC.length);
  const items = itemsOf(keyList.value);
  const keys = items?.filter((key) => typeof key === 'string');
  if (keys === undefined || keys.length !== items?.length)
    throw corrupt('torch-legacy-keys', 'no list of storage keys', name, object.end);
  return { system: system.value, object, pickleOffset: system.end, keys, end: keyList.end };
}

function usesByKey(references: readonly PickleReference[], object: string): Map<string, StorageUse> {
  const uses = new Map<string, StorageUse>();
  for (const reference of references) {
    const use = readStorageUse(reference, object);
    if (use !== undefined) uses.set(use.key, use);
  }
  return uses;
}

/** Walks over the storages, whose sizes only the references in the object tell. */
async function placeStorages(
  keys: readonly string[],
  uses: ReadonlyMap<string, StorageUse>,
  start: number,
  littleEndian: boolean,
  source: RandomAccess,
): Promise<StoragePlaces> {
  const places = new Map<string, { offset: number; length: number }>();
  let offset = start;
  for (const key of keys) {
    const use = uses.get(key);
    if (use === undefined || places.has(key))
      throw corrupt('torch-legacy-keys', `the storage ${key} is of unknown size`, source.name, offset);
    const length = declaredBytes(use);
    const numel = readCount(await source.read(offset, COUNT_BYTES), littleEndian, source.name, offset);
    if (numel !== use.numel) {
      const message = `the storage ${key} has ${numel} elements instead of ${use.numel}`;
      throw corrupt('torch-storage-size', message, source.name, offset);
    }
    offset += COUNT_BYTES;
    if (length > source.size - offset)
      throw corrupt('truncated', `the storage ${key} is not all there`, source.name, source.size);
    places.set(key, { offset, length });
    offset += length;
  }
  return places;
}

/** The count is in the byte order of the machine that saved. */
function readCount(bytes: Uint8Array, littleEndian: boolean, object: string, offset: number): number {
  const ordered = littleEndian ? bytes : bytes.slice().reverse();
  return new ByteReader(ordered, object, 0, COUNT_BYTES, offset).u64();
}
