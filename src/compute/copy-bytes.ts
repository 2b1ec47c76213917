/** Copies between any memory at the speed of memcpy(3). */

/**
 * Copies `source` to the start of `target`, and returns that part of it. `TypedArray.set` copies memory that threads share word by word
 * where both addresses are equal modulo a word, and else byte by byte: 0.036 against 0.27 s/GB (0.025 where nothing is shared).
 * `Buffer.fill` makes no such difference.
 */
export function copyBytes(target: Uint8Array, source: Uint8Array): Uint8Array {
  const { length } = source;
  if (length > target.length) throw new RangeError(`${length} bytes do not fit into ${target.length}`);
  if (length > 0) Buffer.from(target.buffer, target.byteOffset, length).fill(source);
  return target.subarray(0, length);
}
