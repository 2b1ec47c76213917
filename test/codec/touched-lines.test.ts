/** Chunks of which whole stretches equal their base: FORMAT.md, "Touched lines". */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createCodec, fromBase } from '../../src/codec/index.js';
import { loadKernels } from '../../src/kernels/index.js';
import { DTYPES, dtypeInfo } from '../../src/tensor/index.js';
import { randomBytes, randomNumbers, sameBytes } from '../kernels/kernel-inputs.js';
import { touchedRows } from './chunk-inputs.js';

const TOUCHED = 11;
const codec = createCodec(loadKernels());

/** Random bytes, and the same with other bytes in some of their stretches. */
function stretches(length: number, stretch: number, every: number, seed: number) {
  const next = randomNumbers(seed);
  const base = randomBytes(length, seed);
  const raw = Uint8Array.from(base);
  for (let start = 0; start < length; start += stretch) {
    if (next() % every !== 0) continue;
    for (let at = start; at < Math.min(length, start + stretch); at++) raw[at] ^= next() >>> 9;
  }
  return { raw, base };
}

describe('touched lines', () => {
  it('come back, whatever the dtype, their length and their place', () => {
    const any = fc.record({
      dtype: fc.constantFrom(...DTYPES.filter((dtype) => dtype !== 'bytes')),
      length: fc.nat(6000),
      stretch: fc.constantFrom(128, 192, 1000),
      every: fc.constantFrom(1, 2, 5),
      seed: fc.nat(),
    });
    let seen = 0;
    fc.assert(
      fc.property(any, ({ dtype, length, stretch, every, seed }) => {
        const { raw, base } = stretches(length, stretch, every, seed);
        const { record, prediction } = codec.encode(raw, dtype, fromBase(base), 'fast');
        if (prediction !== undefined && record[0] === 4 && record[3] === TOUCHED) seen++;
        expect(sameBytes(codec.decode(record, length, prediction?.inputs ?? [], 'chunk'), raw)).toBe(true);
      }),
      { numRuns: 300 },
    );
    expect(seen).toBeGreaterThan(50);
  });

  it('come back from chunks of several blocks', () => {
    for (const dtype of ['f32', 'bf16', 'f64', 'i64'] as const) {
      const { laneBytes } = dtypeInfo(dtype);
      const { raw, base } = stretches(150_000 * laneBytes, 256, 20, laneBytes);
      const { record } = codec.encode(raw, dtype, fromBase(base), 'fast');
      expect(record[3]).toBe(TOUCHED);
      expect(sameBytes(codec.decode(record, raw.length, [base], 'chunk'), raw)).toBe(true);
      expect(record.length).toBeLessThan((raw.length / 20) * 1.1);
    }
  });

  it('take little more than the lanes in them: 60x where one fp32 row in 40 moves', () => {
    const { raw, base, dtype } = touchedRows(4096, 64, 40, 3);
    const ratio = raw.length / codec.encode(raw, dtype, fromBase(base), 'fast').record.length;
    console.info(`fp32, 2.5 % of the rows touched: ${ratio.toFixed(1)}x`);
    expect(ratio).toBeGreaterThan(60);
  });

  it('are refused where runs do not fit, or in each other', () => {
    const lanes = new Uint8Array(256);
    const head = [4, 15, 2, TOUCHED];
    const whole = [1, 1, 2, 1];
    expect(codec.decode(Uint8Array.of(...head, ...whole), 256, [lanes], 'chunk')).toEqual(lanes);
    const damaged = [
      [0],
      [5, 0, 1, 1, 1, 1, 1, 1, 1],
      [1, 1, 0, 1],
      [1, 3, 2, 1],
      [2, 0, 1, 0, 1, 1],
      [1, 1, 2, TOUCHED, 1, 0, 1, 1],
      [1, 1, 2],
    ];
    for (const rest of damaged) {
      const record = Uint8Array.of(...head, ...rest);
      expect(() => codec.decode(record, 256, [lanes], 'chunk'), `${rest}`).toThrow(/chunk/);
    }
  });

  it('stand for zeros where there is no prediction', () => {
    const alone = Uint8Array.of(4, 15, 1, TOUCHED, 1, 1, 2, 2, ...[0, 0, 0, 0].flatMap(() => [2, 7]));
    const decoded = codec.decode(alone, 256, [], 'chunk');
    expect([...decoded.subarray(0, 64), ...decoded.subarray(192)].every((byte) => byte === 0)).toBe(true);
    expect(decoded.subarray(64, 192).some((byte) => byte === 0)).toBe(false);
  });

  it('are told apart where rows are zero, as the moments of tokens that no batch named', () => {
    for (const dtype of ['f32', 'bf16', 'i64'] as const) {
      const { laneBytes } = dtypeInfo(dtype);
      const raw = randomBytes(150_000 * laneBytes, 3);
      for (let row = 0; row < raw.length; row += 2048 * 20) raw.fill(0, row, row + 2048);
      const { record, prediction } = codec.encode(raw, dtype, [], 'fast');
      expect(prediction).toBeUndefined();
      expect(record[3]).toBe(TOUCHED);
      expect(record.length).toBeLessThan(raw.length * 0.951);
      expect(sameBytes(codec.decode(record, raw.length, [], 'chunk'), raw)).toBe(true);
    }
  });
});
