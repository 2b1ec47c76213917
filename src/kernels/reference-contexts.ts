/**
 * The entropy coder with contexts, the plain twin of assembly/contexts.ts: the coder of reference-entropy.ts with four
 * states, where the frequencies of each byte are those of its context.
 */
import type { ContextTables } from './kernels.js';

const STATE_MIN = 2 ** 15;
const STATES = 4;

export function encodeContextsReference(
  symbols: Uint8Array,
  contexts: Uint8Array,
  { groups, frequencies }: ContextTables,
): Uint8Array | undefined {
  const starts = cumulativeStarts(frequencies);
  const capacity = symbols.length;
  const output = new Uint8Array(capacity);
  const current = new Array<number>(STATES).fill(STATE_MIN);
  let at = capacity;
  for (let index = symbols.length - 1; index >= 0; index--) {
    const entry = groups[contexts[index]] * 256 + symbols[index];
    const frequency = frequencies[entry];
    let state = current[index % STATES];
    if (state >= frequency * 2 ** 19) {
      if (at < 2) return undefined;
      at -= 2;
      output[at] = state;
      output[at + 1] = state >>> 8;
      state >>>= 16;
    }
    const quotient = Math.floor(state / frequency);
    current[index % STATES] = quotient * 4096 + (state - quotient * frequency) + starts[entry];
  }
  if (at < 4 * STATES) return undefined;
  at -= 4 * STATES;
  const view = new DataView(output.buffer);
  current.forEach((state, index) => {
    view.setUint32(at + 4 * index, state, true);
  });
  return output.slice(at);
}

export function decodeContextsReference(
  coded: Uint8Array,
  contexts: Uint8Array,
  { groups, frequencies }: ContextTables,
  symbols: Uint8Array,
): boolean {
  if (coded.length < 4 * STATES || coded.length > symbols.length) return false;
  const starts = cumulativeStarts(frequencies);
  const slots = new Uint8Array(16 * frequencies.length);
  for (let entry = 0; entry < frequencies.length; entry++) {
    const start = (entry >>> 8) * 4096 + starts[entry];
    slots.fill(entry, start, start + frequencies[entry]);
  }
  const view = new DataView(coded.buffer, coded.byteOffset, coded.byteLength);
  const current: number[] = [];
  for (let index = 0; index < STATES; index++) current.push(view.getUint32(4 * index, true));
  if (current.some((state) => state < STATE_MIN || state >= 2 ** 31)) return false;
  let at = 4 * STATES;
  for (let index = 0; index < symbols.length; index++) {
    const group = groups[contexts[index]];
    let state = current[index % STATES];
    const slot = state & 4095;
    const symbol = slots[group * 4096 + slot];
    const entry = group * 256 + symbol;
    symbols[index] = symbol;
    state = frequencies[entry] * (state >>> 12) + slot - starts[entry];
    if (state < STATE_MIN) {
      if (at + 2 > coded.length) return false;
      state = state * 65536 + view.getUint16(at, true);
      at += 2;
    }
    current[index % STATES] = state;
  }
  return at === coded.length && current.every((state) => state === STATE_MIN);
}

/** For each entry the sum of the frequencies before it in its table of 256. */
function cumulativeStarts(frequencies: Uint16Array): Uint16Array {
  const starts = new Uint16Array(frequencies.length);
  for (let entry = 1; entry < starts.length; entry++) {
    starts[entry] = entry % 256 === 0 ? 0 : starts[entry - 1] + frequencies[entry - 1];
  }
  return starts;
}
