/** Chunks of 16-bit floats of which one lane in four to twenty moved a little: FORMAT.md, "Steps". */
import { describe, expect, it } from 'vitest';
import { ByteReader, ByteWriter } from '../../src/bytes/index.js';
import { createCodec, fromBase } from '../../src/codec/index.js';
import { loadKernels } from '../../src/kernels/index.js';
import { randomNumbers, sameBytes } from '../kernels/kernel-inputs.js';
import { sparseUpdate } from './chunk-inputs.js';

const STEPS = 13;
/** Encoding, dtype, predictor, kind and first exponent come before the number of levels. */
const LEVELS_AT = 5;
const codec = createCodec(loadKernels());
const plain = createCodec(loadKernels('typescript'));

function comesBack(raw: Uint8Array, base: Uint8Array, dtype: 'bf16' | 'f16'): Uint8Array {
  const { record } = codec.encode(raw, dtype, fromBase(base), 'fast');
  expect(record[3]).toBe(STEPS);
  expect(sameBytes(codec.decode(record, raw.length, [base], 'chunk'), raw)).toBe(true);
  expect(sameBytes(plain.encode(raw, dtype, fromBase(base), 'fast').record, record)).toBe(true);
  expect(sameBytes(plain.decode(record, raw.length, [base], 'chunk'), raw)).toBe(true);
  return record;
}

/** Lanes of which one in eight moves either way by one, and one in `far` of these by up to so many units in the last place. */
function walk(lanes: number, farthest: number, far: number): { raw: Uint8Array; base: Uint8Array } {
  const next = randomNumbers(farthest);
  const base = Uint16Array.from({ length: lanes }, () => 0x3000 + (next() % 0x800) + (next() % 2) * 0x8000);
  const raw = base.map((lane) => {
    if (next() % 8 !== 0) return lane;
    const size = next() % far === 0 ? 1 + (next() % farthest) : 1;
    return next() % 2 === 0 ? lane + size : lane - size;
  });
  return { raw: new Uint8Array(raw.buffer), base: new Uint8Array(base.buffer) };
}

describe('steps', () => {
  it.each(['bf16', 'f16'] as const)('come back, %s, whatever the number of lanes', (dtype) => {
    for (const lanes of [65_536, 65_537, 131_080, 150_007]) {
      const { raw, base } = sparseUpdate(lanes, 10, lanes);
      comesBack(raw, base ?? raw, dtype);
    }
  });

  it('come back however far lanes are', () => {
    for (const farthest of [1, 2, 3, 4, 5, 7, 40, 700, 30_000]) {
      const { raw, base } = walk(70_003, farthest, farthest < 8 ? 4 : 100);
      const levels = comesBack(raw, base, 'bf16')[LEVELS_AT];
      expect(levels).toBeGreaterThan(1);
    }
  });

  // Seen to fail with a REST_BITS_MAX of 0.4.
  it('are not what many large steps are written as', () => {
    const { raw, base } = walk(70_003, 12, 4);
    expect(codec.encode(raw, 'bf16', fromBase(base), 'fast').record[3]).not.toBe(STEPS);
  });

  it('take at most 2 % more than the entropy of what changed', () => {
    const { raw, base, changed } = sparseUpdate(262_144, 11, 2);
    const { record } = codec.encode(raw, 'bf16', fromBase(base), 'fast');
    const share = changed / 262_144;
    const marks = -share * Math.log2(share) - (1 - share) * Math.log2(1 - share);
    // A sixteenth steps by 2, the others by 1 either way.
    const values = -(Math.log2(1 / 16) / 16) - (15 / 16) * Math.log2(15 / 32);
    expect(record[3]).toBe(STEPS);
    expect((8 * record.length) / (262_144 * (marks + share * values))).toBeLessThan(1.02);
  });

  // Seen to fail without the comparison of `at` and `length`.
  it('are refused with a byte more than they take', () => {
    const { raw, base } = sparseUpdate(65_540, 10, 5);
    const before = base ?? raw;
    const { record } = codec.encode(raw, 'bf16', fromBase(before), 'fast');
    const lengthAt = LEVELS_AT + 1 + 16 * Math.min(4, record[LEVELS_AT]);
    const reader = new ByteReader(record, 'chunk', lengthAt);
    const length = reader.varint();
    const coded = record.subarray(reader.offset, reader.offset + 128 + length);
    const writer = new ByteWriter(record.length + 2);
    writer.bytes(record.subarray(0, lengthAt));
    writer.varint(length + 1);
    for (const part of [coded, Uint8Array.of(0), record.subarray(reader.offset + coded.length)])
      writer.bytes(part);
    expect(() => codec.decode(writer.written(), raw.length, [before], 'chunk')).toThrow(/steps do not end/);
  });

  it('are refused where they do not fit', () => {
    const base = new Uint8Array(64).fill(0x3c);
    // Of 32 lanes none is marked: 259 becomes 256.
    const states = Uint8Array.from({ length: 128 }, (_, at) => (at % 2 === 1 ? 1 : at < 64 ? 3 : 0));
    const ones = new Uint8Array(16).fill(1);
    const refused = (dtype: number, predictor: number, rest: readonly number[]) => {
      const record = Uint8Array.of(4, dtype, predictor, STEPS, ...rest);
      expect(() => codec.decode(record, 64, predictor === 1 ? [] : [base], 'chunk'), `${rest}`).toThrow(
        /chunk/,
      );
    };
    const whole = [100, 1, ...ones, 0, ...states];
    const accepted = Uint8Array.of(4, 14, 2, STEPS, ...whole);
    expect(sameBytes(codec.decode(accepted, 64, [base], 'chunk'), base)).toBe(true);
    refused(14, 1, whole);
    refused(15, 2, whole);
    refused(14, 2, [241, ...whole.slice(1)]);
    refused(13, 2, [17, ...whole.slice(1)]);
    refused(14, 2, [100, 0, ...whole.slice(2)]);
    refused(14, 2, [100, 31, ...ones, ...ones, ...ones, ...ones, 0, ...states]);
    refused(14, 2, [100, 1, ...ones.subarray(1), 0, 0, ...states]);
    refused(14, 2, [100, 1, ...ones.subarray(1), 128, 0, ...states]);
    refused(14, 2, [100, 1, ...ones, 0, 1, 0, ...states.subarray(2)]);
    refused(14, 2, [100, 1, ...ones, 200, ...states]);
    refused(14, 2, [...whole, 1]);
    // Seen to fail without the comparison of the states: this one is not used.
    refused(14, 2, [100, 1, ...ones, 0, ...states.fill(1, 126, 127)]);
  });
});
