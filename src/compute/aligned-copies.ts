/**
 * Copies between memory that threads share and other memory. V8 copies whole words there only if both addresses are equal
 * modulo a word, else byte by byte: 0.036 against 0.27 s/GB (0.025 where nothing is shared). So that they always are, bytes
 * are first moved where nothing is shared.
 */
import type { Arena } from '../kernels/index.js';

export const WORD_BYTES = 8;

/** Returns a copy at an address equal to that of `bytes` modulo a word: in the arena, if there is room. */
export function copyLike(bytes: Uint8Array, arena: Arena | undefined): Uint8Array {
  const copy = emptyLike(bytes, arena);
  copy.set(bytes);
  return copy;
}

/** Writes `bytes` to the start of `target`, which may be shared; what is taken from the arena is given back. */
export function copyInto(target: Uint8Array, bytes: Uint8Array, arena: Arena): void {
  const isSlow = isShared(target) && (target.byteOffset - bytes.byteOffset) % WORD_BYTES !== 0;
  const mark = arena.mark();
  const moved = isSlow ? emptyLike(target.subarray(0, bytes.length), arena) : bytes;
  if (isSlow) moved.set(bytes);
  target.set(moved);
  arena.release(mark);
}

export function isShared({ buffer }: Uint8Array): boolean {
  return buffer instanceof SharedArrayBuffer;
}

function emptyLike({ byteOffset, length }: Uint8Array, arena: Arena | undefined): Uint8Array {
  const shift = byteOffset % WORD_BYTES;
  return (arena?.take(shift + length) ?? new Uint8Array(shift + length)).subarray(shift);
}
