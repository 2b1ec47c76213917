/**
 * The whole interface between the codec and its hot loops. Two implementations exist, WebAssembly and plain TypeScript,
 * and both give the same bytes for the same input: the TypeScript one is the reference, the fallback and the oracle.
 *
 * Arrays may have any alignment. A function that writes into an array handed in never keeps it. Instances are not
 * re-entrant, which a single thread cannot notice. Arrays from the arena of the same instance are used where they are.
 */

import type { Arena } from './arena.js';
import type { Formula } from './formulas.js';
import type { ChangeCounts, GapModel, GapStreams } from './gap-model.js';
import type { MarkModel } from './mark-model.js';
import type { PrefixModel } from './prefix-model.js';
import type { StepBlock, StepLength, StepModel, StepStreams } from './step-model.js';

/** Lanes (numbers) of one block. Larger inputs are cut by the caller; kernels refuse them. */
export const BLOCK_LANES = 65_536;

/** The widest lane: 8 bytes, a double. */
export const LANE_BYTES_MAX = 8;

/** Bytes that are compared together. */
export const LINE_BYTES = 64;

/** Bytes of one block at most; the bound of every window but the hash's. */
export const BLOCK_BYTES_MAX = BLOCK_LANES * LANE_BYTES_MAX;

/** Frequencies given to the entropy coder add up to this: 12-bit probabilities keep the decode table in the L1 cache. */
export const PROBABILITY_TOTAL = 4096;

/** Interleaved coder states that both sides know. One costs 4 bytes a stream, four hide the latency of each other. */
export const STATE_COUNTS = [1, 4] as const;
export type StateCount = (typeof STATE_COUNTS)[number];

/** How a lane is ordered before it is subtracted: floats are sign-magnitude, integers are taken as they are. */
export type LaneKind = 'float' | 'integer';
export type LaneBytes = 1 | 2 | 4 | 8;

export interface LaneLayout {
  readonly laneBytes: LaneBytes;
  readonly lane: LaneKind;
}

/** Lanes whose residuals are coded in classes: 16- and 32-bit floats. */
export interface FloatLayout {
  readonly laneBytes: 1 | 2 | 4;
  /** 8 for f32 and bf16, 5 for f16; lanes of 8 bits have 7: all bits below the sign. */
  readonly exponentBits: 5 | 7 | 8;
  /** Whether steps of more than an octave, of f32 lanes, are coded by the exponent they lead to. */
  readonly far?: true;
}

/** Where splitClasses writes to; all of one length but the last two. */
export interface ClassStreams {
  /** The symbol of each lane. */
  readonly symbols: Uint8Array;
  /** The exponent field of each lane of the base. */
  readonly exponents: Uint8Array;
  /** At least REST_BYTES_MAX bytes for each lane: the bits that no symbol holds. */
  readonly rests: Uint8Array;
  /** 256 for each of 256 exponents: how often each symbol occurs with it is added. */
  readonly counts: Uint32Array;
}

/** A residual of 32 bits leaves at most 30 of them to the rests. */
export const REST_BYTES_MAX = 4;

/** Tables of a context coder at most: as many as fit the caches. */
export const CONTEXT_GROUPS_MAX = 16;

/** Frequencies by context. */
export interface ContextTables {
  /** For each of 256 contexts the number of its table. */
  readonly groups: Uint8Array;
  /** 256 for each table, under the conditions of encodeEntropy. */
  readonly frequencies: Uint16Array;
}

/** The two streams of a sparse plane; views that stay valid until the next call of the same kernels. */
export interface SparseStreams {
  /**
   * For each non-zero byte the zero bytes before it: 255 stands for 255 zero bytes and more to come, any other byte
   * ends the gap. Zero bytes after the last non-zero byte are implied.
   */
  readonly gaps: Uint8Array;
  /** The non-zero bytes in order. */
  readonly values: Uint8Array;
}

/** What all of some bytes have in common. */
export interface ByteRange {
  readonly lowest: number;
  readonly highest: number;
  /** The bits in which they are not all the same. */
  readonly varying: number;
}

/** A bit that all of some bytes have in common. */
export interface CommonBit {
  /** 0 to 7, the lowest first. */
  readonly bit: number;
  readonly value: 0 | 1;
}

/** Bytes that so many bytes take as seven bits each. */
export function sevenBytes(length: number): number {
  return Math.ceil((7 * length) / 8);
}

/** Where content-defined chunks may end. Masks apply to the 32-bit gear hash; a boundary lies where the masked bits are 0. */
export interface BoundaryRule {
  /** No boundary before this many bytes. */
  readonly minBytes: number;
  /** Before this many bytes `earlyMask` decides, after it `lateMask`. */
  readonly normalBytes: number;
  readonly earlyMask: number;
  readonly lateMask: number;
}

/** How many lines differ, and how often such a line does not follow another one. */
export interface LineCounts {
  readonly touched: number;
  readonly runs: number;
}

export interface Kernels {
  readonly implementation: KernelImplementation;
  readonly arena: Arena;

  /**
   * Writes the residual of `raw` against `base` as byte planes: plane p (0 is the least significant byte) of all lanes
   * at `planes[p * lanes, (p + 1) * lanes)`. The residual of a lane is zigzag(o(raw) - o(base)), modulo 2^bits, where
   * o is the identity for integers and maps floats to integers of the same order; an absent base is all zero bytes.
   *
   * `raw.length` is a multiple of the lane and at most BLOCK_LANES lanes; `base` and `planes` are as long as `raw`.
   */
  splitPlanes(raw: Uint8Array, base: Uint8Array | undefined, layout: LaneLayout, planes: Uint8Array): void;

  /** The inverse of splitPlanes: fills `raw` from `planes` and the same base. */
  mergePlanes(planes: Uint8Array, base: Uint8Array | undefined, layout: LaneLayout, raw: Uint8Array): void;

  /**
   * Fills `output` with what a formula makes of the same lanes of `inputs`, in a given order of operations: single (some
   * steps double) precision, IEEE 754, and the canonical NaN 7fc00000 for every NaN that comes out of arithmetic.
   * `inputs`, `constants` and `order` are as its shape in formulas.ts says, for at most BLOCK_LANES lanes.
   */
  predict(
    formula: Formula,
    order: number,
    constants: Float32Array,
    inputs: readonly Uint8Array[],
    output: Uint8Array,
  ): void;

  /** Returns whether two arrays of any length hold the same bytes. */
  isSame(a: Uint8Array, b: Uint8Array): boolean;

  /**
   * Writes the numbers of lines, of LINE_BYTES, from and up to which a block differs from another one, or from zeros; the last
   * line may be shorter. `runs` has an entry for each line, and one. Returns how many runs there are.
   */
  differingRuns(a: Uint8Array, b: Uint8Array | undefined, runs: Uint32Array): number;

  /** Counts the lines that differ in some pieces, two or more, of so many lines, at even distances in arrays of any length. */
  sampleLines(a: Uint8Array, b: Uint8Array | undefined, pieces: number, lines: number): LineCounts;

  /** Sets `counts` (256 entries) to the number of each byte value; at most BLOCK_BYTES_MAX bytes. */
  histogram(bytes: Uint8Array, counts: Uint32Array): void;

  /** The same for the first 64 of each 1088 bytes; returns the order-0 entropy, in bits, of those. */
  sampledHistogram(bytes: Uint8Array, counts: Uint32Array): number;

  /** Base-2 logarithms by which costs are computed: of 1 + index / 4096. */
  readonly logarithms: Float64Array;

  /**
   * Returns the estimated bits of a block's residual as planes: the order-0 entropy of each with `valueBits` for each value that
   * occurs but one, and at most 8 for a byte. The arguments are those of splitPlanes.
   */
  planeBits(raw: Uint8Array, base: Uint8Array | undefined, layout: LaneLayout, valueBits: number): number;

  /** The same of its residual as classes, each in the context of its exponent, with the bits that no symbol holds in whole bytes. */
  classBits(raw: Uint8Array, base: Uint8Array, layout: FloatLayout, valueBits: number): number;

  /** Returns the range of 1 to BLOCK_BYTES_MAX bytes. */
  byteRange(bytes: Uint8Array): ByteRange;

  /**
   * Entropy-codes `bytes` (at most BLOCK_BYTES_MAX) with range asymmetric numeral systems, order 0, `states` interleaved
   * 31-bit states renormalised by 16-bit words (FORMAT.md, "Entropy coding"). `frequencies` has 256 entries that add up
   * to PROBABILITY_TOTAL, each below it, and none is 0 for a byte that occurs. Algorithm: J. Duda, arXiv:1311.2540;
   * interleaving: F. Giesen, arXiv:1402.3392.
   *
   * Returns a view that stays valid until the next call of the same kernels, or undefined where the result would be
   * longer than `bytes`.
   */
  encodeEntropy(bytes: Uint8Array, frequencies: Uint16Array, states: StateCount): Uint8Array | undefined;

  /**
   * Fills `output` from what encodeEntropy returned, with the same frequencies and states. Returns false for damage, and
   * `output` is then worthless: more bytes than `output` has, too few or too many, or a final state that no encoder
   * starts from. Never reads past `coded`.
   */
  decodeEntropy(coded: Uint8Array, frequencies: Uint16Array, states: StateCount, output: Uint8Array): boolean;

  /**
   * Writes the residuals of `raw` against `base`, at most BLOCK_LANES lanes, as symbols, one a lane, and the bits that
   * follow apart (FORMAT.md, "Classes"). Returns the number of bytes of `rests` that they take.
   */
  splitClasses(raw: Uint8Array, base: Uint8Array, layout: FloatLayout, streams: ClassStreams): number;

  /**
   * The inverse of splitClasses: fills `raw`. `rests` may have more bytes than are used. Returns how many are, or -1 for
   * damage: too few, or ones in the bits that fill the last byte. Symbols that splitClasses never writes are no error.
   */
  mergeClasses(
    symbols: Uint8Array,
    rests: Uint8Array,
    base: Uint8Array,
    layout: FloatLayout,
    raw: Uint8Array,
  ): number;

  /** Writes the exponent field of each lane. */
  laneExponents(base: Uint8Array, layout: FloatLayout, exponents: Uint8Array): void;

  /** As encodeEntropy with four states, of at most BLOCK_LANES bytes, each with the frequencies of its context. */
  encodeContexts(symbols: Uint8Array, contexts: Uint8Array, tables: ContextTables): Uint8Array | undefined;

  /** As decodeEntropy, for encodeContexts. */
  decodeContexts(
    coded: Uint8Array,
    contexts: Uint8Array,
    tables: ContextTables,
    symbols: Uint8Array,
  ): boolean;

  /**
   * Writes a plane (at most BLOCK_LANES bytes) in a Huffman code (FORMAT.md, "Huffman coding") to `output`, which has huffmanBytesMax
   * bytes or more, and returns its length. `lengths` are the bits of the code of each of 256 bytes, 0 for those that do not occur;
   * the code is complete. Algorithm: D. Huffman, Proc. IRE 1952; several bytes for each look into a table: Y. Collet, zstd.
   */
  encodeHuffman(bytes: Uint8Array, lengths: Uint8Array, output: Uint8Array): number;

  /** The inverse: fills `output` from the start of `coded`, and returns how many bytes that took, or -1 for damage. */
  decodeHuffman(coded: Uint8Array, lengths: Uint8Array, output: Uint8Array): number;

  /** Fills `output`, sevenBytes of the plane (at most BLOCK_LANES bytes), with the other seven bits of each byte, the lowest first. */
  packSeven(plane: Uint8Array, common: CommonBit, output: Uint8Array): void;

  /** The inverse: fills `plane`. Returns false for damage: bits that are left over and not 0. */
  unpackSeven(coded: Uint8Array, common: CommonBit, plane: Uint8Array): boolean;

  /** Sets `counts` (256) to how often each symbol of a prefix code, context * 17 + class, occurs in a block of f32 lanes. */
  countPrefix(
    raw: Uint8Array,
    base: Uint8Array,
    lowBytes: number,
    firstExponent: number,
    counts: Uint32Array,
  ): void;

  /**
   * Writes a block of f32 lanes in prefix codes (FORMAT.md, "Prefix codes") to `output`, which has prefixBytesMax bytes or
   * more, and returns its length.
   */
  encodePrefix(raw: Uint8Array, base: Uint8Array, model: PrefixModel, output: Uint8Array): number;

  /** The inverse: fills `raw` from the start of `coded`, and returns how many bytes that took, or -1 for damage. */
  decodePrefix(coded: Uint8Array, base: Uint8Array, model: PrefixModel, raw: Uint8Array): number;

  /**
   * Writes what is told of the lanes of `raw`, at most BLOCK_LANES, that differ from `base` (FORMAT.md, "Gaps"), and lets
   * the model learn. Returns undefined, the model as it was, where that is more than GAP_EVENTS_MAX lanes or a stream of
   * more than GAP_STREAM_BYTES_MAX. The streams stay valid until the next call of the same kernels.
   */
  encodeGaps(raw: Uint8Array, base: Uint8Array, layout: FloatLayout, model: GapModel): GapStreams | undefined;

  /**
   * The inverse of encodeGaps, with the same model: fills `raw`. `bits` may have more bytes than are used. Returns how many
   * are, or -1 for damage; the model is then worthless.
   */
  decodeGaps(
    streams: GapStreams,
    base: Uint8Array,
    layout: FloatLayout,
    model: GapModel,
    raw: Uint8Array,
  ): number;

  /** Adds every `stride`-th GAP_TILE lanes of a block to `counts`. */
  sampleChanges(
    raw: Uint8Array,
    base: Uint8Array,
    layout: FloatLayout,
    stride: number,
    counts: ChangeCounts,
  ): void;

  /** Sets a bit of `marks` for each lane, of 2 bytes, that differs, the lowest one first. */
  markLanes(raw: Uint8Array, base: Uint8Array, marks: Uint8Array): void;

  /**
   * Codes which lanes of `raw`, at most BLOCK_LANES of 2 bytes, differ from `base` (FORMAT.md, "Marked lanes"). The blocks of
   * a chunk are coded from the last one to the first, and only the last one may have lanes that are no multiple of 32. Returns
   * a view that stays valid until the next call of the same kernels.
   */
  encodeMarks(raw: Uint8Array, base: Uint8Array, layout: FloatLayout, model: MarkModel): Uint8Array;

  /**
   * The inverse of encodeMarks: fills `marks`, from the first block to the last one. `coded` may have more bytes than are used.
   * Returns how many are, or -1 for damage; the model is then worthless.
   */
  decodeMarks(
    coded: Uint8Array,
    base: Uint8Array,
    layout: FloatLayout,
    model: MarkModel,
    marks: Uint8Array,
  ): number;

  /** Puts the marked lanes, of 2 bytes, at the start of `output`, which has room for all lanes; returns their bytes. */
  gatherMarked(lanes: Uint8Array, marks: Uint8Array, output: Uint8Array): number;

  /**
   * Fills `raw` from `values`, of which there is one for each marked lane and may be more, and for other lanes from `base`.
   * Returns the bytes of the values.
   */
  scatterMarked(values: Uint8Array, marks: Uint8Array, base: Uint8Array, raw: Uint8Array): number;

  /**
   * Puts the lanes of a block, of 2 bytes, that differ from their base together (FORMAT.md, "Steps"). Returns how many they are;
   * what `streams` has room for beyond them is undefined.
   */
  splitSteps(raw: Uint8Array, base: Uint8Array, layout: FloatLayout, streams: StepStreams): number;

  /**
   * Codes what splitSteps made of a block, of which all but the last one of a chunk have 65,536 lanes; the last block is coded
   * first. Adds the rests to the signs in `bits`, of which there are so many bits then. Returns undefined, the model as it was
   * or not, where levels have more than STEP_LANES_MAX lanes. The bytes stay valid until the next call of the same kernels.
   */
  encodeSteps(
    block: StepBlock,
    layout: FloatLayout,
    model: StepModel,
  ): { coded: Uint8Array; bits: number } | undefined;

  /**
   * The inverse of encodeSteps, from the first block to the last one: fills `raw`. `coded` may have more bytes than are used;
   * `bitsOf` is asked once, when the states of the model are those after the block, for so many bits of so many lanes that
   * differ. Returns undefined for damage, or where it does.
   */
  decodeSteps(
    coded: Uint8Array,
    bitsOf: (bits: number, lanes: number) => Uint8Array | undefined,
    base: Uint8Array,
    layout: FloatLayout,
    model: StepModel,
    raw: Uint8Array,
  ): StepLength | undefined;

  /** Splits a plane (at most BLOCK_LANES bytes) into gaps and values. */
  gatherSparse(plane: Uint8Array): SparseStreams;

  /**
   * The inverse of gatherSparse: overwrites all of `plane`. Returns false for damage: a gap that reaches past the plane,
   * or counts that do not fit each other.
   */
  scatterSparse(gaps: Uint8Array, values: Uint8Array, plane: Uint8Array): boolean;

  /**
   * XXH3-128 (default secret, seed 0) of bytes of any length, in the canonical big-endian order.
   * Algorithm: https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md
   */
  contentHash(bytes: Uint8Array): Uint8Array;

  /**
   * Returns how many bytes of `bytes` (at most BLOCK_BYTES_MAX) lie before the first boundary of the gear hash, or all.
   * Algorithm: FastCDC with normalised chunking (W. Xia et al., USENIX ATC 2016), gear of 32 bits.
   */
  contentBoundary(bytes: Uint8Array, rule: BoundaryRule): number;
}

export type KernelImplementation = 'wasm' | 'typescript';
