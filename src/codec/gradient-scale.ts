/**
 * Gradients of 16 bits that were multiplied with one number before the optimizer took them: by clipping to a norm, by a mean
 * over processes, by taking back the scale of a loss. The number is found from the gradients that a moment shows: all of
 * them are multiples of few patterns.
 */
import type { GradientMomentRule } from './prediction.js';

/** Lanes that are looked at first, until enough of them are precise, and those that a number is refined by: powers of two. */
const FIRST_LANES = 512;
const SAMPLE_LANES = 2048;
/** Looking at every 37th of the first ones in a circle spreads those over the chunk that come before enough are precise. */
const FIRST_STRIDE = 37;
/** Precise gradients that all patterns are tried on. */
const TOLD_LANES = 48;
/**
 * A pattern may miss one of them, and another one in so many: what is smaller than the smallest normal number of f16 has fewer
 * bits. Most patterns are refused by the first few.
 */
const LANES_A_MISS = 12;
/** How far from a pattern, in units of its last bit, a gradient may be; and how much of that may be error. */
const APART_MAX = 1 / 12;
const ERROR_MAX = 1 / 24;
/** Relative error of a gradient: roundings of the moments, in units of 2^-24 of the larger one. */
const ROUNDINGS = 1.5 * 2 ** -24;
/** Significant bits. */
const BITS = { bf16: 8, f16: 11 } as const;
/** Binary exponent of the largest numbers of f16. */
const F16_EXPONENT_MAX = 15;

/** Returns the rule with the type and scale of the gradients; undefined where they are no scaled gradients of 16 bits. */
export function fittedGradients(
  raw: Uint8Array,
  rule: GradientMomentRule,
  inputs: readonly Uint8Array[],
): GradientMomentRule | undefined {
  if (inputs.length === 0 || inputs.some((input) => input.length !== raw.length)) return undefined;
  const gradientOf = gradientReader(raw, rule, inputs);
  const lanes = Math.floor(raw.length / 4);
  for (const type of ['bf16', 'f16'] as const) {
    if (!arePatterns(gradientOf, lanes, BITS[type])) continue;
    const scale = new GradientSample(gradientOf, lanes).scaleOf(BITS[type]);
    if (scale === undefined) continue;
    if (type === 'bf16') return { ...rule, gradients: type, scale };
    const exponent = Math.floor(Math.log2((largestOf(gradientOf, lanes) / scale) * (1 + 2 ** -12)));
    return { ...rule, gradients: type, scale: scale * 2 ** (exponent - F16_EXPONENT_MAX) };
  }
  return undefined;
}

/** Sets the value and the relative error of the gradient of a lane, `[0]` and `[1]` of what it returns. */
type GradientReader = (lane: number) => Float64Array;

function gradientReader(
  raw: Uint8Array,
  { kept, added, weightDecay }: GradientMomentRule,
  inputs: readonly Uint8Array[],
): GradientReader {
  const [after, before, weights] = [raw, ...inputs].map(
    (bytes) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength),
  );
  const gradient = new Float64Array(2);
  return (lane) => {
    const [m, m0] = [after.getFloat32(4 * lane, true), before.getFloat32(4 * lane, true)];
    const decay = weights === undefined ? 0 : weightDecay * weights.getFloat32(4 * lane, true);
    const value = (m - kept * m0) / added - decay;
    const size = Math.max(Math.abs(m), Math.abs(m0)) / added + Math.abs(decay);
    gradient[0] = value;
    gradient[1] = (size / Math.abs(value)) * ROUNDINGS;
    return gradient;
  };
}

/** Returns whether a few gradients are multiples of patterns of `bits` bits. */
function arePatterns(gradientOf: GradientReader, lanes: number, bits: number): boolean {
  const patterns = 2 ** (bits - 1);
  const taken = Math.min(lanes, FIRST_LANES);
  const values = new Float64Array(TOLD_LANES);
  let count = 0;
  for (let index = 0; index < FIRST_LANES && count < TOLD_LANES; index++) {
    const place = (index * FIRST_STRIDE) % FIRST_LANES;
    if (place >= taken) continue;
    const gradient = gradientOf(Math.floor((place * lanes) / taken));
    if (isPrecise(gradient[1], patterns)) values[count++] = mantissa(gradient[0]);
  }
  return count === TOLD_LANES && firstPattern(values, patterns) !== undefined;
}

function largestOf(gradientOf: GradientReader, lanes: number): number {
  let largest = 0;
  for (let lane = 0; lane < lanes; lane++) {
    const gradient = gradientOf(lane);
    if (Number.isFinite(gradient[1])) largest = Math.max(largest, Math.abs(gradient[0]));
  }
  return largest;
}

/** Gradients at even distances, the most precise ones first; none that is 0 or not finite. */
class GradientSample {
  private readonly values: Float64Array;
  private readonly errors: Float64Array;
  /** Their places in the two arrays, in order. */
  private readonly order: Uint16Array;

  constructor(gradientOf: GradientReader, lanes: number) {
    const taken = Math.min(lanes, SAMPLE_LANES);
    this.values = new Float64Array(taken);
    this.errors = new Float64Array(taken);
    const keys = new Float64Array(taken);
    const keyWords = new Uint32Array(keys.buffer);
    let count = 0;
    for (let index = 0; index < taken; index++) {
      const gradient = gradientOf(Math.floor((index * lanes) / taken));
      if (!Number.isFinite(gradient[1])) continue;
      this.values[count] = gradient[0];
      this.errors[count] = gradient[1];
      // The place in the lowest bits of the number: sorted as plain numbers, which takes a tenth of the time of a comparison.
      keys[count] = gradient[1];
      keyWords[2 * count] = (keyWords[2 * count] & ~(SAMPLE_LANES - 1)) | count;
      count++;
    }
    keys.subarray(0, count).sort();
    this.order = new Uint16Array(count).map((_, at) => keyWords[2 * at] & (SAMPLE_LANES - 1));
  }

  /** Returns the number in [1, 2) that the gradients are multiples of patterns of `bits` bits of, up to powers of two. */
  scaleOf(bits: number): number | undefined {
    const patterns = 2 ** (bits - 1);
    const end = this.order.findIndex((place) => !isPrecise(this.errors[place], patterns));
    const precise = end < 0 ? this.order : this.order.subarray(0, end);
    const told = spreadOver(precise.subarray(0, TOLD_LANES * 8), TOLD_LANES);
    if (told.length < TOLD_LANES) return undefined;
    const values = new Float64Array(TOLD_LANES).map((_, at) => mantissa(this.values[told[at]]));
    const pattern = firstPattern(values, patterns);
    return pattern && this.refined(precise, doubled((values[0] * patterns) / pattern), patterns);
  }

  /** The mean of what all precise gradients say. */
  private refined(precise: Uint16Array, scale: number, patterns: number): number {
    let [sum, weights] = [0, 0];
    for (const place of precise) {
      const pattern = doubled(mantissa(this.values[place]) / scale) * patterns;
      const nearest = Math.round(pattern);
      if (Math.abs(pattern - nearest) > APART_MAX) continue;
      const weight = 1 / (this.errors[place] * this.errors[place]);
      sum += weight * (pattern / nearest);
      weights += weight;
    }
    const exact = scale * (sum / weights);
    return Math.abs(exact - Math.round(exact)) < 2 ** -22 ? Math.round(exact) : exact;
  }
}

/** As many as `count`, not all of the same size. */
function spreadOver(items: Uint16Array, count: number): Uint16Array {
  const spread = new Uint16Array(items.length < count ? 0 : count);
  return spread.map((_, at) => items[Math.floor((at * items.length) / count)]);
}

const wide = new Float64Array(1);
const words = new Uint32Array(wide.buffer);

/** The size of a normal number, brought to [1, 2). */
function mantissa(value: number): number {
  wide[0] = value;
  words[1] = (words[1] & 0xfffff) | 0x3ff00000;
  return wide[0];
}

/** Brings a quotient of two mantissas to [1, 2). */
function doubled(quotient: number): number {
  return quotient < 1 ? 2 * quotient : quotient;
}

/** Whether a gradient, with its relative error, tells one pattern from the next; an error that is not finite does not. */
function isPrecise(error: number, patterns: number): boolean {
  return error * 2 * patterns <= ERROR_MAX;
}

/** Returns the pattern that the first of some mantissas is, if all are multiples of patterns of the same number. */
function firstPattern(values: Float64Array, patterns: number): number | undefined {
  const ratios = values.map((value) => doubled(value / values[0]));
  for (let pattern = patterns; pattern < 2 * patterns; pattern++) {
    if (fits(ratios, pattern, patterns)) return pattern;
  }
  return undefined;
}

function fits(ratios: Float64Array, first: number, patterns: number): boolean {
  let misses = 0;
  for (let at = 0; at < ratios.length; at++) {
    const product = ratios[at] * first;
    const pattern = product < 2 * patterns ? product : product / 2;
    if (Math.abs(pattern - Math.round(pattern)) > APART_MAX && ++misses > 1 + at / LANES_A_MISS) return false;
  }
  return true;
}
