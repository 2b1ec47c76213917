/**
 * `.metadata` of torch.distributed.checkpoint: a pickle that says which tensors there are, of which boxes they are made, and where in
 * the `.distcp` files each box is. Source: torch/distributed/checkpoint/metadata.py and filesystem.py.
 */
import { corrupt } from '../errors.js';
import type { DType } from '../tensor/index.js';
import type { RandomAccess } from './adapter.js';
import { unpickle } from './pickle.js';
import {
  calledName,
  entriesOf,
  itemsOf,
  PickleRecord,
  PickleTuple,
  type PickleValue,
} from './pickle-values.js';
import { elementOfTorchDtype } from './torch-storages.js';
import { PICKLE_BYTES_MAX, pickleTooLarge } from './torch-zip.js';

const METADATA_CLASS = 'torch.distributed.checkpoint.metadata.Metadata';
/** Dimensions of a tensor, torch's own limit. */
const DIMENSIONS_MAX = 64;

/** Boxes of all tensors; guards time, as a pickle can hold one list of boxes for a million tensors. */
const BOXES_MAX = 2_000_000;

/** What one box of a tensor, or one object, takes in a file: a whole archive of torch.save. */
export interface DcpItem {
  /** Name of the tensor or object in the state dict: its path with dots. */
  fqn: string;
  /** Name of the box: the tensor's own if it is all of it, else with the rows (and columns) that it has. */
  key: string;
  file: string;
  offset: number;
  length: number;
  /** Undefined for objects. */
  tensor: { dtype: DType | undefined; size: readonly number[]; extent: readonly number[] } | undefined;
}

export interface DcpMetadata {
  /** In the order of the files' bytes. */
  itemsOf: ReadonlyMap<string, readonly DcpItem[]>;
}

/** Reads `.metadata`. Throws `corrupt` for what is no such pickle or names impossible places. */
export async function readDcpMetadata(source: RandomAccess): Promise<DcpMetadata> {
  if (source.size > PICKLE_BYTES_MAX) throw pickleTooLarge(source.name, 0);
  const bytes = await source.read(0, source.size);
  const { value } = unpickle(bytes, { object: source.name, offset: 0 });
  const state = calledName(value) === METADATA_CLASS ? fieldsOf(value) : undefined;
  const tensors = entriesOf(state?.get('state_dict_metadata'));
  const places = entriesOf(state?.get('storage_data'));
  if (tensors === undefined || places === undefined)
    throw corrupt('dcp-metadata', 'no metadata of a distributed checkpoint', source.name, 0);
  const reader = new MetadataReader(source.name, tensors);
  const items = new Map<string, DcpItem[]>();
  for (const [index, place] of places) {
    const item = reader.readItem(index, place);
    if (item === undefined) continue;
    const members = items.get(item.file) ?? [];
    items.set(item.file, members);
    members.push(item);
  }
  for (const members of items.values()) members.sort((a, b) => a.offset - b.offset);
  return { itemsOf: items };
}

/** What `__dict__` of an object would hold. */
function fieldsOf(value: PickleValue | undefined): ReadonlyMap<PickleValue, PickleValue> | undefined {
  return value instanceof PickleRecord ? entriesOf(value.state) : undefined;
}

interface StoredTensor {
  dtype: DType | undefined;
  size: number[];
  /** Extents by origin. */
  boxes: Map<string, number[]>;
}

class MetadataReader {
  private readonly object: string;
  private readonly tensors: ReadonlyMap<PickleValue, PickleValue>;
  private readonly read = new Map<string, StoredTensor | undefined>();
  private boxesLeft = BOXES_MAX;

  constructor(object: string, tensors: ReadonlyMap<PickleValue, PickleValue>) {
    this.object = object;
    this.tensors = tensors;
  }

  /** Undefined for what was transformed (compressed, encrypted) on its way into the file. */
  readItem(indexValue: PickleValue, placeValue: PickleValue): DcpItem | undefined {
    const index = fieldsOf(indexValue);
    const place = fieldsOf(placeValue);
    const fqn = index?.get('fqn');
    const [file, offset, length] = ['relative_path', 'offset', 'length'].map((name) => place?.get(name));
    if (typeof fqn !== 'string' || typeof file !== 'string' || !isCount(offset) || !isCount(length))
      throw this.fault('an item without name and place', placeValue);
    const transforms = place?.get('transform_descriptors') ?? null;
    if (transforms !== null && itemsOf(transforms)?.length !== 0) return undefined;
    if (!this.read.has(fqn)) this.read.set(fqn, this.readTensor(this.tensors.get(fqn)));
    const tensor = this.read.get(fqn);
    const origin = readSizes(index?.get('offset'));
    if (tensor === undefined || origin === undefined)
      return { fqn, key: fqn, file, offset, length, tensor: undefined };
    const extent = tensor.boxes.get(origin.join());
    if (extent === undefined) throw this.fault(`${fqn} has no box at ${origin}`, indexValue);
    const { dtype, size } = tensor;
    const key = fqn + boxName(origin, extent, size);
    return { fqn, key, file, offset, length, tensor: { dtype, size, extent } };
  }

  /** Undefined for objects. */
  private readTensor(value: PickleValue | undefined): StoredTensor | undefined {
    const fields = fieldsOf(value);
    const size = readSizes(fields?.get('size'));
    const boxes = itemsOf(fields?.get('chunks'));
    if (size === undefined || boxes === undefined) return undefined;
    this.boxesLeft -= boxes.length;
    if (this.boxesLeft < 0) throw this.fault(`more than ${BOXES_MAX} boxes`, value);
    const properties = fields?.get('properties');
    const [dtype] = (properties instanceof PickleRecord ? itemsOf(properties.state) : undefined) ?? [];
    const stored: StoredTensor = { dtype: elementOfTorchDtype(dtype)?.dtype, size, boxes: new Map() };
    for (const box of boxes) {
      const origin = readSizes(fieldsOf(box)?.get('offsets'));
      const extent = readSizes(fieldsOf(box)?.get('sizes'));
      const fits =
        origin?.length === size.length &&
        extent?.length === size.length &&
        size.every((all, axis) => origin[axis] + extent[axis] <= all);
      if (!fits) throw this.fault('a box that reaches outside its tensor', value);
      stored.boxes.set(origin.join(), extent);
    }
    return stored;
  }

  private fault(message: string, value: PickleValue | undefined): Error {
    const offset = value instanceof PickleRecord ? value.offset : 0;
    return corrupt('dcp-metadata', message, this.object, offset);
  }
}

function isCount(value: PickleValue | undefined): value is number {
  return typeof value === 'number' && value >= 0;
}

/** A torch.Size. */
function readSizes(value: PickleValue | undefined): number[] | undefined {
  const items =
    value instanceof PickleRecord
      ? itemsOf(value.args.items[0])
      : value instanceof PickleTuple
        ? value.items
        : undefined;
  if (items === undefined || items.length > DIMENSIONS_MAX) return undefined;
  const sizes = items.filter(isCount);
  return sizes.length === items.length ? sizes : undefined;
}

/** `[128:256]`, `[0:64,32:64]`: from the first dimension to the last that is cut; nothing for all of the tensor. */
function boxName(origin: readonly number[], extent: readonly number[], size: readonly number[]): string {
  const last = size.findLastIndex((all, axis) => extent[axis] !== all);
  if (last < 0) return '';
  const cuts = origin.slice(0, last + 1).map((from, axis) => `${from}:${from + extent[axis]}`);
  return `[${cuts.join()}]`;
}
