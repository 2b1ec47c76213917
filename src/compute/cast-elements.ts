/** Elements in another float type, rounded to nearest even, as torch's `Tensor.to` does it: by way of f32. */
import { BLOCK_LANES, type Formula, type Kernels } from '../kernels/index.js';
import { type DType, dtypeInfo } from '../tensor/index.js';

/** Types that are converted. Those of 8 bits are not: what they mean depends on scales that are kept elsewhere. */
export const CAST_DTYPES = ['f16', 'bf16', 'f32', 'f64'] as const satisfies readonly DType[];
export type CastDType = (typeof CAST_DTYPES)[number];

export interface Cast {
  readonly from: CastDType;
  readonly to: Exclude<CastDType, 'f64'>;
}

const WIDENINGS = { f16: 'widen-f16', bf16: 'widen-bf16' } as const satisfies Record<string, Formula>;
const NARROWINGS = { f16: 'narrow-f16', bf16: 'narrow-bf16' } as const satisfies Record<string, Formula>;
const QUIET_NAN = 0x7fc00000;

/** Returns how many bytes `length` bytes become. */
export function castLength(length: number, cast: Cast | undefined): number {
  return cast === undefined ? length : (length / dtypeInfo(cast.from).bytes) * dtypeInfo(cast.to).bytes;
}

/**
 * Returns whole elements in the other type; every NaN that is narrowed becomes the canonical quiet one, what is too large an
 * infinity. The result lies in the arena where there is room: valid until a mark below it is released.
 */
export function castElements(kernels: Kernels, bytes: Uint8Array, { from, to }: Cast): Uint8Array {
  const singles = from === 'f32' ? bytes : toSingles(kernels, bytes, from);
  return to === 'f32' ? singles : convert(kernels, NARROWINGS[to], singles, singles.length / 2);
}

function toSingles(kernels: Kernels, bytes: Uint8Array, from: Exclude<CastDType, 'f32'>): Uint8Array {
  return from === 'f64' ? roundDoubles(bytes) : convert(kernels, WIDENINGS[from], bytes, bytes.length * 2);
}

function convert(kernels: Kernels, formula: Formula, input: Uint8Array, length: number): Uint8Array {
  const output = kernels.arena.take(length) ?? new Uint8Array(length);
  const scale = length / input.length;
  const step = BLOCK_LANES * (scale < 1 ? 4 : 2);
  for (let at = 0; at < input.length; at += step) {
    const block = input.subarray(at, at + step);
    kernels.predict(
      formula,
      0,
      new Float32Array(0),
      [block],
      output.subarray(at * scale, (at + block.length) * scale),
    );
  }
  return output;
}

function roundDoubles(bytes: Uint8Array): Uint8Array {
  // Not `slice`, which of a Buffer is no copy.
  const doubles = new Float64Array(new Uint8Array(bytes).buffer);
  const singles = new Float32Array(doubles);
  const patterns = new Uint32Array(singles.buffer);
  // Which NaN an engine makes of a NaN is its own affair.
  for (let lane = 0; lane < doubles.length; lane++)
    if (Number.isNaN(doubles[lane])) patterns[lane] = QUIET_NAN;
  return new Uint8Array(singles.buffer);
}
