/** Bytes with one bit in common as seven bits each, the plain twin of assembly/seven-bits.ts: FORMAT.md, "Seven bits". */
import type { CommonBit } from './kernels.js';

export function packSevenReference(bytes: Uint8Array, { bit }: CommonBit, output: Uint8Array): void {
  const low = (1 << bit) - 1;
  output.fill(0);
  bytes.forEach((byte, index) => {
    const seven = (byte & low) | ((byte >> 1) & ~low);
    const at = (7 * index) >> 3;
    const shift = (7 * index) & 7;
    output[at] |= seven << shift;
    if (shift > 1) output[at + 1] |= seven >> (8 - shift);
  });
}

export function unpackSevenReference(
  coded: Uint8Array,
  { bit, value }: CommonBit,
  output: Uint8Array,
): boolean {
  const low = (1 << bit) - 1;
  for (let index = 0; index < output.length; index++) {
    const at = (7 * index) >> 3;
    const two = coded[at] | ((coded[at + 1] ?? 0) << 8);
    const seven = (two >> ((7 * index) & 7)) & 127;
    output[index] = (seven & low) | ((seven & ~low) << 1) | (value << bit);
  }
  const spare = (8 - ((7 * output.length) & 7)) & 7;
  return spare === 0 || coded[coded.length - 1] >> (8 - spare) === 0;
}
