import { describe, expect, it } from 'vitest';
import { BLOCK_LANES, loadKernels, sevenBytes } from '../../src/kernels/index.js';
import { randomBytes, sameBytes, shifted } from './kernel-inputs.js';

const oracle = loadKernels('typescript');

describe.each(['wasm', 'typescript'] as const)('seven bits a byte, of %s kernels', (implementation) => {
  const kernels = loadKernels(implementation);

  it('come back, whichever bit they have in common, and like the oracle', () => {
    for (const bit of [0, 1, 4, 7]) {
      for (const value of [0, 1] as const) {
        for (const length of [0, 1, 2, 7, 8, 9, 15, 63, 64, 1001, BLOCK_LANES]) {
          const plane = randomBytes(length, length + bit).map(
            (byte) => (byte & ~(1 << bit)) | (value << bit),
          );
          const [coded, expected] = [0, 1].map(() => new Uint8Array(sevenBytes(length)));
          kernels.packSeven(plane, { bit, value }, coded);
          oracle.packSeven(plane, { bit, value }, expected);
          expect(sameBytes(coded, expected)).toBe(true);
          const decoded = shifted(new Uint8Array(length), 1);
          expect(kernels.unpackSeven(coded, { bit, value }, decoded)).toBe(true);
          expect(sameBytes(decoded, plane)).toBe(true);
        }
      }
    }
  });

  it('refuse bits that are left over, and no room', () => {
    const common = { bit: 0, value: 0 } as const;
    const plane = new Uint8Array(3);
    expect(kernels.unpackSeven(Uint8Array.of(0, 0, 0x1f), common, plane)).toBe(true);
    for (const last of [0x20, 0x40, 0x80]) {
      expect(kernels.unpackSeven(Uint8Array.of(0, 0, last), common, plane)).toBe(false);
    }
    expect(() => kernels.packSeven(plane, common, new Uint8Array(2))).toThrow(RangeError);
    expect(() => kernels.packSeven(plane, { bit: 8, value: 0 }, new Uint8Array(3))).toThrow(RangeError);
  });
});
