/**
 * The entropy coder, the plain twin of assembly/entropy.ts: range asymmetric numeral systems over bytes, order 0.
 *
 * A state x lies in [2^15, 2^31). With f the frequency of a symbol and c the sum of the frequencies before it:
 *
 *   encode: if x >= f << 19, emit the low 16 bits of x and shift them out; x = floor(x / f) * 4096 + c + x mod f
 *   decode: s = x mod 4096 names the symbol; x = f * (x >> 12) + s - c; if x < 2^15, x = x << 16 | next word
 *
 * The encoder runs from the last byte to the first and writes words downwards, so that the decoder runs forwards. Byte i
 * belongs to state i mod N. The final states come first, 4 bytes each.
 */
import type { StateCount } from './kernels.js';

const STATE_MIN = 2 ** 15;

export function encodeEntropyReference(
  bytes: Uint8Array,
  frequencies: Uint16Array,
  states: StateCount,
): Uint8Array | undefined {
  const starts = cumulativeStarts(frequencies);
  const output = new Uint8Array(bytes.length);
  const current = new Array<number>(states).fill(STATE_MIN);
  let at = bytes.length;
  for (let index = bytes.length - 1; index >= 0; index--) {
    const symbol = bytes[index];
    const frequency = frequencies[symbol];
    let state = current[index % states];
    if (state >= frequency * 2 ** 19) {
      if (at < 2) return undefined;
      at -= 2;
      output[at] = state;
      output[at + 1] = state >>> 8;
      state >>>= 16;
    }
    const quotient = Math.floor(state / frequency);
    current[index % states] = quotient * 4096 + (state - quotient * frequency) + starts[symbol];
  }
  if (at < 4 * states) return undefined;
  at -= 4 * states;
  const view = new DataView(output.buffer);
  current.forEach((state, index) => {
    view.setUint32(at + 4 * index, state, true);
  });
  return output.slice(at);
}

export function decodeEntropyReference(
  coded: Uint8Array,
  frequencies: Uint16Array,
  states: StateCount,
  output: Uint8Array,
): boolean {
  if (coded.length < 4 * states || coded.length > output.length) return false;
  const starts = cumulativeStarts(frequencies);
  const symbols = new Uint8Array(4096);
  for (let symbol = 0; symbol < 256; symbol++) {
    symbols.fill(symbol, starts[symbol], starts[symbol] + frequencies[symbol]);
  }
  const view = new DataView(coded.buffer, coded.byteOffset, coded.byteLength);
  const current: number[] = [];
  for (let index = 0; index < states; index++) current.push(view.getUint32(4 * index, true));
  if (current.some((state) => state < STATE_MIN || state >= 2 ** 31)) return false;
  let at = 4 * states;
  for (let index = 0; index < output.length; index++) {
    let state = current[index % states];
    const slot = state & 4095;
    const symbol = symbols[slot];
    output[index] = symbol;
    state = frequencies[symbol] * (state >>> 12) + slot - starts[symbol];
    if (state < STATE_MIN) {
      if (at + 2 > coded.length) return false;
      state = state * 65536 + view.getUint16(at, true);
      at += 2;
    }
    current[index % states] = state;
  }
  return at === coded.length && current.every((state) => state === STATE_MIN);
}

function cumulativeStarts(frequencies: Uint16Array): Uint16Array {
  const starts = new Uint16Array(256);
  for (let symbol = 1; symbol < 256; symbol++) starts[symbol] = starts[symbol - 1] + frequencies[symbol - 1];
  return starts;
}
