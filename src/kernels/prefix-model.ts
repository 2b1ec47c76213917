/** Prefix codes of residuals of 32-bit floats: what both implementations agree on. FORMAT.md, "Prefix codes". */
import { BIT_STREAMS_HEADER_BYTES, type BitStreams, bitStreams } from './bit-streams.js';

export const PREFIX_CONTEXTS = 15;
export const PREFIX_SYMBOLS = 17;
export const PREFIX_LENGTHS = PREFIX_CONTEXTS * PREFIX_SYMBOLS;

/** Bits of a code at most: a decode table for each context fits the L1 cache. */
export const PREFIX_BITS_MAX = 9;

/** How the lanes of a block are coded. */
export interface PrefixModel {
  /** Bytes of each residual that are stored as they are. */
  readonly lowBytes: 1 | 2;
  /** Up to this exponent of the base a lane has context 0; the next ones have one each, all above the last. */
  readonly firstExponent: number;
  /** Bits of the code of each symbol of each context, PREFIX_LENGTHS in all, 1 to PREFIX_BITS_MAX; the codes are complete. */
  readonly lengths: Uint8Array;
}

/** Bytes that a coded block needs at most: two low bytes, 25 bits, one top. */
export function prefixBytesMax(lanes: number): number {
  return 7 * lanes + 128;
}

/** Returns whether the codes of each context are complete and none is too long. */
export function isCompletePrefix(lengths: Uint8Array): boolean {
  for (let context = 0; context < PREFIX_CONTEXTS; context++) {
    let share = 0;
    for (let symbol = 0; symbol < PREFIX_SYMBOLS; symbol++) {
      const length = lengths[context * PREFIX_SYMBOLS + symbol];
      if (length < 1 || length > PREFIX_BITS_MAX) return false;
      share += 1 << (PREFIX_BITS_MAX - length);
    }
    if (share !== 1 << PREFIX_BITS_MAX) return false;
  }
  return true;
}

/** The code of each symbol of each context: canonical, short codes and small symbols first. */
export function prefixCodes(lengths: Uint8Array): Uint16Array {
  const codes = new Uint16Array(PREFIX_LENGTHS);
  for (let context = 0; context < PREFIX_CONTEXTS; context++) {
    let code = 0;
    for (let length = 1; length <= PREFIX_BITS_MAX; length++, code <<= 1) {
      for (let symbol = 0; symbol < PREFIX_SYMBOLS; symbol++) {
        const entry = context * PREFIX_SYMBOLS + symbol;
        if (lengths[entry] === length) codes[entry] = code++;
      }
    }
  }
  return codes;
}

/** The streams of a coded block, behind its low bytes; undefined for damage. Tops begin where they end. */
export function prefixStreams(
  coded: Uint8Array,
  lanes: number,
  { lowBytes }: PrefixModel,
): BitStreams | undefined {
  return bitStreams(coded, BIT_STREAMS_HEADER_BYTES + lanes * lowBytes);
}
