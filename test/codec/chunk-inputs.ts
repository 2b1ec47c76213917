/** Chunks of every dtype with a base, as training makes them and as it does not. */
import fc from 'fast-check';
import { DTYPES, type DType, dtypeInfo } from '../../src/tensor/index.js';
import { edgeLanes, randomBytes, randomNumbers, skewedBytes, sparseBytes } from '../kernels/kernel-inputs.js';

export interface Pair {
  readonly dtype: DType;
  readonly raw: Uint8Array;
  readonly base: Uint8Array | undefined;
}

const SHAPES = ['random', 'near', 'sparse', 'constant', 'edges', 'skewed', 'same', 'otherLength'] as const;

/** Returns `base` with a small number added to the lowest bytes of some lanes. */
export function nudged(base: Uint8Array, laneBytes: number, every: number, seed: number): Uint8Array {
  const next = randomNumbers(seed);
  const raw = Uint8Array.from(base);
  for (let at = 0; at + laneBytes <= raw.length; at += laneBytes) {
    if (next() % every === 0) raw[at] += (next() % 5) - 2;
  }
  return raw;
}

function pairOf(dtype: DType, shape: (typeof SHAPES)[number], length: number, seed: number): Pair {
  const { laneBytes } = dtypeInfo(dtype);
  const base = skewedBytes(length, seed);
  switch (shape) {
    case 'random':
      return { dtype, raw: randomBytes(length, seed + 1), base: randomBytes(length, seed) };
    case 'near':
      return { dtype, raw: nudged(base, laneBytes, 1, seed), base };
    case 'sparse':
      return { dtype, raw: nudged(base, laneBytes, 50, seed), base };
    case 'constant':
      return { dtype, raw: new Uint8Array(length).fill(seed), base: undefined };
    case 'edges': {
      const raw = new Uint8Array(length);
      raw.set(edgeLanes(Math.floor(length / laneBytes), laneBytes));
      return { dtype, raw, base: sparseBytes(length, 2, seed) };
    }
    case 'skewed':
      return { dtype, raw: base, base: undefined };
    case 'same':
      return { dtype, raw: base, base: Uint8Array.from(base) };
    case 'otherLength':
      return { dtype, raw: base, base: base.subarray(0, length >> 1) };
  }
}

/** Any dtype, any shape of data, any length up to `lengthMax`, whole lanes or not. */
export function pairs(lengthMax: number): fc.Arbitrary<Pair> {
  return fc
    .tuple(fc.constantFrom(...DTYPES), fc.constantFrom(...SHAPES), fc.nat(lengthMax), fc.nat())
    .map(([dtype, shape, length, seed]) => pairOf(dtype, shape, length, seed));
}

/** A bf16 chunk where about one element in `every` moves by one step: fine-tuning, reinforcement learning. */
export function sparseUpdate(elements: number, every: number, seed: number): Pair & { changed: number } {
  const next = randomNumbers(seed);
  const base = new Uint16Array(elements);
  const raw = new Uint16Array(elements);
  let changed = 0;
  for (let index = 0; index < elements; index++) {
    base[index] = 0x3c00 + (next() % 0x180) + (next() % 2) * 0x8000;
    raw[index] = base[index];
    if (next() % every !== 0) continue;
    raw[index] += next() % 16 === 0 ? 2 : 1 - (next() % 2) * 2;
    changed++;
  }
  return { dtype: 'bf16', raw: new Uint8Array(raw.buffer), base: new Uint8Array(base.buffer), changed };
}

/** The same where they all move away from zero, as no step of an optimizer does. */
export function oneSidedUpdate(elements: number, every: number, seed: number): Pair {
  const { dtype, raw, base } = sparseUpdate(elements, every, seed);
  const [after, before] = [raw, base ?? raw].map((bytes) => new Uint16Array(bytes.buffer));
  before.forEach((lane, at) => {
    if (after[at] !== lane) after[at] = lane + 1 + (at % 2);
  });
  return { dtype, raw, base };
}

/** An fp32 embedding of which one row in `every` moves by a relative step of about 1e-3, as under a row-sparse Adam. */
export function touchedRows(rows: number, width: number, every: number, seed: number): Pair {
  const next = randomNumbers(seed);
  const uniform = () => next() / 2 ** 31 - 1;
  const base = Float32Array.from({ length: rows * width }, () => 0.02 * (uniform() + uniform() + uniform()));
  const raw = Float32Array.from(base);
  for (let row = 0; row < rows; row++) {
    if (next() % every !== 0) continue;
    for (let column = 0; column < width; column++) raw[row * width + column] += 1e-4 * uniform();
  }
  return { dtype: 'f32', raw: new Uint8Array(raw.buffer), base: new Uint8Array(base.buffer) };
}

/** Normal lanes that all move by about `step`: the size in units of the last place follows from the exponent. */
export function scaledUpdate(dtype: 'bf16' | 'f32', elements: number, step: number): Pair {
  const next = randomNumbers(elements);
  const uniform = () => next() / 2 ** 31 - 1;
  const before = Float32Array.from({ length: elements }, () => 0.02 * (uniform() + uniform() + uniform()));
  const after = before.map((value) => value + step * uniform());
  const [base, raw] = [before, after].map((values) => {
    if (dtype === 'f32') return new Uint8Array(values.buffer);
    const halves = new Uint16Array(values.buffer).filter((_, index) => index % 2 === 1);
    return new Uint8Array(halves.buffer);
  });
  return { dtype, raw, base };
}
