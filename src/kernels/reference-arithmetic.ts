/**
 * Arithmetic that plain predictions share, the twin of assembly/predict-arithmetic.ts. JavaScript calculates in double
 * precision, so every step in single precision is rounded by Math.fround, which is exact for + - x / and square root;
 * `fround(a * b + c)` is the fused step of FORMAT.md.
 */

const f = Math.fround;

/** The bits of the NaN that stands for every computed NaN. */
const CANONICAL_NAN = 0x7fc00000;

/** Fills `output` with what a formula makes of the same lanes of `inputs`. */
export type Predict = (
  order: number,
  constants: Float32Array,
  inputs: readonly Uint8Array[],
  output: Uint8Array,
) => void;

/** Copies of the inputs as lanes: inputs may have any alignment. */
export function floats(bytes: Uint8Array): Float32Array {
  return new Float32Array(Uint8Array.from(bytes).buffer);
}

export function store(output: Uint8Array, lanes: number, laneOf: (lane: number) => number): void {
  const values = new Float32Array(lanes);
  const bits = new Uint32Array(values.buffer);
  for (let lane = 0; lane < lanes; lane++) {
    values[lane] = laneOf(lane);
    if (Number.isNaN(values[lane])) bits[lane] = CANONICAL_NAN;
  }
  output.set(new Uint8Array(values.buffer));
}

const scratch = new Float32Array(1);
const scratchBits = new Uint32Array(scratch.buffer);

/** Rounds to nearest even at bit `drop` of the float's pattern. */
export function shortened(value: number, drop: number): number {
  if (Number.isNaN(value)) return value;
  scratch[0] = value;
  const odd = (scratchBits[0] >>> drop) & 1;
  scratchBits[0] = ((scratchBits[0] + 2 ** (drop - 1) - 1 + odd) & (-1 << drop)) >>> 0;
  return scratch[0];
}

/** The gradient that led from m0 to m, in double precision, rounded at the end. */
export function gradient(
  m: number,
  m0: number,
  beta: number,
  inverse: number,
  fromProducts: boolean,
): number {
  return f(fromProducts ? (m - beta * m0) * inverse : m0 + (m - m0) * inverse);
}

/** An average of `m0` and something new, which has the weight `rest`. */
export function mixed(m0: number, g: number, beta: number, rest: number, order: number): number {
  if (order === 0) return f(rest * f(g - m0) + m0);
  if (order === 1) return f(m0 + f(rest * f(g - m0)));
  if (order === 2) return f(rest * g + f(m0 * beta));
  return order === 3 ? f(f(m0 * beta) + f(rest * g)) : f(m0 * beta + f(rest * g));
}

/** Makes a prediction of the computation of one lane from the same lanes of all inputs. */
export function lanewise(laneOf: (order: number, k: Float32Array, ...lanes: number[]) => number): Predict {
  return (order, constants, inputs, output) => {
    const lanes = inputs.map(floats);
    store(output, output.length / 4, (lane) =>
      laneOf(order, constants, ...lanes.map((input) => input[lane])),
    );
  };
}

/** Copies the bits of lanes of `source` to `output` where `isKept` says so. */
export function keepLanes(
  output: Uint8Array,
  source: Uint8Array,
  isKept: (first: number, last: number) => boolean,
): void {
  for (let at = 0; at < output.length; at += 4) {
    if (isKept(at, at + 4)) output.set(source.subarray(at, at + 4), at);
  }
}

/** Returns whether both inputs have the same bits in bytes `[first, last)`. */
export function sameBits(a: Uint8Array, b: Uint8Array, first: number, last: number): boolean {
  for (let at = first; at < last; at++) if (a[at] !== b[at]) return false;
  return true;
}
