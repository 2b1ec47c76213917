/**
 * What the coder of marks knows: FORMAT.md, "Marked lanes". A mark is one bit: whether a lane differs. Its probability is
 * that of the context of the lane, which follows from the exponent of the base.
 */

/** Contexts: exponents from the lowest on, the last one with all above. */
export const MARK_CONTEXTS = 16;

/** Probabilities are 1 to 127 of this. */
export const MARK_TOTAL = 128;

/** Interleaved coder states, of 16 bits, from MARK_STATE_MIN on; renormalised by bytes. */
export const MARK_STATES = 32;
export const MARK_STATE_MIN = 256;

/** How marks are told; kernels change the states. */
export interface MarkModel {
  /** Lanes with this exponent, or a lower one, are of the first context; the last context is below the highest exponent. */
  readonly low: number;
  /** Of a mark in each context, in MARK_TOTAL. */
  readonly probabilities: Uint8Array;
  readonly states: Uint16Array;
}

/** Returns the highest `low` for exponents of so many bits. */
export function markLowMax(exponentBits: number): number {
  return 2 ** exponentBits - MARK_CONTEXTS;
}

/** Returns how many bytes the marks of so many lanes take, a bit each. */
export function markBytes(lanes: number): number {
  return Math.ceil(lanes / 8);
}
