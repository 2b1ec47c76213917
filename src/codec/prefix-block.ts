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
import { fittedLengths } from './huffman-code.js';
import { type LaneSample, SAMPLE_LANES } from './lane-sample.js';
import { BLOCK } from './record-ids.js';
import { scratchBytes } from './scratch.js';

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
  private readonly exponents: Uint8Array;

  constructor(kernels: Kernels, cost: CostModel) {
    this.kernels = kernels;
    this.cost = cost;
    this.exponents = scratchBytes(kernels, SAMPLE_LANES);
  }

  /** Returns the codes for a chunk of which `sample` is taken, or undefined where other forms suit it better. */
  plan(sample: LaneSample, layout: FloatLayout): PrefixPlan | undefined {
    const { raw, base } = sample;
    if (layout.laneBytes !== 4 || base === undefined || sample.chunkLanes < LANES_MIN) return undefined;
    const firstExponent = this.firstExponent(base, layout);
    const lanes = raw.length / 4;
    const counted = ([1, 2] as const).map((lowBytes) => {
      this.kernels.countPrefix(raw, base, lowBytes, firstExponent, this.counts);
      const counts = this.counts.slice(0, PREFIX_LENGTHS);
      return { lowBytes, counts, ...this.neededBits(counts, 8 * lowBytes * lanes) };
    });
    const [one, two] = counted;
    const { lowBytes, counts, codeBits, restBits } =
      one.codeBits + one.restBits <= two.codeBits + two.restBits ? one : two;
    const lengths = new Uint8Array(PREFIX_LENGTHS);
    const weights = new Float64Array(PREFIX_SYMBOLS);
    for (let start = 0; start < PREFIX_LENGTHS; start += PREFIX_SYMBOLS) {
      // What a sample lacks may still occur: each symbol has a code.
      for (let symbol = 0; symbol < PREFIX_SYMBOLS; symbol++) weights[symbol] = counts[start + symbol] + 1;
      lengths.set(fittedLengths(weights, PREFIX_BITS_MAX), start);
    }
    let bits = restBits;
    for (let entry = 0; entry < PREFIX_LENGTHS; entry++) bits += counts[entry] * lengths[entry];
    if (bits > (codeBits + restBits) * WASTE_SHARE_MAX) return undefined;
    return { model: { lowBytes, firstExponent, lengths }, laneBits: bits / lanes, hasTables: false };
  }

  /** Bits that the symbols need at least, and those that are raw. */
  private neededBits(counts: Uint32Array, lowBits: number): { codeBits: number; restBits: number } {
    let codeBits = 0;
    let restBits = lowBits;
    for (let start = 0; start < PREFIX_LENGTHS; start += PREFIX_SYMBOLS) {
      codeBits += this.cost.entropyBits(counts, start, start + PREFIX_SYMBOLS);
      for (let symbol = 0; symbol < PREFIX_SYMBOLS; symbol++) restBits += counts[start + symbol] * symbol;
      restBits += 8 * counts[start + PREFIX_SYMBOLS - 1];
    }
    return { codeBits, restBits };
  }

  /** The highest exponents that are not rare have contexts of their own. */
  private firstExponent(base: Uint8Array, layout: FloatLayout): number {
    const exponents = this.exponents.subarray(0, base.length / 4);
    this.kernels.laneExponents(base, layout, exponents);
    this.kernels.histogram(exponents, this.counts);
    let above = 0;
    for (let exponent = 255; exponent >= PREFIX_CONTEXTS; exponent--) {
      above += this.counts[exponent];
      if (above * RARE_SHARE > exponents.length) return exponent - PREFIX_CONTEXTS + 1;
    }
    return 0;
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
