/** Codes of `0` to `9` and `a` to `f`. */
const DIGITS = Uint8Array.from('0123456789abcdef', (digit) => digit.charCodeAt(0));
/** Characters that are put together at once; ids are 32. */
const PIECE = 1024;

/** Returns the lower-case hexadecimal form of `bytes[start, end)`. */
export function toHex(bytes: Uint8Array, start = 0, end = bytes.length): string {
  const codes = new Uint8Array(2 * Math.max(0, end - start));
  for (let at = 0; at < codes.length; at += 2) {
    const byte = bytes[start + at / 2];
    codes[at] = DIGITS[byte >>> 4];
    codes[at + 1] = DIGITS[byte & 15];
  }
  // Text in one piece takes a quarter of the memory of text that was added up digit by digit.
  let text = '';
  for (let at = 0; at < codes.length; at += PIECE)
    text += String.fromCharCode(...codes.subarray(at, at + PIECE));
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
