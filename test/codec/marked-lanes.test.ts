/** Chunks of 16-bit floats of which one lane in four to twenty differs, always the same way: FORMAT.md, "Marked lanes". */
import { describe, expect, it } from 'vitest';
import { ByteReader, ByteWriter } from '../../src/bytes/index.js';
import { createCodec, fromBase } from '../../src/codec/index.js';
import { loadKernels } from '../../src/kernels/index.js';
import { sameBytes } from '../kernels/kernel-inputs.js';
import { oneSidedUpdate, sparseUpdate } from './chunk-inputs.js';

const MARKED = 12;
/** Encoding, dtype, predictor, kind, first exponent and 16 probabilities come before the length of the marks. */
const LENGTH_AT = 21;
const codec = createCodec(loadKernels());
const plain = createCodec(loadKernels('typescript'));

function withTail(bytes: Uint8Array): Uint8Array {
  const longer = new Uint8Array(bytes.length + 1).fill(7);
  longer.set(bytes);
  return longer;
}

describe('marked lanes', () => {
  it.each(['bf16', 'f16'] as const)('come back, %s, whatever their number', (dtype) => {
    for (const lanes of [65_536, 65_537, 150_007]) {
      const { raw, base } = oneSidedUpdate(lanes, 10, lanes);
      const [whole, before] = [raw, base ?? raw].map((bytes) => withTail(bytes));
      const { record } = codec.encode(whole, dtype, fromBase(before), 'fast');
      expect(record[3]).toBe(MARKED);
      expect(sameBytes(codec.decode(record, whole.length, [before], 'chunk'), whole)).toBe(true);
      expect(sameBytes(plain.encode(whole, dtype, fromBase(before), 'fast').record, record)).toBe(true);
      expect(sameBytes(plain.decode(record, whole.length, [before], 'chunk'), whole)).toBe(true);
    }
  });

  it('whose blocks are shorter than what the states carry come back', () => {
    const base = sparseUpdate(80_000, 10, 3).raw;
    const raw = Uint8Array.from(base);
    for (let lane = 0; lane < 80_000; lane++) base[2 * lane] &= 0xfe;
    for (let lane = 0; lane < 80_000; lane++) raw[2 * lane] = base[2 * lane] + (lane % 8 === 0 ? 1 : 0);
    const { record } = codec.encode(raw, 'bf16', fromBase(base), 'fast');
    expect(record[3]).toBe(MARKED);
    expect(sameBytes(codec.decode(record, raw.length, [base], 'chunk'), raw)).toBe(true);
  });

  // Seen to fail without the comparison of `at` and `length` in `readMarks`: blocks follow and are read as they should be.
  it('are refused with a byte more than they take', () => {
    const { raw, base } = oneSidedUpdate(65_536, 10, 5);
    const { record } = codec.encode(raw, 'bf16', fromBase(base), 'fast');
    const reader = new ByteReader(record, 'chunk', LENGTH_AT);
    const length = reader.varint();
    const marks = record.subarray(reader.offset, reader.offset + 64 + length);
    const writer = new ByteWriter(record.length + 2);
    writer.bytes(record.subarray(0, LENGTH_AT));
    writer.varint(length + 1);
    for (const part of [marks, Uint8Array.of(0), record.subarray(reader.offset + marks.length)])
      writer.bytes(part);
    expect(() => codec.decode(writer.written(), raw.length, base ? [base] : [], 'chunk')).toThrow(
      /marks do not end/,
    );
  });

  it('are refused where they do not fit', () => {
    const base = new Uint8Array(64).fill(0x3c);
    const states = Uint8Array.from({ length: 64 }, (_, at) => at % 2);
    const ones = Array.from({ length: 16 }, () => 1);
    const refused = (dtype: number, predictor: number, rest: readonly number[]) => {
      const record = Uint8Array.of(4, dtype, predictor, MARKED, ...rest);
      expect(() => codec.decode(record, 64, predictor === 1 ? [] : [base], 'chunk'), `${rest}`).toThrow(
        /chunk/,
      );
    };
    const whole = [100, ...ones, 0, ...states, 1];
    refused(14, 1, whole);
    refused(15, 2, whole);
    refused(14, 2, [241, ...ones, 0, ...states, 1]);
    refused(13, 2, [17, ...ones, 0, ...states, 1]);
    refused(14, 2, [100, ...ones.fill(0, 3, 4), 0, ...states, 1]);
    refused(14, 2, [100, ...ones.fill(128, 3, 4), 0, ...states, 1]);
    refused(14, 2, [100, ...ones.fill(1), 0, ...states.fill(0, 0, 2), 1]);
    refused(14, 2, [100, ...ones, 200, ...states.fill(1, 1, 2), 1]);
  });
});
