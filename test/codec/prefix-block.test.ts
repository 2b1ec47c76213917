import { describe, expect, it } from 'vitest';
import { ByteReader, ByteWriter } from '../../src/bytes/index.js';
import { fittedLengths } from '../../src/codec/huffman-code.js';
import { createCodec, fromBase } from '../../src/codec/index.js';
import { loadKernels } from '../../src/kernels/index.js';
import { randomNumbers } from '../kernels/kernel-inputs.js';
import { scaledUpdate } from './chunk-inputs.js';

/** The block kind of a record of one block predicted from a base. */
const KIND_OFFSET = 3;

describe('prefix codes', () => {
  it('are complete for any counts, and short where a symbol is common', () => {
    const next = randomNumbers(7);
    for (let round = 0; round < 300; round++) {
      const counts = Array.from(
        { length: 17 },
        () => 1 + ((next() % 3 === 0 ? 0 : next() >>> (next() % 32)) >>> 4),
      );
      const lengths = fittedLengths(counts, 9);
      expect(lengths.reduce((sum, length) => sum + 2 ** -length, 0)).toBe(1);
      expect(Math.max(...lengths)).toBeLessThanOrEqual(9);
      expect(lengths[counts.indexOf(Math.max(...counts))]).toBe(Math.min(...lengths));
    }
    expect([...fittedLengths([1001, 501, ...new Array<number>(15).fill(1)], 9)].slice(0, 2)).toEqual([1, 2]);
  });

  it('are what the fast level writes for a dense step of fp32 weights, and max does not', () => {
    const codec = createCodec(loadKernels());
    const { raw, base } = scaledUpdate('f32', 40_000, 3e-5);
    expect(codec.encode(raw, 'f32', fromBase(base), 'fast').record[KIND_OFFSET]).toBe(7);
    expect(codec.encode(raw, 'f32', fromBase(base), 'max').record[KIND_OFFSET]).not.toBe(7);
  });

  it('go straight into the buffer of a writer, which grows where that is full', () => {
    for (const start of [4, 64]) {
      const writer = new ByteWriter(new Uint8Array(start));
      writer.u8(9);
      writer.open(20).set([1, 2, 3]);
      writer.close(3);
      writer.u16(0x0504);
      const reader = new ByteReader(writer.finish(), 'test');
      expect([...reader.view8(reader.remaining)]).toEqual([9, 1, 2, 3, 4, 5]);
    }
  });
});
