const DIGITS = Array.from({ length: 256 }, (_, value) => value.toString(16).padStart(2, '0'));

/** Returns the lower-case hexadecimal form of `bytes[start, end)`. */
export function toHex(bytes: Uint8Array, start = 0, end = bytes.length): string {
  let text = '';
  for (let index = start; index < end; index++) text += DIGITS[bytes[index]];
  return text;
}

/** Writes the bytes of a hexadecimal text into `target` at `offset`; the text must hold whole bytes of [0-9a-f]. */
export function writeHex(text: string, target: Uint8Array, offset: number): void {
  for (let index = 0; index * 2 < text.length; index++) {
    target[offset + index] = Number.parseInt(text.slice(index * 2, index * 2 + 2), 16);
  }
}

/** Returns the bytes of a hexadecimal text. */
export function fromHex(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length >>> 1);
  writeHex(text, bytes, 0);
  return bytes;
}
