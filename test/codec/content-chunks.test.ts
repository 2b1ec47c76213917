import { describe, expect, it } from 'vitest';
import { CONTENT_CHUNK_MAX, CONTENT_CHUNK_MIN, nextContentChunk } from '../../src/codec/index.js';
import { loadKernels } from '../../src/kernels/index.js';
import { randomBytes } from '../kernels/kernel-inputs.js';

const kernels = loadKernels();

function lengths(bytes: Uint8Array): number[] {
  const found: number[] = [];
  for (let at = 0; at < bytes.length; at += found[found.length - 1]) {
    found.push(nextContentChunk(kernels, bytes.subarray(at, at + CONTENT_CHUNK_MAX)));
  }
  return found;
}

describe('content-defined chunks', () => {
  it('stay between their bounds and near 64 KiB', () => {
    const found = lengths(randomBytes(8_000_000, 1));
    for (const length of found.slice(0, -1)) {
      expect(length).toBeGreaterThanOrEqual(CONTENT_CHUNK_MIN);
      expect(length).toBeLessThanOrEqual(CONTENT_CHUNK_MAX);
    }
    const average = 8_000_000 / found.length;
    expect(average).toBeGreaterThan(50_000);
    expect(average).toBeLessThan(85_000);
  });

  it('take what is left when it is short, and no more than the largest chunk of zeros', () => {
    expect(nextContentChunk(kernels, new Uint8Array(0))).toBe(0);
    expect(nextContentChunk(kernels, randomBytes(100, 1))).toBe(100);
    const zeros = nextContentChunk(kernels, new Uint8Array(CONTENT_CHUNK_MAX + 5));
    expect(zeros).toBeGreaterThan(CONTENT_CHUNK_MIN);
    expect(zeros).toBeLessThanOrEqual(CONTENT_CHUNK_MAX);
  });

  it('are the same for every reader: the first boundaries of known bytes', () => {
    expect(lengths(randomBytes(600_000, 7))).toMatchInlineSnapshot(`
      [
        23002,
        72101,
        46087,
        32739,
        35039,
        35944,
        46082,
        119910,
        77394,
        69186,
        19178,
        23338,
      ]
    `);
  });
});
