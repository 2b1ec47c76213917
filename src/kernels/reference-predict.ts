/**
 * Predictions of update rules, the plain twin of assembly/predict.ts. JavaScript calculates in double precision, so every
 * step in single precision is rounded by Math.fround, which is exact for + - x / and square root; `fround(a * b + c)` is
 * the fused step of FORMAT.md.
 */
import type { Formula } from './formulas.js';
import {
  narrowToBf16Reference,
  narrowToF16Reference,
  widenBf16Reference,
  widenF16Reference,
} from './reference-cast.js';

const f = Math.fround;

/** The bits of the NaN that stands for every computed NaN. */
const CANONICAL_NAN = 0x7fc00000;

type Predict = (
  order: number,
  constants: Float32Array,
  inputs: readonly Uint8Array[],
  output: Uint8Array,
) => void;

const PREDICTS: Record<Formula, Predict> = {
  'narrow-bf16': (_order, _constants, [input], output) => narrowToBf16Reference(input, output),
  'widen-bf16': (_order, _constants, [input], output) => widenBf16Reference(input, output),
  'narrow-f16': (_order, _constants, [input], output) => narrowToF16Reference(input, output),
  'widen-f16': (_order, _constants, [input], output) => widenF16Reference(input, output),
  'adam-second-moment': secondMoments,
  'adam-weights': adamWeights,
  'momentum-weights': momentumWeights,
  'nesterov-weights': nesterovWeights,
  'adam-first-moment': firstMoments,
  'recover-gradient': recoverGradients,
};

export function predictReference(
  formula: Formula,
  order: number,
  constants: Float32Array,
  inputs: readonly Uint8Array[],
  output: Uint8Array,
): void {
  PREDICTS[formula](order, constants, inputs, output);
}

/** Copies of the inputs as lanes: inputs may have any alignment. */
function floats(bytes: Uint8Array): Float32Array {
  return new Float32Array(Uint8Array.from(bytes).buffer);
}

function store(output: Uint8Array, lanes: number, laneOf: (lane: number) => number): void {
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
function shortened(value: number, drop: number): number {
  if (Number.isNaN(value)) return value;
  scratch[0] = value;
  const odd = (scratchBits[0] >>> drop) & 1;
  scratchBits[0] = ((scratchBits[0] + 2 ** (drop - 1) - 1 + odd) & (-1 << drop)) >>> 0;
  return scratch[0];
}

function gradient(m: number, m0: number, beta: number, inverse: number, fromProducts: boolean): number {
  return f(fromProducts ? (m - beta * m0) * inverse : m0 + (m - m0) * inverse);
}

function secondMoments(
  order: number,
  constants: Float32Array,
  inputs: readonly Uint8Array[],
  output: Uint8Array,
) {
  const [before, m, m0] = inputs.map(floats);
  const [beta1, rest1, beta2, rest2] = constants;
  const drop = [0, 16, 13][(order >> 1) & 3];
  store(output, before.length, (lane) => {
    const recovered = gradient(m[lane], m0[lane], beta1, 1 / rest1, (order & 1) === 1);
    const g = drop === 0 ? recovered : shortened(recovered, drop);
    return secondMoment(before[lane], g, beta2, rest2, order >> 3);
  });
}

function secondMoment(v0: number, g: number, beta: number, rest: number, sum: number): number {
  const square = sum % 2 === 0 ? f(f(rest * g) * g) : f(rest * f(g * g));
  if (sum === 0) return f(f(rest * g) * g + f(v0 * beta));
  if (sum === 1) return f(rest * f(g * g) + f(v0 * beta));
  return sum < 4 ? f(f(v0 * beta) + square) : f(v0 * beta + square);
}

function adamWeights(
  order: number,
  constants: Float32Array,
  inputs: readonly Uint8Array[],
  output: Uint8Array,
): void {
  const [before, m, v] = inputs.map(floats);
  const [decay, scale, bias1, bias2, eps] = constants;
  store(output, before.length, (lane) => {
    const w = before[lane];
    const d = denominator(v[lane], bias2, eps, (order >> 2) & 3);
    const p = decayed(w, decay, order & 3);
    return updated(p, w, m[lane], d, { decay, scale, bias1 }, order >> 4);
  });
}

function decayed(w: number, decay: number, kind: number): number {
  if (kind === 0) return w;
  if (kind === 1) return f(w * decay);
  return kind === 2 ? f(w - f(decay * w)) : f(-decay * w + w);
}

function denominator(v: number, bias: number, eps: number, kind: number): number {
  if (kind === 2) return f(f(Math.sqrt(f(v / bias))) + eps);
  const root = f(Math.sqrt(v));
  if (kind === 3) return f(root * bias + eps);
  return f(f(kind === 0 ? root / bias : root * bias) + eps);
}

function updated(
  p: number,
  w: number,
  m: number,
  d: number,
  { decay, scale, bias1 }: { decay: number; scale: number; bias1: number },
  kind: number,
): number {
  const unbiased = f(f(m / bias1) / d);
  switch (kind) {
    case 0:
      return f(p + f(f(scale * m) / d));
    case 1:
      return f(p + f(scale * f(m / d)));
    case 2:
      return f(scale * f(m / d) + p);
    case 3:
      return f(p + f(scale * unbiased));
    case 4:
      return f(scale * unbiased + p);
    case 5:
      return f(p + f(scale * f(unbiased + f(decay * w))));
    case 6:
      return f(scale * f(decay * w + unbiased) + p);
    default:
      return f(p + f(m / d));
  }
}

function momentumWeights(
  order: number,
  constants: Float32Array,
  inputs: readonly Uint8Array[],
  output: Uint8Array,
): void {
  const [before, buffer] = inputs.map(floats);
  const [scale] = constants;
  store(output, before.length, (lane) => step(before[lane], buffer[lane], scale, order === 1));
}

function nesterovWeights(
  order: number,
  constants: Float32Array,
  inputs: readonly Uint8Array[],
  output: Uint8Array,
): void {
  const [before, buffer, buffer0] = inputs.map(floats);
  const [scale, momentum, rest] = constants;
  const isFused = order === 1;
  store(output, before.length, (lane) => {
    const g = gradient(buffer[lane], buffer0[lane], momentum, 1 / rest, true);
    const ahead = isFused ? f(momentum * buffer[lane] + g) : f(g + f(momentum * buffer[lane]));
    return step(before[lane], ahead, scale, isFused);
  });
}

function step(w: number, direction: number, scale: number, isFused: boolean): number {
  return isFused ? f(scale * direction + w) : f(w + f(scale * direction));
}

function firstMoments(
  order: number,
  constants: Float32Array,
  inputs: readonly Uint8Array[],
  output: Uint8Array,
): void {
  const before = floats(inputs[0]);
  const wide = new Uint8Array(before.length * 4);
  widenBf16Reference(inputs[1], wide);
  const gradients = floats(wide);
  const [beta, rest] = constants;
  store(output, before.length, (lane) => firstMoment(before[lane], gradients[lane], beta, rest, order));
}

function firstMoment(m0: number, g: number, beta: number, rest: number, order: number): number {
  if (order === 0) return f(rest * f(g - m0) + m0);
  if (order === 1) return f(m0 + f(rest * f(g - m0)));
  if (order === 2) return f(rest * g + f(m0 * beta));
  return order === 3 ? f(f(m0 * beta) + f(rest * g)) : f(m0 * beta + f(rest * g));
}

function recoverGradients(
  order: number,
  constants: Float32Array,
  inputs: readonly Uint8Array[],
  output: Uint8Array,
): void {
  const [m, m0] = inputs.map(floats);
  const [beta, rest] = constants;
  const wide = new Uint8Array(m.length * 4);
  store(wide, m.length, (lane) => gradient(m[lane], m0[lane], beta, 1 / rest, order >= 2));
  narrowToBf16Reference(wide, output);
}
