/** The layout of a kernel instance's memory: tables first, then windows, then the arena. */
import { BLOCK_BYTES_MAX } from './kernels.js';

export const HASH_SUMS = 1024;
export const HASH_OUTPUT = 1152;
export const HASH_SECRET = 1280;
/** Single-precision constants of a formula. */
export const CONSTANTS = 1216;
export const CONSTANTS_MAX = 8;
export const GEAR = 2048;
export const FREQUENCIES = 4096;
export const COUNTS = 8192;
export const SPARE_COUNTS = COUNTS + 1024;
export const TABLE = 16_384;
/** Shuffles of marked lanes; they stay. */
export const MARK_TABLES = 49_152;

/** SIMD steps take 16 lanes: planes are padded to whole steps. */
export const STEP_LANES = 16;

/** A window holds a block and the padding that kernels may read or write beyond it. */
export const WINDOW_BYTES = BLOCK_BYTES_MAX + 1024;
export const RAW = 65_536;
export const BASE = RAW + WINDOW_BYTES;
export const PLANES = BASE + WINDOW_BYTES;
/** An absent base; never written. */
export const ZEROS = PLANES + WINDOW_BYTES;
/** Entries of Huffman codes; they stay until there are as many others. */
export const HUFFMAN_TABLES = ZEROS + WINDOW_BYTES;
export const HUFFMAN_TABLE_BYTES = 16_384;
export const HUFFMAN_TABLES_KEPT = 4;
/** The lengths that each of them is made of. */
export const HUFFMAN_LENGTHS = HUFFMAN_TABLES + HUFFMAN_TABLES_KEPT * HUFFMAN_TABLE_BYTES;
/** Logarithms by which costs are computed; they stay. */
export const LOGARITHMS = HUFFMAN_LENGTHS + HUFFMAN_TABLES_KEPT * 256;
export const LOGARITHM_BYTES = 8 * 4096;
/** Huffman codes of two bytes at once. */
export const HUFFMAN_PAIRS = LOGARITHMS + LOGARITHM_BYTES;
const HUFFMAN_PAIRS_BYTES = 4 * 65_536;
export const ARENA = HUFFMAN_PAIRS + HUFFMAN_PAIRS_BYTES;

/** The inputs, the prediction and the record of a large chunk at once. Pages that nobody touches take no memory. */
export const ARENA_BYTES = 61 * 2 ** 20;
export const MEMORY_BYTES = ARENA + ARENA_BYTES;

/** Predictions are of lanes of at most 4 bytes, so two of their blocks fit into a window. */
export const FORMULA_INPUTS = [RAW, RAW + WINDOW_BYTES / 2, BASE, BASE + WINDOW_BYTES / 2];
