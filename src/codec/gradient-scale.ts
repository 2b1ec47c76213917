/**
 * Gradients of 16 bits that were multiplied with one number before the optimizer took them: by clipping to a norm, by a mean
 * over processes, by taking back the scale of a loss. The number is found from the gradients that a moment shows: all of
 * them are multiples of few patterns.
 */
import type { GradientMomentRule } from './prediction.js';

/** Lanes that are looked at first, those that a number is refined by, and the most telling ones, which all patterns are tried on. */
const FIRST_LANES = 512;
const SAMPLE_LANES = 2048;
const TOLD_LANES = 48;
/** A pattern may miss this many of them: what is smaller than the smallest normal number of f16 has fewer bits. */
const MISSES_MAX = 4;
/** How far from a pattern, in units of its last bit, a gradient may be; and how much of that may be error. */
const APART_MAX = 1 / 12;
const ERROR_MAX = 1 / 24;
/** Relative error of a gradient: roundings of the moments, in units of 2^-24 of the larger one. */
const ROUNDINGS = 1.5 * 2 ** -24;
/** Significant bits. */
const BITS = { bf16: 8, f16: 11 } as const;
/** Binary exponent of the largest numbers of f16. */
const F16_EXPONENT_MAX = 15;

interface Gradient {
  readonly value: number;
  /** Relative error. */
  readonly error: number;
}

/** Returns the rule with the type and scale of the gradients; undefined where they are no scaled gradients of 16 bits. */
export function fittedGradients(
  raw: Uint8Array,
  rule: GradientMomentRule,
  inputs: readonly Uint8Array[],
): GradientMomentRule | undefined {
  if (inputs.length === 0 || inputs.some((input) => input.length !== raw.length)) return undefined;
  const sorted = (lanes: number) => gradientsOf(raw, rule, inputs, lanes).sort((a, b) => a.error - b.error);
  const first = sorted(FIRST_LANES);
  for (const type of ['bf16', 'f16'] as const) {
    if (scaleOf(first, BITS[type]) === undefined) continue;
    const scale = scaleOf(sorted(SAMPLE_LANES), BITS[type]);
    if (scale === undefined) continue;
    if (type === 'bf16') return { ...rule, gradients: type, scale };
    const largest = gradientsOf(raw, rule, inputs, raw.length / 4).reduce(
      (most, { value }) => Math.max(most, Math.abs(value)),
      0,
    );
    const exponent = Math.floor(Math.log2((largest / scale) * (1 + 2 ** -12)));
    return { ...rule, gradients: type, scale: scale * 2 ** (exponent - F16_EXPONENT_MAX) };
  }
  return undefined;
}

/** The gradients that led to the moment, at even distances; none that is 0 or not finite. */
function gradientsOf(
  raw: Uint8Array,
  { kept, added, weightDecay }: GradientMomentRule,
  inputs: readonly Uint8Array[],
  most: number,
): Gradient[] {
  const [after, before, weights] = [raw, ...inputs].map(
    (bytes) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength),
  );
  const lanes = Math.floor(raw.length / 4);
  const taken = Math.min(lanes, most);
  const found: Gradient[] = [];
  for (let index = 0; index < taken; index++) {
    const at = 4 * Math.floor((index * lanes) / taken);
    const [m, m0] = [after.getFloat32(at, true), before.getFloat32(at, true)];
    const decay = weights === undefined ? 0 : weightDecay * weights.getFloat32(at, true);
    const value = (m - kept * m0) / added - decay;
    const size = Math.max(Math.abs(m), Math.abs(m0)) / added + Math.abs(decay);
    const error = (size / Math.abs(value)) * ROUNDINGS;
    if (Number.isFinite(error)) found.push({ value, error });
  }
  return found;
}

/** Returns the number in [1, 2) that the gradients are multiples of patterns of `bits` bits of, up to powers of two. */
function scaleOf(sorted: readonly Gradient[], bits: number): number | undefined {
  const patterns = 2 ** (bits - 1);
  const precise = sorted
    .filter(({ error }) => error * 2 * patterns <= ERROR_MAX)
    .map(({ value, error }) => ({ value: mantissa(value), error }));
  const told = spreadOver(precise.slice(0, TOLD_LANES * 8), TOLD_LANES);
  const values = Float64Array.from(told, ({ value }) => value);
  if (told.length < TOLD_LANES) return undefined;
  for (let pattern = patterns; pattern < 2 * patterns; pattern++) {
    const scale = doubled((values[0] * patterns) / pattern);
    if (fits(values, scale, patterns)) return refined(precise, scale, patterns);
  }
  return undefined;
}

/** As many as `count`, not all of the same size. */
function spreadOver(items: readonly Gradient[], count: number): Gradient[] {
  return items.length < count
    ? []
    : Array.from({ length: count }, (_, at) => items[Math.floor((at * items.length) / count)]);
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

function fits(values: Float64Array, scale: number, patterns: number): boolean {
  let misses = 0;
  for (let at = 0; at < values.length; at++) {
    const pattern = doubled(values[at] / scale) * patterns;
    if (Math.abs(pattern - Math.round(pattern)) > APART_MAX && ++misses > MISSES_MAX) return false;
  }
  return true;
}

/** The mean of what all precise gradients, given by their mantissas, say. */
function refined(precise: readonly Gradient[], scale: number, patterns: number): number {
  let [sum, weights] = [0, 0];
  for (const { value, error } of precise) {
    const pattern = doubled(value / scale) * patterns;
    const nearest = Math.round(pattern);
    if (Math.abs(pattern - nearest) > APART_MAX) continue;
    const weight = 1 / (error * error);
    sum += weight * (pattern / nearest);
    weights += weight;
  }
  const exact = scale * (sum / weights);
  return Math.abs(exact - Math.round(exact)) < 2 ** -22 ? Math.round(exact) : exact;
}
