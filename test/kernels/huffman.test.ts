import { describe, expect, it } from 'vitest';
import { BLOCK_LANES, huffmanBytesMax, loadKernels } from '../../src/kernels/index.js';
import { randomBytes, randomNumbers, sameBytes, shifted } from './kernel-inputs.js';

const oracle = loadKernels('typescript');

/** A complete code: of these bytes as many of each length, short ones first. */
function codeOf(bytes: readonly number[], lengths: readonly number[]): Uint8Array {
  const code = new Uint8Array(256);
  bytes.forEach((byte, at) => {
    code[byte] = lengths[at];
  });
  return code;
}

const ALL = Array.from({ length: 256 }, (_, byte) => byte);

/**
 * Codes with bytes of 1 to 11 bits, of 8 bits throughout, of two bytes alone, and of as many as are looked up in pairs, and one more.
 */
const CODES = {
  skewed: codeOf([7, 200, 3, 4, 5, 6, 90, 91, 92, 93, 255, 0], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 11]),
  flat: codeOf(ALL, new Array(256).fill(8)),
  pair: codeOf([0, 255], [1, 1]),
  most: codeOf(ALL.slice(190), new Array(64).fill(6)),
  'one more': codeOf(ALL.slice(100), [...new Array(63).fill(6), 7, 7]),
};

/** Bytes that have codes, in random order, the short ones more often. */
function bytesOf(code: Uint8Array, length: number, seed: number): Uint8Array {
  const next = randomNumbers(seed);
  const known = ALL.filter((byte) => code[byte] > 0).sort((a, b) => code[a] - code[b]);
  return Uint8Array.from(
    { length },
    () => known[Math.floor(known.length * ((next() & 0xffff) / 65_536) ** 2)],
  );
}

describe.each(['wasm', 'typescript'] as const)('Huffman codes of %s kernels', (implementation) => {
  const kernels = loadKernels(implementation);

  function check(bytes: Uint8Array, code: Uint8Array): Uint8Array {
    const output = new Uint8Array(huffmanBytesMax(bytes.length));
    const expected = new Uint8Array(huffmanBytesMax(bytes.length));
    const coded = output.subarray(0, kernels.encodeHuffman(bytes, code, output));
    const length = oracle.encodeHuffman(bytes, code, expected);
    expect(coded.length).toBe(length);
    expect(sameBytes(coded, expected.subarray(0, length))).toBe(true);
    const decoded = shifted(new Uint8Array(bytes.length), 1);
    const followed = new Uint8Array(length + 40).fill(255);
    followed.set(coded);
    expect(kernels.decodeHuffman(followed, code, decoded)).toBe(length);
    expect(sameBytes(decoded, bytes)).toBe(true);
    return coded;
  }

  it.each(Object.keys(CODES) as (keyof typeof CODES)[])('code every length like the oracle: %s', (name) => {
    const code = CODES[name];
    for (let length = 0; length <= 150; length++) check(bytesOf(code, length, length), code);
    check(bytesOf(code, BLOCK_LANES, 1), code);
    check(bytesOf(code, BLOCK_LANES - 3, 2), code);
  });

  it('code streams of which one is much shorter than others', () => {
    const bytes = bytesOf(CODES.skewed, 40_000, 3);
    for (const part of [0, 1, 2, 3])
      check(bytes.slice().fill(7, part * 10_000, part * 10_000 + 10_000), CODES.skewed);
  });

  it('take a table of the code that is given, though another one came before', () => {
    const bytes = bytesOf(CODES.pair, 1000, 4);
    for (let turn = 0; turn < 2; turn++) {
      check(bytes, CODES.pair);
      check(bytes, CODES.flat);
    }
  });

  it('refuse damage as the oracle does', () => {
    const bytes = bytesOf(CODES.skewed, 300, 5);
    const coded = check(bytes, CODES.skewed);
    const [out, expected] = [new Uint8Array(300), new Uint8Array(300)];
    for (let end = 0; end < coded.length; end++) {
      expect(kernels.decodeHuffman(coded.subarray(0, end), CODES.skewed, out)).toBe(-1);
    }
    for (let at = 0; at < coded.length; at++) {
      const damaged = coded.slice();
      damaged[at] ^= 0x10;
      const used = kernels.decodeHuffman(damaged, CODES.skewed, out);
      expect(used).toBe(oracle.decodeHuffman(damaged, CODES.skewed, expected));
      if (at < 16) expect(used).toBe(-1);
      if (used >= 0) expect(sameBytes(out, expected)).toBe(true);
    }
  });

  it('refuse codes that are not complete, and no room', () => {
    const bytes = bytesOf(CODES.pair, 100, 6);
    const room = new Uint8Array(huffmanBytesMax(100));
    expect(() => kernels.encodeHuffman(bytes, codeOf([0, 255], [1, 2]), room)).toThrow(RangeError);
    expect(() => kernels.encodeHuffman(bytes, codeOf([0, 255, 1], [1, 1, 1]), room)).toThrow(RangeError);
    expect(() => kernels.encodeHuffman(bytes, CODES.pair, room.subarray(1))).toThrow(RangeError);
    expect(() => kernels.decodeHuffman(room, new Uint8Array(256), bytes)).toThrow(RangeError);
  });

  it('know what bytes have in common', () => {
    expect(kernels.byteRange(Uint8Array.of(9))).toEqual({ lowest: 9, highest: 9, varying: 0 });
    expect(kernels.byteRange(Uint8Array.of(4, 12, 4))).toEqual({ lowest: 4, highest: 12, varying: 8 });
    for (let length = 1; length < 60; length++) {
      const bytes = randomBytes(length, length);
      expect(kernels.byteRange(bytes)).toEqual(oracle.byteRange(bytes));
    }
    expect(() => kernels.byteRange(new Uint8Array(0))).toThrow(RangeError);
  });
});
