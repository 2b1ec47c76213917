/**
 * From the contents of a torch file to its tensor ranges: one for each storage, with all tensors that are views of it, or
 * one for each of these where they lie side by side. Tied and shared tensors so come once, with all their names.
 */
import { corrupt } from '../errors.js';
import type { Group, RandomAccess, Segmentation, TensorRange } from './adapter.js';
import { bigEndian, byteElements, type ElementType, placeTensor } from './element-type.js';
import type { Unpickled } from './pickle.js';
import { orderRanges } from './range-keys.js';
import { cutRange, type NamedView } from './side-by-side.js';
import { StorageRanges } from './storage-ranges.js';
import { type FoundTensor, findTensors, type OptimizerFound } from './torch-contents.js';
import { readOptimizerFacts } from './torch-optimizer-facts.js';
import { nameParameters } from './torch-parameters.js';
import { readTorchProgress } from './torch-progress.js';
import { checkReferences, declaredBytes, readStorageUse, type StorageUse } from './torch-storages.js';
import { namePartitions } from './zero-partitions.js';

/** Where a storage's bytes lie; `undefined` if they are there but not as they are (compressed). */
export type StoragePlaces = ReadonlyMap<string, { offset: number; length: number } | undefined>;

/** A torch file as its container gives it. */
export interface TorchFile {
  format: 'torch-zip' | 'torch-legacy';
  source: RandomAccess;
  unpickled: Unpickled;
  /** Offset of the pickle in the file, for errors. */
  pickleOffset: number;
  places: StoragePlaces;
  littleEndian: boolean;
}

/** Finds the ranges, names and progress. Throws `corrupt` where pickle and container disagree. */
export async function segmentTorchFile(file: TorchFile): Promise<Segmentation> {
  const { source, unpickled, pickleOffset } = file;
  checkReferences(unpickled.references, file.format, source.name);
  const value = namePartitions(unpickled.value, source.name);
  const contents = findTensors(value, { object: source.name, offset: pickleOffset });
  const parameterNames = nameParameters(contents);
  const storages = new Map<string, StorageFound>();
  for (const tensor of contents.tensors) {
    const use = tensor.use?.storage ?? readStorageUse(tensor.reference, source.name);
    if (use !== undefined) addTensor(storages, use, tensor, keyOf(tensor, parameterNames));
  }
  for (const reference of unpickled.references) {
    const use = readStorageUse(reference, source.name);
    if (use !== undefined && !storages.has(use.key)) storages.set(use.key, unnamed(use));
  }
  const ranges = new StorageRanges();
  for (const [storageKey, storage] of storages) {
    const placed = placeStorage(storage, file);
    if (placed !== undefined) ranges.add(storageKey, cutRange(placed.range, placed.views));
  }
  const ordered = orderRanges(ranges.all);
  if (!file.littleEndian) return { format: file.format, ranges: ordered };
  const progress = await readTorchProgress(value, ordered, source);
  const parameters = await readOptimizerFacts(contents, parameterNames, ranges, source);
  return {
    format: file.format,
    ranges: ordered,
    ...progress,
    ...(parameters.length === 0 ? {} : { parameters }),
  };
}

/** The tensors of a storage by what they would be called in other checkpoints; the first names it. */
interface StorageFound {
  uses: StorageUse[];
  tensors: { tensor: FoundTensor; key: string }[];
  key: string;
  group: Group;
}

function addTensor(
  storages: Map<string, StorageFound>,
  use: StorageUse,
  tensor: FoundTensor,
  key: string,
): void {
  const known = storages.get(use.key);
  const storage = known ?? { uses: [], tensors: [], key, group: tensor.group };
  storages.set(use.key, storage);
  storage.uses.push(use);
  storage.tensors.push({ tensor, key });
}

/** A storage that nothing with a name leads to, for example in a dict's own attributes. */
function unnamed(use: StorageUse): StorageFound {
  return { uses: [use], tensors: [], key: `storage.${use.key}`, group: 'extra' };
}

/** The name, with the number of an optimizer's parameter replaced by the parameter's name where that can be told. */
function keyOf({ name, slot }: FoundTensor, names: ReadonlyMap<OptimizerFound, Map<number, string>>): string {
  const number = slot?.parameter;
  const parameter =
    slot === undefined || typeof number !== 'number' ? undefined : names.get(slot.optimizer)?.get(number);
  if (slot === undefined || parameter === undefined) return name;
  const numbered = `${slot.optimizer.statePrefix}${slot.parameter}.`;
  if (!name.startsWith(numbered)) return name;
  return `${slot.optimizer.statePrefix}${parameter}.${name.slice(numbered.length)}`;
}

function placeStorage(
  storage: StorageFound,
  file: TorchFile,
): { range: TensorRange; views: NamedView[] } | undefined {
  const { key: storageKey, reference } = storage.uses[0];
  const object = file.source.name;
  if (!file.places.has(storageKey)) {
    const message = `the storage ${storageKey} of ${storage.key} is missing`;
    throw corrupt('torch-storage-missing', message, object, reference.offset);
  }
  const place = file.places.get(storageKey);
  if (place === undefined) return undefined;
  for (const use of storage.uses) {
    const declared = declaredBytes(use);
    if (declared === place.length) continue;
    const message = `the storage ${storageKey} of ${storage.key} has ${place.length} bytes instead of ${declared}`;
    throw corrupt('torch-storage-size', message, object, use.reference.offset);
  }
  const element = agreedElement(storage, place.length, file.littleEndian);
  const views = storage.tensors.flatMap(({ tensor: { name, use, group }, key }): NamedView[] => {
    if (use?.element === undefined) return [];
    const own = element.dtype === 'bytes' ? byteElements(use.element.bytes) : element;
    return [{ view: placeTensor(name, own, use.shape, use.offset, use.strides), key, group }];
  });
  const tensors = views.map(({ view }) => view);
  const range = { ...place, dtype: element.dtype, group: storage.group, key: storage.key, tensors };
  return { range, views };
}

/** The element type that all views of a storage agree on and that its length is whole in; else bytes. */
function agreedElement(storage: StorageFound, length: number, littleEndian: boolean): ElementType {
  const candidates: (ElementType | undefined)[] = [
    ...storage.tensors.flatMap(({ tensor: { use } }) => (use === undefined ? [] : [use.element])),
    ...storage.uses.filter((use) => !use.untyped).map((use) => use.element),
  ];
  const first = candidates[0];
  const agreed = first !== undefined && candidates.every((other) => other?.dtype === first.dtype);
  if (!agreed || first.dtype === 'bytes' || length % first.bytes !== 0) return byteElements(1);
  return littleEndian ? first : bigEndian(first);
}
