/** Planes in Huffman codes: FORMAT.md, "Huffman coding". Seen to fail when a code is kept for bytes that have none in it. */
import { describe, expect, it } from 'vitest';
import { ByteReader, ByteWriter } from '../../src/bytes/index.js';
import {
  fittedByteCode,
  fittedLengths,
  hasCodes,
  huffmanBits,
  readByteLengths,
  writeByteLengths,
} from '../../src/codec/huffman-code.js';
import { createCodec } from '../../src/codec/index.js';
import { loadKernels } from '../../src/kernels/index.js';
import { randomBytes, randomNumbers, sameBytes } from '../kernels/kernel-inputs.js';
import { bytesOf } from './optimizer-steps.js';

const kernels = loadKernels();
const codec = createCodec(kernels);
const LANES = 131_072;

/** fp32 weights on their own: exponents that vary little above mantissas of noise. */
function weights(seed: number): Uint8Array {
  const next = randomNumbers(seed);
  const gauss = () => Array.from({ length: 12 }, () => next() / 2 ** 32).reduce((sum, x) => sum + x, -6);
  return bytesOf(Float32Array.from({ length: LANES }, () => 0.02 * gauss()));
}

/** What the record of one block of planes says of each: `[kind, bytes]`. */
function kindsOf(record: Uint8Array, plane: number): number {
  let at = 4;
  for (let before = 0; before < plane; before++) {
    expect(record[at]).toBe(3);
    at += 1 + 65_536;
  }
  return record[at];
}

describe('planes of noise and exponents', () => {
  it.each(['fast', 'max'] as const)('take a Huffman code, and are 1 % of the entropy bound: %s', (level) => {
    const raw = weights(1);
    const { record } = codec.encode(raw, 'f32', [], level);
    expect(kindsOf(record, 3)).toBe(6);
    expect(sameBytes(codec.decode(record, raw.length, [], 'chunk'), raw)).toBe(true);
    const planes = new Uint8Array(4 * 65_536);
    kernels.splitPlanes(raw.subarray(0, planes.length), undefined, { laneBytes: 4, lane: 'float' }, planes);
    const counts = new Uint32Array(256);
    kernels.histogram(planes.subarray(3 * 65_536), counts);
    let bound = 3 * 65_536;
    for (const count of counts) if (count > 0) bound -= (count * Math.log2(count / 65_536)) / 8;
    expect(record.length / 2).toBeGreaterThan(bound * 0.999);
    expect(record.length / 2).toBeLessThan(bound * 1.01);
  });

  it('take seven bits of the lowest byte where no number is negative', () => {
    const raw = weights(6);
    for (let at = 3; at < raw.length; at += 4) raw[at] &= 127;
    const { record } = codec.encode(raw, 'f32', [], 'fast');
    expect([...record.subarray(4, 6)]).toEqual([7, 0]);
    expect(sameBytes(codec.decode(record, raw.length, [], 'chunk'), raw)).toBe(true);
    const damaged = record.slice();
    damaged[5] = 16;
    expect(() => codec.decode(damaged, raw.length, [], 'chunk')).toThrow(/chunk/);
  });

  it('are the same record whatever was coded before', () => {
    const [first, second] = [weights(2), weights(3).map((byte, at) => (at % 4 === 3 ? byte ^ 1 : byte))];
    const { record } = codec.encode(second, 'f32', [], 'fast');
    codec.encode(first, 'f32', [], 'fast');
    expect(sameBytes(codec.encode(second, 'f32', [], 'fast').record, record)).toBe(true);
    expect(
      sameBytes(createCodec(loadKernels('typescript')).encode(second, 'f32', [], 'fast').record, record),
    ).toBe(true);
  });

  it('take another code where the next block has other bytes', () => {
    const raw = weights(4);
    const view = new DataView(raw.buffer, raw.byteOffset);
    for (let lane = LANES / 2; lane < LANES; lane++) {
      view.setFloat32(4 * lane, view.getFloat32(4 * lane, true) * 1e20, true);
    }
    const { record } = codec.encode(raw, 'f32', [], 'fast');
    expect(record.length).toBeLessThan(raw.length * 0.86);
    expect(sameBytes(codec.decode(record, raw.length, [], 'chunk'), raw)).toBe(true);
  });

  it('never grow where the sample is wrong: every ninth line is not what the others are', () => {
    const raw = new Uint8Array(65_536 * 2);
    raw.set(randomBytes(raw.length, 5));
    for (let at = 0; at < raw.length; at++) if (at % 576 < 64) raw[at] = at % 5 === 0 ? 1 : 2;
    const { record } = codec.encode(raw, 'u8', [], 'fast');
    expect(record.length).toBeLessThanOrEqual(raw.length + 16);
    expect(sameBytes(codec.decode(record, raw.length, [], 'chunk'), raw)).toBe(true);
  });
});

describe('a Huffman code', () => {
  it('is optimal, complete, and no longer than told', () => {
    const next = randomNumbers(7);
    for (let round = 0; round < 300; round++) {
      const weightsOf = Array.from(
        { length: 2 + (next() % 255) },
        () => 1 + (next() >>> (8 + (next() % 20))),
      );
      const free = fittedLengths(weightsOf, 64);
      const short = fittedLengths(weightsOf, 9);
      expect(free.reduce((sum, length) => sum + 2 ** -length, 0)).toBe(1);
      expect(short.reduce((sum, length) => sum + 2 ** -length, 0)).toBe(1);
      expect(Math.max(...short)).toBeLessThanOrEqual(9);
      const bits = weightsOf.reduce((sum, weight, symbol) => sum + weight * free[symbol], 0);
      expect(bits).toBe(mergedWeights(weightsOf));
    }
  });

  it('has all bytes of a range, counted or not, and none that cannot be there', () => {
    const counts = new Uint32Array(256);
    counts[4] = 90;
    counts[12] = 10;
    const even = fittedByteCode(counts, { lowest: 2, highest: 14, varying: 14 });
    expect([...even.lengths.keys()].filter((byte) => even.lengths[byte] > 0)).toEqual([
      2, 4, 6, 8, 10, 12, 14,
    ]);
    expect(even.lengths[4]).toBe(1);
    expect(huffmanBits(counts, even.lengths)).toBe(90 + 10 * even.lengths[12]);
    expect(hasCodes(even, { lowest: 4, highest: 8, varying: 12 })).toBe(true);
    expect(hasCodes(even, { lowest: 4, highest: 7, varying: 3 })).toBe(false);
    expect(hasCodes(even, { lowest: 4, highest: 16, varying: 20 })).toBe(false);
    expect(hasCodes(even, { lowest: 0, highest: 4, varying: 4 })).toBe(false);
  });

  it('comes back from its lengths, and is refused where they are none', () => {
    const lengths = new Uint8Array(256);
    lengths.set([1, 0, 2, 0, 3, 3], 17);
    const writer = new ByteWriter();
    writeByteLengths(writer, lengths);
    expect([...writer.written()]).toEqual([17, 22, 0x01, 0x02, 0x33]);
    expect(readByteLengths(new ByteReader(writer.finish(), 'r'))).toEqual(lengths);
    const damaged = [
      [22, 17, 0x01, 0x02, 0x33],
      [17, 21, 0x01, 0x02, 0x33],
      [17, 22, 0x01, 0x02, 0x34],
      [17, 22, 0x11, 0x02, 0x33],
      [17, 23, 0x01, 0x02, 0x33, 0x00],
      [17, 18, 0x0c],
      [17, 22, 0x01, 0x02],
    ];
    for (const bytes of damaged) {
      expect(() => readByteLengths(new ByteReader(Uint8Array.from(bytes), 'r')), `${bytes}`).toThrow(/^r|r:/);
    }
  });
});

/** The bits of an optimal code: the sum of all inner nodes of its tree. */
function mergedWeights(weightsOf: readonly number[]): number {
  const nodes = [...weightsOf].sort((a, b) => b - a);
  let bits = 0;
  while (nodes.length > 1) {
    const [a, b] = [nodes.pop() ?? 0, nodes.pop() ?? 0];
    bits += a + b;
    let at = nodes.length;
    while (at > 0 && nodes[at - 1] < a + b) at--;
    nodes.splice(at, 0, a + b);
  }
  return bits;
}
