import { describe, expect, it } from 'vitest';
import { BLOCK_LANES, loadKernels } from '../../src/kernels/index.js';
import {
  anyFrequencies,
  edgeLanes,
  inArena,
  LAYOUTS,
  randomBytes,
  sameBytes,
  skewedBytes,
} from './kernel-inputs.js';

describe.each(['wasm', 'typescript'] as const)('the arena of %s kernels', (implementation) => {
  const kernels = loadKernels(implementation);
  const { arena } = kernels;

  it('gives arrays that do not overlap, and takes them back', () => {
    const mark = arena.mark();
    const first = arena.take(100);
    const second = arena.take(100);
    first?.fill(1);
    second?.fill(2);
    expect(first?.every((byte) => byte === 1)).toBe(true);
    expect(first !== undefined && arena.holds(first)).toBe(true);
    expect(arena.holds(new Uint8Array(8))).toBe(false);
    arena.release(mark);
    expect(arena.take(100)?.byteOffset).toBe(first?.byteOffset);
    arena.release(mark);
  });

  it('refuses what does not fit, and gives what just does', () => {
    const mark = arena.mark();
    expect(arena.take(arena.free + 1)).toBeUndefined();
    expect(arena.take(arena.free)?.length).toBeGreaterThan(2 ** 24);
    expect(arena.take(1)).toBeUndefined();
    arena.release(mark);
  });

  it.each([BLOCK_LANES, 64, 63, 1])('makes no difference to planes of %i lanes', (lanes) => {
    for (const layout of LAYOUTS) {
      const mark = arena.mark();
      const raw = edgeLanes(lanes, layout.laneBytes);
      const base = randomBytes(raw.length, lanes);
      const expected = new Uint8Array(raw.length);
      kernels.splitPlanes(raw, base, layout, expected);
      const placed = inArena(kernels, raw);
      const placedBase = inArena(kernels, base);
      const planes = inArena(kernels, new Uint8Array(raw.length));
      const guard = inArena(kernels, randomBytes(64, 1));
      kernels.splitPlanes(placed, placedBase, layout, planes);
      const bits = kernels.planeBits(raw, base, layout, 0);
      expect(kernels.planeBits(placed, placedBase, layout, 0)).toBe(bits);
      expect(sameBytes(planes, expected)).toBe(true);
      const restored = inArena(kernels, new Uint8Array(raw.length));
      kernels.mergePlanes(planes, placedBase, layout, restored);
      expect(sameBytes(restored, raw)).toBe(true);
      expect(sameBytes(guard, randomBytes(64, 1))).toBe(true);
      expect(sameBytes(kernels.contentHash(placed), kernels.contentHash(raw))).toBe(true);
      arena.release(mark);
    }
  });

  it('makes no difference to coded and sparse bytes', () => {
    const mark = arena.mark();
    const bytes = skewedBytes(10_007, 5);
    const frequencies = anyFrequencies(bytes);
    const coded = kernels.encodeEntropy(inArena(kernels, bytes), frequencies, 4)?.slice();
    expect(coded).toEqual(kernels.encodeEntropy(bytes, frequencies, 4)?.slice());
    const decoded = inArena(kernels, new Uint8Array(bytes.length));
    expect(kernels.decodeEntropy(inArena(kernels, coded ?? bytes), frequencies, 4, decoded)).toBe(true);
    expect(sameBytes(decoded, bytes)).toBe(true);
    const counts = new Uint32Array(256);
    const expected = new Uint32Array(256);
    kernels.sampledHistogram(inArena(kernels, bytes), counts);
    bytes.forEach((byte, at) => {
      if (at % 1088 < 64) expected[byte]++;
    });
    expect(counts).toEqual(expected);
    const gaps = kernels.gatherSparse(inArena(kernels, bytes)).gaps.slice();
    expect(sameBytes(gaps, kernels.gatherSparse(bytes).gaps)).toBe(true);
    arena.release(mark);
  });

  it('compares bytes wherever they lie, and sees each single difference', () => {
    for (const length of [0, 1, 127, 128, 129, 1000, 600_000]) {
      const mark = arena.mark();
      const a = randomBytes(length, 7);
      const b = inArena(kernels, a);
      expect(kernels.isSame(a, b)).toBe(true);
      for (const at of [0, length >> 1, length - 1].filter((place) => place >= 0 && place < length)) {
        b[at] ^= 1;
        expect(kernels.isSame(a, b)).toBe(false);
        b[at] ^= 1;
      }
      expect(kernels.isSame(a, b.subarray(0, length - 1))).toBe(length === 0);
      arena.release(mark);
    }
  });
});
