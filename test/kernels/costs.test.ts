import { describe, expect, it } from 'vitest';
import { loadKernels } from '../../src/kernels/index.js';
import { randomBytes, skewedBytes } from './kernel-inputs.js';

const BYTES = { laneBytes: 1, lane: 'integer' } as const;
const oracle = loadKernels('typescript');

/** By the definition, with the logarithm of this machine. */
function entropyOf(bytes: Uint8Array): number {
  const counts = new Map<number, number>();
  for (const byte of bytes) counts.set(byte, (counts.get(byte) ?? 0) + 1);
  let bits = 0;
  for (const count of counts.values()) bits -= count * Math.log2(count / bytes.length);
  return bits;
}

/** Tables have 20 bits behind the point, and counts of more than 12 bits lose some. */
const EXACT = 0.001;

describe.each(['wasm', 'typescript'] as const)('costs of %s kernels', (implementation) => {
  const kernels = loadKernels(implementation);

  it('have the same table of logarithms', () => {
    expect(kernels.logarithms).toEqual(oracle.logarithms);
    expect(kernels.logarithms[1000]).toBeCloseTo(Math.log2(1 + 1000 / 4096), 5);
  });

  it('are the entropy', () => {
    for (const bytes of [randomBytes(5000, 1), skewedBytes(5000, 2), new Uint8Array(9), new Uint8Array(0)]) {
      const bits = kernels.planeBits(bytes, undefined, BYTES, 0);
      expect(Math.abs(bits - entropyOf(bytes))).toBeLessThanOrEqual(EXACT * bytes.length);
    }
  });

  it('count each value but one, and no byte for more than itself', () => {
    const bytes = Uint8Array.from({ length: 4000 }, (_, at) => at % 5);
    const plain = kernels.planeBits(bytes, undefined, BYTES, 0);
    expect(kernels.planeBits(bytes, undefined, BYTES, 3)).toBe(plain + 4 * 3);
    expect(kernels.planeBits(randomBytes(1000, 4), undefined, BYTES, 1000)).toBe(8000);
  });

  it('are those of each plane of a residual', () => {
    const raw = Uint8Array.from({ length: 4000 }, (_, at) => (at % 4 === 3 ? at >> 2 : at & 3));
    const base = new Uint8Array(4000);
    const layout = { laneBytes: 4, lane: 'integer' } as const;
    const planes = new Uint8Array(4000);
    kernels.splitPlanes(raw, base, layout, planes);
    const each = [0, 1, 2, 3].map((plane) => {
      return kernels.planeBits(planes.subarray(1000 * plane, 1000 * plane + 1000), undefined, BYTES, 0.5);
    });
    expect(kernels.planeBits(raw, base, layout, 0.5)).toBe(each.reduce((sum, bits) => sum + bits));
  });

  it('are the same of a sampled plane, by its counts', () => {
    const bytes = skewedBytes(65_536, 3);
    const counts = new Uint32Array(256);
    const bits = kernels.sampledHistogram(bytes, counts);
    const sampled = bytes.filter((_, at) => at % 1088 < 64);
    expect(bits).toBe(kernels.planeBits(sampled, undefined, BYTES, 0));
    expect(counts.reduce((sum, count) => sum + count)).toBe(sampled.length);
  });

  it('of classes are the entropy in each context and the bits apart, in whole bytes', () => {
    const layout = { laneBytes: 2, exponentBits: 8 } as const;
    // Exponents 1 and 2, each with a step of 0 or 1: one bit a lane, and none apart.
    const base = Uint8Array.from({ length: 1024 }, (_, at) => (at % 2 === 0 ? 0 : at % 4 === 1 ? 1 : 2));
    const raw = base.map((byte, at) => byte | (at % 8 === 0 || at % 8 === 2 ? 1 : 0));
    expect(kernels.classBits(raw, base, layout, 0)).toBe(512);
    // A step of 64 has four bits apart.
    const far = base.map((byte, at) => byte | (at === 0 ? 64 : 0));
    expect(kernels.classBits(far, base, layout, 0)).toBeGreaterThan(8);
    expect(kernels.classBits(far, base, layout, 0)).toBe(oracle.classBits(far, base, layout, 0));
    expect(() => kernels.classBits(raw, base.subarray(2), layout, 0)).toThrow(RangeError);
  });
});
