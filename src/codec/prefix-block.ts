/**
 * Blocks of 32-bit floats in prefix codes: FORMAT.md, "Prefix codes". Like classes they code the size of a step by the
 * exponent of the base; they are a few percent larger and several times faster, so the save path takes them for dense steps.
 */
import type { ByteReader, ByteWriter } from '../bytes/index.js';
import {
  type FloatLayout,
  isCompletePrefix,
  type Kernels,
  PREFIX_BITS_MAX,
  PREFIX_CONTEXTS,
  PREFIX_LENGTHS,
  PREFIX_SYMBOLS,
  type PrefixModel,
  prefixBytesMax,
} from '../kernels/index.js';
import type { CostModel } from './cost.js';
import type { LaneSample } from './lane-sample.js';
import { BLOCK } from './record-ids.js';

/** Below this a chunk's tables and the four streams of each block weigh too much. */
const LANES_MIN = 16_384;

/** Of the lanes, one in so many may lie above the last context of its own. */
const RARE_SHARE = 256;

/** What codes of whole bits may cost over what the same symbols need: then few symbols are common, and classes do better. */
const WASTE_SHARE_MAX = 1.03;

export interface PrefixPlan {
  readonly model: PrefixModel;
  /** Estimated bits of a lane. */
  readonly laneBits: number;
  /** Whether a block was written, so that the next one need not bring the tables. */
  hasTables: boolean;
}

export class PrefixBlockCoder {
  private readonly kernels: Kernels;
  private readonly cost: CostModel;
  private readonly counts = new Uint32Array(256);

  constructor(kernels: Kernels, cost: CostModel) {
    this.kernels = kernels;
    this.cost = cost;
  }

  /** Returns the codes for a chunk of which `sample` is taken, or undefined where other forms suit it better. */
  plan(sample: LaneSample, layout: FloatLayout): PrefixPlan | undefined {
    const { raw, base } = sample;
    if (layout.laneBytes !== 4 || base === undefined || sample.chunkLanes < LANES_MIN) return undefined;
    const firstExponent = this.firstExponent(base, layout);
    const plans = ([1, 2] as const).flatMap((lowBytes) => {
      this.kernels.countPrefix(raw, base, lowBytes, firstExponent, this.counts);
      return this.fit({ lowBytes, firstExponent }, raw.length / 4) ?? [];
    });
    return plans.sort((a, b) => a.laneBits - b.laneBits).at(0);
  }

  /** The highest exponents that are not rare have contexts of their own. */
  private firstExponent(base: Uint8Array, layout: FloatLayout): number {
    const exponents = new Uint8Array(base.length / 4);
    this.kernels.laneExponents(base, layout, exponents);
    this.kernels.histogram(exponents, this.counts);
    let above = 0;
    for (let exponent = 255; exponent >= PREFIX_CONTEXTS; exponent--) {
      above += this.counts[exponent];
      if (above * RARE_SHARE > exponents.length) return exponent - PREFIX_CONTEXTS + 1;
    }
    return 0;
  }

  /** Fits codes to the counts. */
  private fit(shape: Pick<PrefixModel, 'lowBytes' | 'firstExponent'>, lanes: number): PrefixPlan | undefined {
    const lengths = new Uint8Array(PREFIX_LENGTHS);
    let codeBits = 0;
    let entropyBits = 0;
    let restBits = 8 * shape.lowBytes * lanes;
    for (let start = 0; start < PREFIX_LENGTHS; start += PREFIX_SYMBOLS) {
      const counts = this.counts.subarray(start, start + PREFIX_SYMBOLS);
      const codes = fittedLengths(counts);
      lengths.set(codes, start);
      entropyBits += this.cost.entropyBits(counts, 0, PREFIX_SYMBOLS);
      for (let symbol = 0; symbol < PREFIX_SYMBOLS; symbol++) {
        codeBits += counts[symbol] * codes[symbol];
        restBits += counts[symbol] * symbol;
        if (symbol === PREFIX_SYMBOLS - 1) restBits += 8 * counts[symbol];
      }
    }
    const bits = codeBits + restBits;
    if (bits > (entropyBits + restBits) * WASTE_SHARE_MAX) return undefined;
    return { model: { ...shape, lengths }, laneBits: bits / lanes, hasTables: false };
  }

  /** Writes a block, kind and all. */
  write(writer: ByteWriter, plan: PrefixPlan, raw: Uint8Array, base: Uint8Array): void {
    writer.u8(plan.hasTables ? BLOCK.prefixAgain : BLOCK.prefix);
    if (!plan.hasTables) writeModel(writer, plan.model);
    plan.hasTables = true;
    const room = writer.open(prefixBytesMax(raw.length / 4));
    writer.close(this.kernels.encodePrefix(raw, base, plan.model, room));
  }

  /** Fills `raw` from the rest of a block. */
  read(reader: ByteReader, model: PrefixModel, raw: Uint8Array, base: Uint8Array): void {
    const coded = reader.bytes.subarray(reader.offset, reader.end);
    const used = this.kernels.decodePrefix(coded, base, model, raw);
    if (used < 0) reader.fail('record-prefix', 'a block of prefix codes is damaged');
    reader.view8(used);
  }
}

/** Two lengths a byte, the first one in the lower half; the last half byte is 0. */
function writeModel(writer: ByteWriter, { lowBytes, firstExponent, lengths }: PrefixModel): void {
  writer.u8(lowBytes);
  writer.u8(firstExponent);
  for (let at = 0; at < PREFIX_LENGTHS; at += 2) writer.u8(lengths[at] | ((lengths[at + 1] ?? 0) << 4));
}

/** Reads what a block of codes begins with, after its kind. */
export function readPrefixModel(reader: ByteReader): PrefixModel {
  const start = reader.offset;
  const lowBytes = reader.u8();
  const firstExponent = reader.u8();
  const packed = reader.view8((PREFIX_LENGTHS + 1) / 2);
  const lengths = Uint8Array.from(
    { length: PREFIX_LENGTHS },
    (_, at) => (packed[at >> 1] >> (4 * (at & 1))) & 15,
  );
  if ((lowBytes !== 1 && lowBytes !== 2) || packed[packed.length - 1] > 15 || !isCompletePrefix(lengths)) {
    return reader.fail('record-table', 'prefix codes that are not complete', start);
  }
  return { lowBytes, firstExponent, lengths };
}

/**
 * Returns lengths of a Huffman code (D. Huffman, Proc. IRE 1952) in which all symbols have a code: what a sample lacks may
 * still occur. Counts are halved until no code is too long.
 */
export function fittedLengths(counts: Uint32Array): Uint8Array {
  let weights = Array.from(counts, (count) => count + 1);
  for (;;) {
    const lengths = huffmanLengths(weights);
    if (lengths.every((length) => length <= PREFIX_BITS_MAX)) return lengths;
    weights = weights.map((weight) => (weight + 1) >> 1);
  }
}

function huffmanLengths(weights: readonly number[]): Uint8Array {
  const lengths = new Uint8Array(weights.length);
  const trees = weights.map((weight, symbol) => ({ weight, symbols: [symbol] }));
  while (trees.length > 1) {
    const first = takeLightest(trees);
    const second = takeLightest(trees);
    const symbols = [...first.symbols, ...second.symbols];
    for (const symbol of symbols) lengths[symbol]++;
    trees.push({ weight: first.weight + second.weight, symbols });
  }
  return lengths;
}

interface Tree {
  readonly weight: number;
  readonly symbols: readonly number[];
}

function takeLightest(trees: Tree[]): Tree {
  let lightest = 0;
  for (let index = 1; index < trees.length; index++) {
    if (trees[index].weight < trees[lightest].weight) lightest = index;
  }
  return trees.splice(lightest, 1)[0];
}
