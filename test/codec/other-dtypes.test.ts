/** Sizes of chunks of the rarer dtypes, against the entropy that bounds them. */
import { describe, expect, it } from 'vitest';
import { createCodec, fromBase } from '../../src/codec/index.js';
import { loadKernels } from '../../src/kernels/index.js';
import type { DType } from '../../src/tensor/index.js';
import { sameBytes } from '../kernels/kernel-inputs.js';
import { normals, randomSource } from '../traces/laws.js';

const COUNT = 262_144;
const codec = createCodec(loadKernels());

/** The size of the record of a chunk, which must come back. */
function size(dtype: DType, raw: Uint8Array, base?: Uint8Array): number {
  const { record, prediction } = codec.encode(raw, dtype, fromBase(base), 'fast');
  expect(sameBytes(codec.decode(record, raw.length, prediction?.inputs ?? [], dtype), raw)).toBe(true);
  return record.length;
}

function bytesOf(values: ArrayBufferView): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

/** The nearest f8e4m3 to a number below its largest. */
function toE4m3(value: number): number {
  const sign = value < 0 ? 128 : 0;
  const size = Math.abs(value);
  const exponent = Math.max(-6, Math.floor(Math.log2(size)));
  const scaled = Math.round(size / 2 ** (exponent - 3));
  return sign | Math.min(0x7e, (exponent + 6) * 8 + scaled);
}

/** Entropy, in bytes, of the lanes given those of the base. */
function givenBase(raw: Uint8Array, base: Uint8Array): number {
  const counts = new Float64Array(65_536);
  const totals = new Float64Array(256);
  raw.forEach((value, at) => {
    counts[base[at] * 256 + value]++;
    totals[base[at]]++;
  });
  let bits = 0;
  counts.forEach((count, at) => {
    if (count > 0) bits += count * Math.log2(totals[at >>> 8] / count);
  });
  return bits / 8;
}

describe('chunks of rarer dtypes', () => {
  it.each([
    [0.01, 0.95],
    [0.1, 0.95],
    [0.5, 0.95],
  ])(
    'f8e4m3 weights that move by about %f take at most the entropy given the base over %f',
    (step, share) => {
      const master = normals(COUNT, 4, 1);
      const steps = normals(COUNT, step, 2);
      const base = Uint8Array.from(master, toE4m3);
      const raw = Uint8Array.from(master, (value, at) => toE4m3(value + steps[at]));
      const [bytes, bound] = [size('f8e4m3', raw, base), givenBase(raw, base)];
      console.info(
        `f8e4m3, ${step}: ${(COUNT / bytes).toFixed(2)}x, ${((100 * bound) / bytes).toFixed(1)} % of the bound`,
      );
      expect(bytes).toBeLessThanOrEqual(bound / share);
    },
  );

  it('f64 weights, and f32 values in f64, are at least 1.32x and 2.8x', () => {
    const before = Float64Array.from(normals(COUNT, 0.02, 3), (value, at) => value * (1 + 1e-9 * (at % 97)));
    const random = randomSource(4);
    const after = before.map((value) => value - 1e-4 * (2 * random() - 1));
    expect((8 * COUNT) / size('f64', bytesOf(after), bytesOf(before))).toBeGreaterThan(1.32);
    const [narrow, moved] = [before, after].map((values) => values.map(Math.fround));
    expect((8 * COUNT) / size('f64', bytesOf(moved), bytesOf(narrow))).toBeGreaterThan(2.8);
  });

  it('position ids take less than a hundredth, masks a fiftieth', () => {
    const positions = BigInt64Array.from({ length: COUNT }, (_, at) => BigInt(at % 512));
    const mask = Uint8Array.from({ length: COUNT }, (_, at) => (at % 512 < 300 + ((at >>> 9) % 2) ? 1 : 0));
    expect(size('i64', bytesOf(positions))).toBeLessThan(8 * COUNT * 0.01);
    expect(size('bool', mask)).toBeLessThan(COUNT * 0.02);
  });

  it('counters that all move alike take a few bytes, those that some do little more than the moves', () => {
    const random = randomSource(5);
    const before = BigInt64Array.from({ length: COUNT }, () => BigInt(Math.floor(random() * 1e6)));
    const all = before.map((value) => value + 1n);
    expect(size('i64', bytesOf(all), bytesOf(before))).toBeLessThan(64);
    const some = before.map((value) => value + (random() < 0.05 ? 1n : 0n));
    const bound = (COUNT * (0.05 * Math.log2(1 / 0.05) + 0.95 * Math.log2(1 / 0.95))) / 8;
    expect(size('i64', bytesOf(some), bytesOf(before))).toBeLessThan(bound * 1.1);
  });

  it('token ids take their entropy', () => {
    const random = randomSource(6);
    const ids = Int32Array.from({ length: COUNT }, () => Math.floor(Math.exp(random() * 10.3)));
    expect((4 * COUNT) / size('i32', bytesOf(ids))).toBeGreaterThan(2.8);
  });
});
