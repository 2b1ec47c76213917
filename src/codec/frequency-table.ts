/**
 * Frequency tables of the entropy coder: FORMAT.md, "Frequency table".
 *
 * A table is a binary tree over the 256 byte values. A leaf covers 2^k neighbouring values with one weight, so that smooth
 * distributions cost a few bytes; the encoder finds the cheapest tree bottom-up, weighing the bits of the table against the
 * bits of the data. Weights are rounded to 3 bits of mantissa and scaled to 12-bit frequencies on both sides.
 */
import { type ByteReader, ByteWriter } from '../bytes/index.js';
import { PROBABILITY_TOTAL } from '../kernels/index.js';
import { BitReader, BitWriter } from './bit-stream.js';
import type { CostModel } from './cost.js';

const SYMBOLS = 256;
/** Nodes are numbered like a heap: 1 is the root, 2n and 2n + 1 the halves of n, 256 to 511 the single values. */
const NODES = 2 * SYMBOLS;

/** Weights are at most 2^15 before they are rounded; their class, the exponent, is at most 13. */
const WEIGHT_TOTAL = 2 ** 15;
const CLASS_MAX = 13;
/** Class that the first weight of a table is coded against: a value of about 1/256 of all. */
const CLASS_START = 5;

/** Typical bits of a leaf with a weight and of one without, for the choice of the tree. */
const LEAF_BITS = 7;
const EMPTY_LEAF_BITS = 1;

/** Rounds a weight down to 4 significant bits: 0 to 15 are themselves, then 8 levels for each power of two. */
function levelOf(weight: number): number {
  if (weight < 16) return weight;
  const exponent = 28 - Math.clz32(weight);
  return exponent * 8 + (weight >>> exponent);
}

function weightOf(level: number): number {
  if (level < 16) return level;
  return ((level & 7) + 8) * 2 ** ((level >>> 3) - 1);
}

/**
 * Scales weights to frequencies that add up to 4,096, none below 1 where the weight is not 0; part of the format. Returns
 * undefined unless at least two weights are not 0.
 */
export function scaledFrequencies(weights: Float64Array): Uint16Array | undefined {
  let all = 0;
  let present = 0;
  for (let symbol = 0; symbol < SYMBOLS; symbol++) {
    all += weights[symbol];
    if (weights[symbol] > 0) present++;
  }
  if (present < 2) return undefined;
  let rare = 0;
  let rest = 0;
  for (let symbol = 0; symbol < SYMBOLS; symbol++) {
    const weight = weights[symbol];
    if (weight === 0) continue;
    if (weight * PROBABILITY_TOTAL < all) rare++;
    else rest += weight;
  }
  const share = PROBABILITY_TOTAL - rare;
  const frequencies = new Uint16Array(SYMBOLS);
  let missing = PROBABILITY_TOTAL;
  for (let symbol = 0; symbol < SYMBOLS; symbol++) {
    if (weights[symbol] === 0) continue;
    const isRare = weights[symbol] * PROBABILITY_TOTAL < all;
    frequencies[symbol] = isRare ? 1 : Math.max(1, Math.floor((weights[symbol] * share) / rest));
    missing -= frequencies[symbol];
  }
  balance(frequencies, missing);
  return frequencies;
}

/** Adds 1 to (or takes 1 from those above 1) the frequencies in turn, from value 0 on, until nothing is missing. */
function balance(frequencies: Uint16Array, missing: number): void {
  let left = missing;
  while (left !== 0) {
    for (let symbol = 0; symbol < SYMBOLS && left !== 0; symbol++) {
      if (left > 0 && frequencies[symbol] > 0) {
        frequencies[symbol]++;
        left--;
      } else if (left < 0 && frequencies[symbol] > 1) {
        frequencies[symbol]--;
        left++;
      }
    }
  }
}

export interface FrequencyTable {
  readonly frequencies: Uint16Array;
  /** The coded table. */
  readonly bytes: Uint8Array;
  /** Bits that the counted bytes take with these frequencies. */
  readonly dataBits: number;
}

/** A tree over the byte values, valid until the next one is made. */
interface Tree {
  /** For each node its count and whether it is split. */
  readonly sums: Float64Array;
  readonly splits: Uint8Array;
  /** Estimated bits of the table and of the data. */
  readonly bits: number;
}

/** Estimated bits of bytes with this histogram and of the table that suits them. */
export function estimatedBits(counts: Uint32Array, cost: CostModel): number {
  const last = lastSymbol(counts);
  return last < 0 ? 0 : cheapestTree(counts, last, cost).bits;
}

/** The highest value that occurs, or -1. */
function lastSymbol(counts: Uint32Array): number {
  let last = SYMBOLS - 1;
  while (last >= 0 && counts[last] === 0) last--;
  return last;
}

/** What trees are made in: they are made by the hundred for a chunk, and each is used up before the next one. */
const NODE_SUMS = new Float64Array(NODES);
const NODE_BITS = new Float64Array(NODES);
const NODE_SPLITS = new Uint8Array(NODES);

/** Finds the cheapest tree, level by level from the values up, for a histogram in which no value above `last` occurs. */
function cheapestTree(counts: Uint32Array, last: number, cost: CostModel): Tree {
  let total = 0;
  for (let symbol = 0; symbol <= last; symbol++) total += counts[symbol];
  const totalLog = cost.log2(total);
  for (let sizeLog = 0; sizeLog <= 8; sizeLog++) {
    const first = SYMBOLS >> sizeLog;
    const end = first + (last >> sizeLog);
    for (let node = first; node <= end; node++) {
      const sum = sizeLog === 0 ? counts[node - first] : NODE_SUMS[2 * node] + NODE_SUMS[2 * node + 1];
      if (sum === 0) emptyNode(node, sizeLog);
      else filledNode(node, sizeLog, sum, totalLog, cost);
    }
    if (end + 1 < 2 * first) emptyNode(end + 1, sizeLog);
  }
  return { sums: NODE_SUMS, splits: NODE_SPLITS, bits: NODE_BITS[1] };
}

function emptyNode(node: number, sizeLog: number): void {
  NODE_SUMS[node] = 0;
  NODE_SPLITS[node] = 0;
  NODE_BITS[node] = sizeLog === 0 ? EMPTY_LEAF_BITS : EMPTY_LEAF_BITS + 1;
}

function filledNode(node: number, sizeLog: number, sum: number, totalLog: number, cost: CostModel): void {
  const leaf = LEAF_BITS + sum * (totalLog - cost.log2(sum) + sizeLog);
  NODE_SUMS[node] = sum;
  NODE_SPLITS[node] = 0;
  NODE_BITS[node] = leaf;
  if (sizeLog === 0) return;
  const halves = NODE_BITS[2 * node] + NODE_BITS[2 * node + 1];
  if (halves < leaf) {
    NODE_BITS[node] = halves;
    NODE_SPLITS[node] = 1;
  }
  NODE_BITS[node]++;
}

/** Writes a tree and keeps the weights that its reader will see. */
class TreeWriter {
  readonly writer = new ByteWriter(128);
  readonly weights = new Float64Array(SYMBOLS);
  private readonly bits = new BitWriter(this.writer);
  private readonly sums: Float64Array;
  private readonly splits: Uint8Array;
  private previousClass = CLASS_START;

  constructor(sums: Float64Array, splits: Uint8Array) {
    this.sums = sums;
    this.splits = splits;
    this.node(1, 0, SYMBOLS);
    this.bits.finish();
  }

  private node(node: number, first: number, size: number): void {
    if (size > 1) this.bits.bits(this.splits[node], 1);
    if (this.splits[node] === 1) {
      this.node(2 * node, first, size / 2);
      this.node(2 * node + 1, first + size / 2, size / 2);
      return;
    }
    const sum = this.sums[node];
    this.bits.bits(sum > 0 ? 1 : 0, 1);
    if (sum === 0) return;
    const weight = Math.max(1, Math.round((sum * WEIGHT_TOTAL) / (size * this.sums[1])));
    const level = levelOf(weight);
    const change = (level >>> 3) - this.previousClass;
    this.bits.gamma(change >= 0 ? 2 * change : -2 * change - 1);
    this.bits.bits(level & 7, 3);
    this.previousClass = level >>> 3;
    this.weights.fill(weightOf(level), first, first + size);
  }
}

/**
 * Returns the table that is the cheapest to store and use for bytes with this histogram, or undefined where fewer than two
 * values occur.
 */
export function fitFrequencies(counts: Uint32Array, cost: CostModel): FrequencyTable | undefined {
  const last = lastSymbol(counts);
  if (last < 0) return undefined;
  const { sums, splits } = cheapestTree(counts, last, cost);
  const tree = new TreeWriter(sums, splits);
  const frequencies = scaledFrequencies(tree.weights);
  if (frequencies === undefined) return undefined;
  return { frequencies, bytes: tree.writer.finish(), dataBits: dataBits(counts, frequencies, cost) };
}

function dataBits(counts: Uint32Array, frequencies: Uint16Array, cost: CostModel): number {
  const totalLog = cost.log2(PROBABILITY_TOTAL);
  let bits = 0;
  for (let symbol = 0; symbol < SYMBOLS; symbol++) {
    if (counts[symbol] > 0) bits += counts[symbol] * (totalLog - cost.log2(frequencies[symbol]));
  }
  return bits;
}

/** Reads a table; throws `corrupt` for one that no encoder writes. */
export function readFrequencies(reader: ByteReader): Uint16Array {
  const bits = new BitReader(reader);
  const weights = new Float64Array(SYMBOLS);
  let previousClass = CLASS_START;
  const readNode = (first: number, size: number): void => {
    if (size > 1 && bits.bits(1) === 1) {
      readNode(first, size / 2);
      readNode(first + size / 2, size / 2);
      return;
    }
    if (bits.bits(1) === 0) return;
    const coded = bits.gamma();
    previousClass += coded % 2 === 0 ? coded / 2 : -(coded + 1) / 2;
    if (previousClass < 0 || previousClass > CLASS_MAX) {
      reader.fail('record-table', 'a weight of a frequency table is out of range');
    }
    const level = previousClass * 8 + bits.bits(3);
    if (level === 0) reader.fail('record-table', 'a frequency table has a weight of 0');
    weights.fill(weightOf(level), first, first + size);
  };
  readNode(0, SYMBOLS);
  bits.finish();
  return (
    scaledFrequencies(weights) ?? reader.fail('record-table', 'a frequency table has fewer than two values')
  );
}
