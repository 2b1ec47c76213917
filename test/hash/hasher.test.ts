import { xxhash64, xxhash128 } from 'hash-wasm';
import { beforeAll, describe, expect, it } from 'vitest';
import { type Hasher, loadHasher } from '../../src/hash/index.js';
import { loadKernels } from '../../src/kernels/index.js';
import { randomBytes, shifted } from '../kernels/kernel-inputs.js';

describe.each(['wasm', 'typescript'] as const)('hasher over %s kernels', (implementation) => {
  let hasher: Hasher;
  beforeAll(async () => {
    hasher = await loadHasher(loadKernels(implementation));
  });

  it('names chunks by XXH3-128 as xxhsum prints it', async () => {
    expect(hasher.chunkId(new Uint8Array(0))).toBe('99aa06d3014798d86001c324468d497f');
    for (const length of [1, 5, 12, 100, 200, 241, 5000]) {
      const bytes = randomBytes(length, length);
      const id = hasher.chunkId(shifted(bytes, 1));
      expect(id).toBe(await xxhash128(bytes));
      expect(id).toMatch(/^[0-9a-f]{32}$/);
    }
  });

  it('sums up bytes by XXH64, at once and piece by piece', async () => {
    for (const length of [0, 1, 31, 32, 33, 1000, 262_144, 600_001]) {
      const bytes = randomBytes(length, length + 1);
      const expected = await xxhash64(bytes);
      expect(hasher.checksum(shifted(bytes, 3))).toBe(BigInt(`0x${expected}`));
      const whole = hasher.file();
      for (let at = 0; at < length; at += 7) whole.update(bytes.subarray(at, at + 7));
      expect(whole.digest()).toBe(expected);
    }
  });

  it('keeps digests of two files apart', async () => {
    const first = hasher.file();
    const second = hasher.file();
    first.update(new Uint8Array([1]));
    second.update(new Uint8Array([2]));
    expect(first.digest()).toBe(await xxhash64(new Uint8Array([1])));
    expect(second.digest()).toBe(await xxhash64(new Uint8Array([2])));
  });
});
