/** Tensors of TensorFlow.js as tensors of a state and back, always in copies. */
import { type StateValue, type Tensor, ThetalogError } from '../index.js';
import type { Tf, TfDType, TfNewTensor, TfTensor } from './tfjs-types.js';

const KINDS = {
  float32: { dtype: 'f32', Elements: Float32Array },
  int32: { dtype: 'i32', Elements: Int32Array },
  bool: { dtype: 'bool', Elements: Uint8Array },
} as const;

/** What a variable is in a state. */
export interface VariableDescription {
  name: string;
  shape: number[];
  kind: TfDType;
}

/** Throws `unsupported` for complex numbers and strings. */
export function describeVariable(name: string, { dtype, shape }: TfTensor): VariableDescription {
  if (dtype === 'float32' || dtype === 'int32' || dtype === 'bool')
    return { name, shape: [...shape], kind: dtype };
  throw new ThetalogError('unsupported', 'unknown-dtype', `${name} is of type ${dtype}.`, {
    object: name,
    hint: 'Variables of float32, int32 and bool can be saved.',
  });
}

/** Returns what was read of a variable; the cpu backend hands out its own arrays. */
export function stateTensor({ kind, shape }: VariableDescription, data: unknown): Tensor {
  const { dtype, Elements } = KINDS[kind];
  return { dtype, shape, data: new Elements(data as ArrayLike<number>) };
}

/** Returns a new tensor with the bits of one of a state; the cpu backend goes on with the array that it is given. */
export function tfTensor(tf: Tf, { kind, shape }: VariableDescription, { data }: Tensor): TfNewTensor {
  const bytes = new Uint8Array(data.byteLength);
  bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  return tf.tensor(new KINDS[kind].Elements(bytes.buffer), shape, kind);
}

/** Returns whether a value of a state is a tensor of the type, shape and size of a variable. */
export function isTensorLike(value: StateValue, { kind, shape }: VariableDescription): value is Tensor {
  const { dtype, Elements } = KINDS[kind];
  const length = shape.reduce((product, size) => product * size, Elements.BYTES_PER_ELEMENT);
  return (
    isTensor(value) &&
    value.dtype === dtype &&
    String(value.shape) === String(shape) &&
    value.data.byteLength === length
  );
}

/** `f32 [3, 4]`, for messages. */
export function showVariable({ kind, shape }: VariableDescription): string {
  return `${KINDS[kind].dtype} [${shape.join(', ')}]`;
}

/** The same of what a state has. */
export function showValue(value: StateValue): string {
  return isTensor(value) ? `${value.dtype} [${value.shape.join(', ')}]` : 'no tensor';
}

function isTensor(value: StateValue): value is Tensor {
  if (typeof value !== 'object' || value === null) return false;
  const { dtype, shape, data } = value as Partial<Record<keyof Tensor, unknown>>;
  return typeof dtype === 'string' && Array.isArray(shape) && ArrayBuffer.isView(data);
}
