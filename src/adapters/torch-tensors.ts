/**
 * Tensors as torch's pickles rebuild them from storages. Source: torch/_utils.py (`_rebuild_*`) and torch/_tensor.py.
 * Sparse, quantised and subclassed tensors are not understood as such: the storages in them are found all the same.
 */
import { corrupt } from '../errors.js';
import { dtypeInfo } from '../tensor/index.js';
import { type ElementType, shapeBytes } from './element-type.js';
import {
  calledName,
  itemsOf,
  PickleDict,
  PickleRecord,
  PickleReference,
  PickleTuple,
  type PickleValue,
} from './pickle-values.js';
import { elementOfTorchDtype, readStorageUse, type StorageUse } from './torch-storages.js';

/** Dimensions of one tensor, torch's own limit. */
const DIMENSIONS_MAX = 64;
/** What the metadata of a tensor says of its elements; torch passes over anything else in it. */
const VIEW_METADATA = ['conj', 'neg'];
/** Wrappers around a tensor (parameter, subclass); two are usual, more only a crafted file has. */
const WRAPPERS_MAX = 8;

/** By name, how many arguments each takes at least; the newer two take one more, the metadata. */
const DENSE_REBUILDERS = new Map([
  ['torch._utils._rebuild_tensor', 4],
  ['torch._utils._rebuild_tensor_v2', 6],
  ['torch._utils._rebuild_tensor_v3', 7],
]);
const PARAMETER_REBUILDERS = new Map([
  ['torch._utils._rebuild_parameter', 3],
  ['torch._utils._rebuild_parameter_with_state', 4],
]);
const SUBCLASS_REBUILDER = 'torch._tensor._rebuild_from_type_v2';
/** The oldest rebuilder takes no gradient, hooks and metadata. */
const PLAIN_ARGUMENTS = 4;
/** Positions of requires_grad in the arguments of tensors and of parameters; the hooks follow. */
const GRADIENT_ARGUMENT = 4;
const PARAMETER_GRADIENT_ARGUMENT = 1;
/** Position of the dtype in the arguments of `_rebuild_tensor_v3`. */
const DTYPE_ARGUMENT = 6;

/** A dense tensor: a window on a storage. */
export interface TensorUse {
  storage: StorageUse;
  /** As the dtype argument says, else as the storage's class does; undefined: unknown. */
  element: ElementType | undefined;
  shape: number[];
  /** Elements from the start of the storage. */
  offset: number;
  /** Undefined: contiguous. */
  strides: number[] | undefined;
}

/**
 * Returns the tensor that a value would be rebuilt to, or undefined for what is no dense tensor. Throws `corrupt` for
 * one that would reach outside its storage.
 */
export function readTensor(value: PickleValue, object: string): TensorUse | undefined {
  const unwrapped = unwrap(value, object);
  const call = unwrapped?.call;
  const least = DENSE_REBUILDERS.get(calledName(call ?? null) ?? '');
  if (call === undefined || least === undefined) return undefined;
  const fail = (what: string): never => {
    throw corrupt('torch-tensor', `a tensor with ${what}`, object, call.offset);
  };
  const isTrained = checkGradient(call, GRADIENT_ARGUMENT, object) || unwrapped?.isTrained === true;
  const [reference, offset, size, stride] = call.args.items;
  const storage = reference instanceof PickleReference ? readStorageUse(reference, object) : undefined;
  if (storage === undefined) return fail('no storage');
  const shape = readSizes(size);
  const strides = readSizes(stride);
  if (typeof offset !== 'number' || offset < 0) return fail('a bad offset');
  if (shape === undefined || strides === undefined || shape.length !== strides.length)
    return fail('a bad shape');
  const element = readElement(call, least, storage, object);
  if (isTrained && !mayHaveGradient(element)) return fail('a gradient that its element type cannot have');
  const use = { storage, element, shape, strides: undefined };
  const elements = windowElements(element, storage);
  if (storage.windowStart > 0 && element?.bytes !== storage.element?.bytes)
    return fail('another element type than the view of its storage');
  // An empty tensor may point anywhere, for example one cut off the corner of a matrix.
  if (shape.includes(0)) return { ...use, offset: storage.windowStart };
  if (!fits(shape, strides, offset, elements)) return fail('a view that reaches outside its storage');
  const place = { ...use, offset: offset + storage.windowStart };
  return isContiguous(shape, strides) ? place : { ...place, strides };
}

/**
 * The element type: the dtype argument where there is one, else the storage's. Undefined for tensors whose elements are
 * not what lies in the storage (conjugate and negative views, which their metadata tell).
 */
function readElement(
  { args: { items }, offset }: PickleRecord,
  least: number,
  storage: StorageUse,
  object: string,
): ElementType | undefined {
  const most = least === PLAIN_ARGUMENTS ? least : least + 1;
  const metadata = items[least] ?? null;
  const sound = metadata === null || metadata instanceof PickleDict;
  if (items.length < least || items.length > most || !sound)
    throw corrupt('torch-tensor', 'a tensor of too few, too many or bad arguments', object, offset);
  if (metadata !== null && VIEW_METADATA.some((key) => metadata.entries.has(key))) return undefined;
  return least > DTYPE_ARGUMENT ? elementOfTorchDtype(items[DTYPE_ARGUMENT]) : storage.element;
}

/** Every rebuilder takes, one after the other, whether there is a gradient and the hooks on it. Returns whether there is one. */
function checkGradient({ args, offset }: PickleRecord, at: number, object: string): boolean {
  const [required = false, hooks = null] = args.items.slice(at, at + 2);
  const sound = typeof required === 'boolean' && (hooks === null || hooks instanceof PickleDict);
  if (!sound) throw corrupt('torch-tensor', 'a tensor with a bad requires_grad or hooks', object, offset);
  return required === true;
}

/** Integers have no gradient; what the store keeps as bytes may be complex. */
function mayHaveGradient(element: ElementType | undefined): boolean {
  return element === undefined || element.dtype === 'bytes' || dtypeInfo(element.dtype).lane === 'float';
}

/** Takes parameters and subclasses off the call that makes the tensor. */
function unwrap(
  value: PickleValue,
  object: string,
): { readonly call: PickleRecord; readonly isTrained: boolean } | undefined {
  let call = value;
  let isTrained = false;
  for (let depth = 0; depth < WRAPPERS_MAX && call instanceof PickleRecord; depth++) {
    const name = calledName(call);
    const args = call.args.items;
    const count = PARAMETER_REBUILDERS.get(name ?? '');
    if (count !== undefined) {
      if (args.length !== count || !(args[0] instanceof PickleRecord))
        throw corrupt('torch-tensor', 'a parameter that is made of no tensor', object, call.offset);
      isTrained = checkGradient(call, PARAMETER_GRADIENT_ARGUMENT, object) || isTrained;
      call = args[0];
    } else if (name === SUBCLASS_REBUILDER && args.length > 2) {
      const inner = args[2];
      if (!(inner instanceof PickleTuple)) return undefined;
      call = new PickleRecord(args[0], inner, call.offset);
    } else {
      return { call, isTrained };
    }
  }
  return undefined;
}

/** `torch.Size` is a tuple in all but name. */
function readSizes(value: PickleValue | undefined): number[] | undefined {
  const plain =
    value instanceof PickleRecord && calledName(value) === 'torch.Size' ? value.args.items[0] : value;
  const items = itemsOf(plain);
  if (items === undefined || items.length > DIMENSIONS_MAX) return undefined;
  const sizes: number[] = [];
  for (const item of items) {
    if (typeof item !== 'number' || item < 0) return undefined;
    sizes.push(item);
  }
  return sizes;
}

/** Elements that a view may touch. A storage counts its own, whatever the tensors on it are made of. */
function windowElements(element: ElementType | undefined, storage: StorageUse): number {
  const own = storage.element?.bytes ?? 1;
  return Math.floor((storage.windowLength * own) / (element?.bytes ?? own));
}

function fits(
  shape: readonly number[],
  strides: readonly number[],
  offset: number,
  elements: number,
): boolean {
  if (shapeBytes(shape, 1) === undefined) return false;
  let last = offset;
  for (let axis = 0; axis < shape.length; axis++) last += (shape[axis] - 1) * strides[axis];
  return last < elements;
}

function isContiguous(shape: readonly number[], strides: readonly number[]): boolean {
  let wanted = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if (shape[axis] !== 1 && strides[axis] !== wanted) return false;
    wanted *= shape[axis];
  }
  return true;
}
