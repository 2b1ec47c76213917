/** Copies between any memory at the speed of memcpy(3). */

/** Addresses that are equal modulo this are copied word by word, if memory is shared, and else byte by byte. */
const WORD_BYTES = 8;

/**
 * Copies `source` to the start of `target`, and returns that part of it. `TypedArray.set` copies memory that threads share by words or by
 * bytes, as addresses are: 13 to 15 against 3 GB/s. `Buffer.fill` does 11 to 12, whatever they are (Node 20, pieces of 1 MiB).
 */
export function copyBytes(target: Uint8Array, source: Uint8Array): Uint8Array {
  const { length } = source;
  if (length > target.length) throw new RangeError(`${length} bytes do not fit into ${target.length}`);
  const copy = target.subarray(0, length);
  if ((target.byteOffset - source.byteOffset) % WORD_BYTES === 0) copy.set(source);
  else if (length > 0) Buffer.from(target.buffer, target.byteOffset, length).fill(source);
  return copy;
}
