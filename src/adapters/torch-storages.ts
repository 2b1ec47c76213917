/**
 * Storages as torch's pickles refer to them: persistent ids `('storage', class, key, location, numel)`, in legacy files
 * with a sixth item for a view into another storage. Source: torch/serialization.py and torch/storage.py.
 */
import { corrupt } from '../errors.js';
import { byteElements, type ElementType, elementOf } from './element-type.js';
import {
  itemsOf,
  PickleGlobal,
  type PickleReference,
  PickleTuple,
  type PickleValue,
} from './pickle-values.js';

/** By the name of the storage class. Storages that pack several elements into a byte stay bytes. */
const CLASS_ELEMENTS = new Map<string, ElementType>([
  ['FloatStorage', elementOf('f32')],
  ['DoubleStorage', elementOf('f64')],
  ['HalfStorage', elementOf('f16')],
  ['BFloat16Storage', elementOf('bf16')],
  ['LongStorage', elementOf('i64')],
  ['IntStorage', elementOf('i32')],
  ['ShortStorage', elementOf('i16')],
  ['CharStorage', elementOf('i8')],
  ['ByteStorage', elementOf('u8')],
  ['BoolStorage', elementOf('bool')],
  ['ComplexFloatStorage', elementOf('c64')],
  ['ComplexDoubleStorage', elementOf('c128')],
  ['QInt8Storage', elementOf('i8')],
  ['QUInt8Storage', elementOf('u8')],
  ['QInt32Storage', elementOf('i32')],
  ['QUInt4x2Storage', byteElements(1)],
  ['QUInt2x4Storage', byteElements(1)],
]);

const UNTYPED_CLASSES = new Set(['UntypedStorage', '_UntypedStorage']);

/** By the name of the dtype in module `torch`; those without a storage class of their own come this way. */
const DTYPE_ELEMENTS = new Map<string, ElementType>([
  ['float32', elementOf('f32')],
  ['float64', elementOf('f64')],
  ['float16', elementOf('f16')],
  ['bfloat16', elementOf('bf16')],
  ['int64', elementOf('i64')],
  ['int32', elementOf('i32')],
  ['int16', elementOf('i16')],
  ['int8', elementOf('i8')],
  ['uint8', elementOf('u8')],
  ['uint16', elementOf('u16')],
  ['uint32', elementOf('u32')],
  ['uint64', elementOf('u64')],
  ['bool', elementOf('bool')],
  ['complex64', elementOf('c64')],
  ['complex128', elementOf('c128')],
  ['complex32', byteElements(4)],
  ['float8_e4m3fn', elementOf('f8e4m3')],
  ['float8_e5m2', elementOf('f8e5m2')],
  ['float8_e4m3fnuz', byteElements(1)],
  ['float8_e5m2fnuz', byteElements(1)],
  ['float8_e8m0fnu', byteElements(1)],
  ['float4_e2m1fn_x2', byteElements(1)],
  ['bits8', byteElements(1)],
  ['bits16', byteElements(2)],
]);

/** What a persistent id says of a storage. */
export interface StorageUse {
  key: string;
  /** Undefined if `untyped`; `numel` then counts bytes. */
  element: ElementType | undefined;
  untyped: boolean;
  /** Elements of the whole storage. */
  numel: number;
  /** A window on it, in elements: all of it but for views in legacy files. */
  windowStart: number;
  windowLength: number;
  reference: PickleReference;
}

/** Items of a storage's persistent id, in torch's readers no more and no fewer. */
const ID_ITEMS = { 'torch-zip': 5, 'torch-legacy': 6 };

/**
 * Refuses persistent ids that torch does: of storages with too few or too many items, and of something else than storages
 * and, in legacy files, classes with their source code.
 */
export function checkReferences(
  references: readonly PickleReference[],
  format: keyof typeof ID_ITEMS,
  object: string,
): void {
  for (const { id, offset } of references) {
    const [kind, ...items] = id instanceof PickleTuple ? id.items : [];
    if (kind === 'storage' && items.length + 1 === ID_ITEMS[format]) continue;
    if (kind === 'module' && format === 'torch-legacy') continue;
    throw corrupt('torch-storage', 'a persistent id that is no reference to a storage', object, offset);
  }
}

/** Returns the element type of a `torch.<dtype>` global; undefined for an unknown one. */
export function elementOfTorchDtype(value: PickleValue | undefined): ElementType | undefined {
  return value instanceof PickleGlobal && value.module === 'torch'
    ? DTYPE_ELEMENTS.get(value.name)
    : undefined;
}

/** Reads a persistent id; undefined for one that is no storage (old files store source code that way). */
export function readStorageUse(reference: PickleReference, object: string): StorageUse | undefined {
  const id = itemsOf(reference.id);
  if (id === undefined || id[0] !== 'storage') return undefined;
  const fail = (what: string): never => {
    throw corrupt('torch-storage', `a storage reference with a bad ${what}`, object, reference.offset);
  };
  const [, storageClass, key, , numel, window] = id;
  if (!(storageClass instanceof PickleGlobal)) return fail('class');
  const untyped = UNTYPED_CLASSES.has(storageClass.name);
  const element = CLASS_ELEMENTS.get(storageClass.name);
  if (element === undefined && !untyped) return fail('class');
  if (typeof key !== 'string' || key.length > 256) return fail('key');
  if (typeof numel !== 'number' || numel < 0) return fail('length');
  const use: StorageUse = {
    key,
    element,
    untyped,
    numel,
    windowStart: 0,
    windowLength: numel,
    reference,
  };
  if (window === undefined || window === null) return use;
  const [, start, length] = itemsOf(window) ?? [];
  const inside = typeof start === 'number' && typeof length === 'number' && start >= 0 && length >= 0;
  if (!inside || use.untyped || start + length > numel) return fail('view');
  return { ...use, windowStart: start, windowLength: length };
}

/** Bytes that the reference says the storage has. */
export function declaredBytes(use: StorageUse): number {
  return use.numel * (use.element?.bytes ?? 1);
}
