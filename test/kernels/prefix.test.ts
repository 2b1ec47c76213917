import { describe, expect, it } from 'vitest';
import {
  BLOCK_LANES,
  loadKernels,
  PREFIX_CONTEXTS,
  PREFIX_SYMBOLS,
  type PrefixModel,
  prefixBytesMax,
} from '../../src/kernels/index.js';
import { edgeLanes, randomBytes, randomNumbers, sameBytes, shifted } from './kernel-inputs.js';

const oracle = loadKernels('typescript');

/** Complete codes that differ from context to context. */
function anyModel(lowBytes: 1 | 2, firstExponent: number): PrefixModel {
  const shape = [1, 2, 3, 4, 7, 7, 7, 7, 7, 7, 8, 9, 9, 9, 9, 9, 9];
  const lengths = Array.from({ length: PREFIX_CONTEXTS }, (_, context) =>
    shape.map((_length, symbol) => shape[(symbol + context) % PREFIX_SYMBOLS]),
  );
  return { lowBytes, firstExponent, lengths: Uint8Array.from(lengths.flat()) };
}

/** f32 lanes and what a step of random size makes of them. */
function steppedLanes(lanes: number, seed: number): { raw: Uint8Array; base: Uint8Array } {
  const next = randomNumbers(seed);
  const base = Int32Array.from({ length: lanes }, () => ((next() & 1) << 31) | (0x3c000000 + (next() >>> 6)));
  const raw = base.map((word) => word + ((next() >> (next() & 31)) | 0));
  return { raw: new Uint8Array(raw.buffer), base: new Uint8Array(base.buffer) };
}

describe.each(['wasm', 'typescript'] as const)('prefix codes of %s kernels', (implementation) => {
  const kernels = loadKernels(implementation);

  function check(raw: Uint8Array, base: Uint8Array, model: PrefixModel): Uint8Array {
    const lanes = raw.length / 4;
    const output = new Uint8Array(prefixBytesMax(lanes));
    const expected = new Uint8Array(prefixBytesMax(lanes));
    const coded = output.subarray(0, kernels.encodePrefix(raw, base, model, output));
    const length = oracle.encodePrefix(raw, base, model, expected);
    expect(coded.length).toBe(length);
    expect(sameBytes(coded, expected.subarray(0, length))).toBe(true);
    const decoded = shifted(new Uint8Array(raw.length), 1);
    const followed = new Uint8Array(length + 9);
    followed.set(coded);
    expect(kernels.decodePrefix(followed, base, model, decoded)).toBe(length);
    expect(sameBytes(decoded, raw)).toBe(true);
    const counts = new Uint32Array(256);
    const expectedCounts = new Uint32Array(256);
    kernels.countPrefix(raw, base, model.lowBytes, model.firstExponent, counts);
    oracle.countPrefix(raw, base, model.lowBytes, model.firstExponent, expectedCounts);
    expect(counts).toEqual(expectedCounts);
    return coded;
  }

  it.each([1, 2] as const)('codes every tail like the oracle, %i low bytes', (lowBytes) => {
    for (let lanes = 0; lanes <= 40; lanes++) {
      const { raw, base } = steppedLanes(lanes, lanes);
      check(raw, base, anyModel(lowBytes, 110));
      check(edgeLanes(lanes, 4), base, anyModel(lowBytes, 0));
      check(raw, edgeLanes(lanes, 4), anyModel(lowBytes, 255));
    }
  });

  it('codes a whole block, also of the longest codes', () => {
    const { raw, base } = steppedLanes(BLOCK_LANES, 3);
    check(raw, base, anyModel(1, 115));
    check(randomBytes(4 * BLOCK_LANES, 1), randomBytes(4 * BLOCK_LANES, 2), anyModel(1, 120));
    check(randomBytes(4 * BLOCK_LANES, 1), randomBytes(4 * BLOCK_LANES, 2), anyModel(2, 120));
  });

  it('refuses damage', () => {
    const { raw, base } = steppedLanes(100, 3);
    const model = anyModel(1, 115);
    const coded = check(raw, base, model);
    const out = new Uint8Array(raw.length);
    for (let end = 0; end < coded.length; end++) {
      expect(kernels.decodePrefix(coded.subarray(0, end), base, model, out)).toBe(-1);
    }
    for (let at = 0; at < 16; at++) {
      const damaged = coded.slice();
      damaged[at] ^= 1 << (at % 8);
      expect(kernels.decodePrefix(damaged, base, model, out)).toBe(-1);
    }
    for (let at = 16; at < coded.length; at++) {
      const damaged = coded.slice();
      damaged[at] ^= 0x10;
      const used = kernels.decodePrefix(damaged, base, model, out);
      expect(used).toBe(oracle.decodePrefix(damaged, base, model, out));
    }
    expect(() =>
      kernels.encodePrefix(raw, base, { ...model, lengths: new Uint8Array(255).fill(4) }, out),
    ).toThrow(RangeError);
  });
});
