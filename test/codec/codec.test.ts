import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createCodec, fromBase, type Level } from '../../src/codec/index.js';
import { loadKernels } from '../../src/kernels/index.js';
import { DTYPES, dtypeInfo } from '../../src/tensor/index.js';
import { edgeLanes, randomBytes, sameBytes, shifted, skewedBytes } from '../kernels/kernel-inputs.js';
import { nudged, type Pair, pairs, sparseUpdate, touchedRows } from './chunk-inputs.js';

const kernels = loadKernels('wasm');
const codec = createCodec(kernels);
const plainCodec = createCodec(loadKernels('typescript'));
const LEVELS: readonly Level[] = ['fast', 'max'];

/** Encodes, checks everything a record promises, and returns it. */
function checked({ dtype, raw, base }: Pair, level: Level): Uint8Array {
  const { record, prediction } = codec.encode(raw, dtype, fromBase(base), level);
  const inputs = prediction?.inputs ?? [];
  expect(record.length).toBeLessThanOrEqual(raw.length + 16);
  expect(codec.inputsOf(record)).toBe(inputs.length);
  const decoded = codec.decode(record, raw.length, inputs, 'chunk');
  expect(sameBytes(decoded, raw)).toBe(true);
  const mark = kernels.arena.mark();
  const target = (kernels.arena.take(raw.length) ?? new Uint8Array(raw.length)).fill(0xa5);
  expect(codec.decode(record, raw.length, inputs, 'chunk', target)).toBe(target);
  expect(sameBytes(target, raw)).toBe(true);
  kernels.arena.release(mark);
  return record;
}

describe('codec', () => {
  it('gives back any chunk of any dtype', () => {
    fc.assert(
      fc.property(pairs(3000), fc.constantFrom(...LEVELS), (pair, level) => {
        checked(pair, level);
      }),
      { numRuns: 600 },
    );
  });

  it('gives back chunks of several blocks, with a tail that is no whole lane', () => {
    for (const dtype of ['bf16', 'f32', 'c128', 'u8'] as const) {
      const { bytes, laneBytes } = dtypeInfo(dtype);
      const base = skewedBytes(70_000 * bytes + bytes - 1, 3);
      checked({ dtype, raw: nudged(base, laneBytes, 9, 4), base }, 'fast');
      checked({ dtype, raw: base, base: undefined }, 'fast');
    }
  });

  it('keeps NaN payloads, signed zeros, infinities and denormals of every dtype', () => {
    for (const dtype of DTYPES) {
      const { laneBytes } = dtypeInfo(dtype);
      const raw = edgeLanes(256, laneBytes);
      for (const base of [undefined, new Uint8Array(raw.length), randomBytes(raw.length, 1)]) {
        checked({ dtype, raw, base }, 'fast');
      }
    }
  });

  it('gives the same record again, over either kernels, at any alignment', () => {
    fc.assert(
      fc.property(pairs(2000), fc.constantFrom(...LEVELS), ({ dtype, raw, base }, level) => {
        const { record } = codec.encode(raw, dtype, fromBase(base), level);
        const moved = codec.encode(shifted(raw, 3), dtype, fromBase(base && shifted(base, 1)), level).record;
        const plain = plainCodec.encode(raw, dtype, fromBase(base), level).record;
        expect(sameBytes(moved, record)).toBe(true);
        expect(sameBytes(plain, record)).toBe(true);
        expect(
          sameBytes(plainCodec.decode(record, raw.length, base === undefined ? [] : [base], 'chunk'), raw),
        ).toBe(true);
      }),
      { numRuns: 200 },
    );
  });

  it('leaves its arguments alone and hands out own memory', () => {
    const { raw, base } = sparseUpdate(5000, 20, 1);
    const copies = [Uint8Array.from(raw), Uint8Array.from(base ?? raw)];
    const first = codec.encode(raw, 'bf16', fromBase(base), 'fast').record;
    const kept = Uint8Array.from(first);
    codec.encode(randomBytes(9000, 1), 'f32', [], 'fast');
    expect(sameBytes(first, kept)).toBe(true);
    expect(sameBytes(raw, copies[0]) && sameBytes(base ?? raw, copies[1])).toBe(true);
    const noise = randomBytes(64, 1);
    const noiseRecord = codec.encode(noise, 'f32', [], 'fast').record;
    codec.decode(noiseRecord, 64, [], 'chunk').fill(0);
    expect(sameBytes(codec.decode(noiseRecord, 64, [], 'chunk'), noise)).toBe(true);
  });
});

describe('sizes of records', () => {
  it('needs a few bytes for a chunk that equals its base', () => {
    for (const dtype of DTYPES) {
      const raw = randomBytes(262_144 * Math.min(4, dtypeInfo(dtype).bytes), 5);
      for (const level of LEVELS) {
        const record = checked({ dtype, raw, base: Uint8Array.from(raw) }, level);
        expect(record.length).toBeLessThanOrEqual(24);
      }
    }
  });

  it('stores noise raw, with one byte more', () => {
    const raw = randomBytes(100_000, 2);
    for (const dtype of ['bytes', 'f32', 'u8'] as const) {
      expect(checked({ dtype, raw, base: undefined }, 'fast').length).toBe(raw.length + 1);
      expect(checked({ dtype, raw, base: randomBytes(100_000, 3) }, 'fast').length).toBe(raw.length + 1);
    }
    expect(checked({ dtype: 'f32', raw: new Uint8Array(0), base: undefined }, 'fast').length).toBe(1);
  });

  it('does not take a base that saves nothing', () => {
    const raw = skewedBytes(40_000, 1);
    for (const level of LEVELS) {
      expect(codec.encode(raw, 'f32', fromBase(randomBytes(40_000, 2)), level).prediction).toBe(undefined);
      const zeros = new Uint8Array(40_000);
      expect(codec.encode(zeros, 'f32', fromBase(Uint8Array.from(zeros)), level).prediction).toBe(undefined);
    }
  });

  it('needs at most 11 bits for each changed element where 1 % of bf16 elements change', () => {
    const pair = sparseUpdate(262_144, 100, 9);
    const bits = (checked(pair, 'fast').length * 8) / pair.changed;
    console.info(`bf16, 1 % changed: ${bits.toFixed(2)} bits per changed element`);
    expect(bits).toBeLessThan(11);
  });

  it('reaches 40x where one fp32 row in 40 is touched', () => {
    const pair = touchedRows(4096, 64, 40, 3);
    const ratio = pair.raw.length / checked(pair, 'fast').length;
    console.info(`fp32, 2.5 % of the rows touched: ${ratio.toFixed(1)}x`);
    expect(ratio).toBeGreaterThan(40);
  });

  it('deflates text, better with a base as dictionary', () => {
    const text = new TextEncoder().encode(
      Array.from({ length: 300 }, (_, index) => `{"name":"layer.${(index * 7919) % 1000}"}`).join(),
    );
    const alone = checked({ dtype: 'bytes', raw: text, base: undefined }, 'fast');
    expect(alone.length).toBeLessThan(text.length / 4);
    const longer = new Uint8Array([...text.subarray(0, 900), 33, 33, ...text.subarray(900)]);
    const delta = checked({ dtype: 'bytes', raw: longer, base: text }, 'fast');
    expect(codec.inputsOf(delta)).toBe(1);
    expect(delta.length).toBeLessThan(alone.length / 5);
  });
});
