import { describe, expect, it } from 'vitest';
import { copyInto, copyLike, WORD_BYTES } from '../../src/compute/aligned-copies.js';
import { Arena } from '../../src/kernels/index.js';

const LENGTH = 100;
const BUFFER_BYTES = 1024;

function numbered(): Uint8Array {
  return Uint8Array.from({ length: LENGTH }, (_, at) => at + 1);
}

describe('copies of shared memory', () => {
  it('lie at addresses equal modulo a word, in the arena while that has room', () => {
    for (let offset = 0; offset < 2 * WORD_BYTES; offset++) {
      const shared = new Uint8Array(new SharedArrayBuffer(BUFFER_BYTES), offset, LENGTH);
      shared.set(numbered());
      const arena = new Arena(new ArrayBuffer(BUFFER_BYTES), 0, BUFFER_BYTES);
      for (const [copy, isInArena] of [
        [copyLike(shared, arena), true],
        [copyLike(shared, new Arena(new ArrayBuffer(8), 0, 8)), false],
        [copyLike(shared, undefined), false],
      ] as const) {
        expect(copy).toEqual(numbered());
        expect(copy.byteOffset % WORD_BYTES).toBe(offset % WORD_BYTES);
        expect(arena.holds(copy)).toBe(isInArena);
      }
    }
  });

  it('fill the start of the target, whatever both addresses are, and give the arena back', () => {
    const source = new Uint8Array(BUFFER_BYTES).map((_, at) => at);
    for (let to = 0; to < WORD_BYTES; to++) {
      for (let from = 0; from < WORD_BYTES; from++) {
        const whole = new Uint8Array(new SharedArrayBuffer(BUFFER_BYTES));
        const arena = new Arena(new ArrayBuffer(BUFFER_BYTES), 0, BUFFER_BYTES);
        const { free } = arena;
        copyInto(whole.subarray(to), source.subarray(from, from + LENGTH), arena);
        const expected = new Uint8Array(BUFFER_BYTES);
        expected.set(source.subarray(from, from + LENGTH), to);
        expect(new Uint8Array(whole)).toEqual(expected);
        expect(arena.free).toBe(free);
      }
    }
  });
});
