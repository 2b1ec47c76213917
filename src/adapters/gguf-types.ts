/**
 * Element types of GGUF. Plain ones are those of the store; quantized ones come in blocks of several elements, which are
 * kept as bytes: the last dimension of such a tensor becomes the bytes of a row. Source: `GGML_QUANT_SIZES` in
 * `gguf-py/gguf/constants.py`.
 */
import { type DType, dtypeInfo } from '../tensor/index.js';

/** How elements of a type lie in the file. */
export interface GgufType {
  readonly dtype: DType;
  /** Elements of a block, and its bytes. */
  readonly blockElements: number;
  readonly blockBytes: number;
}

function plain(dtype: DType): GgufType {
  return { dtype, blockElements: 1, blockBytes: dtypeInfo(dtype).bytes };
}

function blocks(blockElements: number, blockBytes: number): GgufType {
  return { dtype: 'bytes', blockElements, blockBytes };
}

const TYPES = new Map<number, GgufType>([
  [0, plain('f32')],
  [1, plain('f16')],
  [2, blocks(32, 18)],
  [3, blocks(32, 20)],
  [6, blocks(32, 22)],
  [7, blocks(32, 24)],
  [8, blocks(32, 34)],
  [9, blocks(32, 40)],
  [10, blocks(256, 84)],
  [11, blocks(256, 110)],
  [12, blocks(256, 144)],
  [13, blocks(256, 176)],
  [14, blocks(256, 210)],
  [15, blocks(256, 292)],
  [16, blocks(256, 66)],
  [17, blocks(256, 74)],
  [18, blocks(256, 98)],
  [19, blocks(256, 50)],
  [20, blocks(32, 18)],
  [21, blocks(256, 110)],
  [22, blocks(256, 82)],
  [23, blocks(256, 136)],
  [24, plain('i8')],
  [25, plain('i16')],
  [26, plain('i32')],
  [27, plain('i64')],
  [28, plain('f64')],
  [29, blocks(256, 56)],
  [30, plain('bf16')],
  [34, blocks(256, 54)],
  [35, blocks(256, 66)],
  [39, blocks(32, 17)],
  [40, blocks(64, 36)],
  [41, blocks(128, 18)],
]);

/** Returns the type with this number, or undefined for one that came later. */
export function ggufType(id: number): GgufType | undefined {
  return TYPES.get(id);
}

/**
 * Returns dtype and shape that the store knows a tensor by, `shape` counted in elements of the format; `room` is what a
 * tensor of unknown type takes. Undefined where the shape ends inside a block.
 */
export function elementsOf(
  shape: readonly number[],
  type: GgufType | undefined,
  room: number,
): { dtype: DType; bytes: number; shape: number[] } | undefined {
  if (type === undefined) return { dtype: 'bytes', bytes: 1, shape: [Math.max(0, room)] };
  const { dtype, blockElements, blockBytes } = type;
  if (blockElements === 1) return { dtype, bytes: blockBytes, shape: [...shape] };
  const row = shape[shape.length - 1] ?? 1;
  const rowBytes = (row / blockElements) * blockBytes;
  if (row % blockElements !== 0 || !Number.isSafeInteger(rowBytes)) return undefined;
  return { dtype, bytes: 1, shape: [...shape.slice(0, -1), rowBytes] };
}
