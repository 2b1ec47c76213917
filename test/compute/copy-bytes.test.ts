import { describe, expect, it } from 'vitest';
import { copyBytes } from '../../src/compute/copy-bytes.js';
import { loadKernels } from '../../src/kernels/index.js';

const LENGTH = 100;
const BUFFER_BYTES = 1024;
const WORD_BYTES = 8;

describe('copies between any memory', () => {
  const numbers = Uint8Array.from({ length: BUFFER_BYTES }, (_, at) => at);
  const memories = {
    own: () => new Uint8Array(BUFFER_BYTES),
    shared: () => new Uint8Array(new SharedArrayBuffer(BUFFER_BYTES)),
    'of kernels': () => loadKernels().arena.take(BUFFER_BYTES)?.fill(0) ?? new Uint8Array(),
  };
  const pairs = Object.keys(memories).flatMap((from) =>
    Object.keys(memories).map((to) => [from, to] as const),
  );

  it.each(pairs)('fill the start of the target, whatever both addresses are: from %s to %s', (from, to) => {
    const source = memories[from as keyof typeof memories]();
    source.set(numbers);
    for (let shift = 0; shift < WORD_BYTES; shift++) {
      for (let start = 0; start < WORD_BYTES; start++) {
        const whole = memories[to as keyof typeof memories]();
        const copy = copyBytes(whole.subarray(shift), source.subarray(start, start + LENGTH));
        const expected = new Uint8Array(BUFFER_BYTES);
        expected.set(numbers.subarray(start, start + LENGTH), shift);
        expect(new Uint8Array(whole)).toEqual(expected);
        expect(copy.buffer === whole.buffer).toBe(true);
        expect([copy.byteOffset - whole.byteOffset, copy.length]).toEqual([shift, LENGTH]);
      }
    }
  });

  it('take no bytes as they are', () => {
    expect(copyBytes(new Uint8Array(4), new Uint8Array(0))).toHaveLength(0);
    expect(copyBytes(new Uint8Array(0), new Uint8Array(0))).toHaveLength(0);
  });

  it('refuse what does not fit', () => {
    expect(() => copyBytes(new Uint8Array(3), new Uint8Array(4))).toThrow(RangeError);
  });
});
