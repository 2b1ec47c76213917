/**
 * What the coder of gaps knows: FORMAT.md, "Gaps". The level of a lane says how often lanes of its exponent change: those
 * of levels below GAP_DENSE have a flag each, those of other levels are told by the lanes of their level that are passed
 * over. Bits are adaptive: each has its probability, which both sides learn.
 */

/** Lanes that are looked at together. */
export const GAP_TILE = 64;

/** Levels from this one on are sparse. */
export const GAP_DENSE = 8;
/** Sparse levels at most: each is counted in every tile. */
export const GAP_CONTEXTS_MAX = 8;
export const GAP_LEVELS = GAP_DENSE + GAP_CONTEXTS_MAX;

/** The lowest exponent of the first sparse level is at most this, so that levels do not saturate. */
export const GAP_LOW_MAX = 240;

/** Classes of sizes of a difference: 2 + any of 31 bits. */
export const GAP_SIZES = 32;

/** Where in the state which bits are. An entry is 256 times the probability, of 16 bits, of a 1, plus how often it was used. */
export const GAP_FLAGS = 0;
export const GAP_LARGE = GAP_FLAGS + GAP_DENSE;
export const GAP_LENGTHS = GAP_LARGE + GAP_LEVELS;
export const GAP_TOPS = GAP_LENGTHS + GAP_LEVELS * GAP_SIZES;
/** Then, for each sparse level, the sum of some gaps and their number. */
export const GAP_SUMS = GAP_TOPS + GAP_LEVELS * GAP_SIZES;
export const GAP_NUMBERS = GAP_SUMS + GAP_CONTEXTS_MAX;
export const GAP_STATE_ENTRIES = GAP_NUMBERS + GAP_CONTEXTS_MAX;

const EVEN = 32_768 * 256;
/** Each level is expected to change half as often as the one below; the first one every fourth time. */
const FIRST_GAP = 4;

/** From so many ones on the quotient of a gap ends, and the gap follows in GAP_BITS. */
export const GAP_QUOTIENT_MAX = 20;
export const GAP_BITS = 17;
export const GAP_REMAINDER_BITS_MAX = 16;
/** Sums of so many gaps are halved. */
export const GAP_NUMBER_MAX = 64;
/** Uses that are counted. */
export const GAP_USES_MAX = 62;

/** Lanes of a block that may be told at most; a block with more has better forms. */
export const GAP_EVENTS_MAX = 16_384;
/** Bytes of each stream of a block at most. */
export const GAP_STREAM_BYTES_MAX = 131_072;

/** How lanes are divided into levels, and what was learnt; kernels change the state. */
export interface GapModel {
  /** Lanes with this exponent are of the first sparse level. */
  readonly low: number;
  /** Sparse levels, 1 to GAP_CONTEXTS_MAX. */
  readonly contexts: number;
  readonly state: Uint32Array;
}

/** The streams of a block. */
export interface GapStreams {
  /** Adaptive bits. */
  readonly coded: Uint8Array;
  /** All other bits. */
  readonly bits: Uint8Array;
}

export function freshGapModel(low: number, contexts: number): GapModel {
  const state = new Uint32Array(GAP_STATE_ENTRIES).fill(EVEN, 0, GAP_SUMS);
  for (let level = 0; level < GAP_CONTEXTS_MAX; level++) state[GAP_SUMS + level] = FIRST_GAP << level;
  state.fill(1, GAP_NUMBERS);
  return { low, contexts, state };
}

/** Lanes of a sample and those among them that differ. */
export interface ChangeCounts {
  /** 256 entries: lanes by exponent of the base. */
  readonly lanes: Uint32Array;
  /** Those that differ. */
  readonly changed: Uint32Array;
  /** Tiles in which some differ. */
  touchedTiles: number;
}
