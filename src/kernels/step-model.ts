/**
 * What the coder of steps knows: FORMAT.md, "Steps". A lane that differs from its prediction is some units in the last place
 * away from it; how many is told level by level, by marks of the lanes that are at least that far.
 */

/** Interleaved coder states, of 16 bits, as those of marks. */
export const STEP_STATES = 64;

/** No size is of a higher level. */
export const STEP_LEVELS_MAX = 30;

/** Levels from 4 on take the probabilities of levels 2 and 3 in turn. */
export const STEP_TABLES_MAX = 4;

/** Lanes of all levels but the first of a block together, at most. */
export const STEP_LANES_MAX = 131_072;

/** Levels from this one on do not tell all bits of a size. */
export const STEP_RESTS_FROM = 4;

/** Levels of an exponent in the counts of splitSteps. */
export const STEP_COUNTS = 32;

/** Of the lanes of a block that differ one in so many is counted. */
export const STEP_COUNT_STRIDE = 4;

/** How steps are told; kernels change the states. */
export interface StepModel {
  /** As in a MarkModel. */
  readonly low: number;
  /** Sizes from that of this level on are told in full. */
  readonly levels: number;
  /** Of marks in each context, 16 for each of the tables. */
  readonly probabilities: Uint8Array;
  readonly states: Uint16Array;
}

/** Where splitSteps writes to. */
export interface StepStreams {
  /** A byte for each lane: 255 where it differs, else 0. */
  readonly changed: Uint8Array;
  /** Base lanes of those that differ; room for all. */
  readonly keys: Uint8Array;
  /** How far they are from them in units in the last place, u16 each; room for all. */
  readonly sizes: Uint8Array;
  /** A bit for each, 1 where it is nearer to zero than its base; room for all. */
  readonly signs: Uint8Array;
  /** STEP_COUNTS for each of 256 exponents: of how many of some lanes the size is of each level, and, first, of any, is added. */
  readonly counts: Uint32Array;
}

/** What splitSteps made of a block, as encodeSteps takes it. */
export interface StepBlock {
  readonly base: Uint8Array;
  readonly changed: Uint8Array;
  readonly keys: Uint8Array;
  readonly sizes: Uint8Array;
  /** The signs, and room for 17 bits for each lane that differs. */
  readonly bits: Uint8Array;
}

/** What a block took: bytes of a stream, and bits besides. */
export interface StepLength {
  readonly bytes: number;
  readonly bits: number;
}

/** Returns the least size of a level. */
export function leastOfLevel(level: number): number {
  return level < 4 ? level : (2 + (level & 1)) * 2 ** ((level >>> 1) - 1);
}

/** Returns the table of a level. */
export function tableOfLevel(level: number): number {
  return level < 4 ? level : 2 + (level & 1);
}

/** Returns the lowest exponent for a level: sizes double as exponents fall by one. */
export function lowOfLevel(low: number, level: number): number {
  return level === 0 ? low : Math.max(0, low - ((level - 1) >>> 1));
}

/** Returns bytes that signs and rests of so many lanes take at most. */
export function stepBitBytesMax(lanes: number): number {
  return Math.ceil((17 * lanes) / 8) + 8;
}
