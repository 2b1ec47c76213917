/**
 * Prefix codes of residuals of 32-bit floats, the plain twin of assembly/prefix.ts: FORMAT.md, "Prefix codes". With z the
 * residual of reference-planes.ts and v = (z >>> 8 * lowBytes) + 1:
 *
 *   symbol k = min(16, floor(log2 v)) in the context of the base's exponent
 *   its stream gets the k lower bits of v, then the code of k, its highest bit last: it is read from the end
 *   for k = 16, the bits of v - 1 above its lower 16 follow as a byte
 */
import { BIT_STREAMS, BIT_STREAMS_HEADER_BYTES, BitWriterReference, placeStreams } from './bit-streams.js';
import {
  PREFIX_BITS_MAX,
  PREFIX_CONTEXTS,
  PREFIX_SYMBOLS,
  type PrefixModel,
  prefixCodes,
  prefixStreams,
} from './prefix-model.js';

interface Words {
  readonly raw: DataView;
  readonly base: DataView;
}

function wordsOf(raw: Uint8Array, base: Uint8Array): Words {
  return {
    raw: new DataView(raw.buffer, raw.byteOffset, raw.byteLength),
    base: new DataView(base.buffer, base.byteOffset, base.byteLength),
  };
}

function ordered(word: number): number {
  return word ^ ((word >> 31) >>> 1);
}

function residualAt({ raw, base }: Words, lane: number): number {
  const difference = ordered(raw.getInt32(4 * lane, true)) - ordered(base.getInt32(4 * lane, true));
  return ((difference << 1) ^ ((difference | 0) >> 31)) >>> 0;
}

function contextAt({ base }: Words, lane: number, firstExponent: number): number {
  const exponent = (base.getUint32(4 * lane, true) >>> 23) & 255;
  return Math.min(PREFIX_CONTEXTS - 1, Math.max(0, exponent - firstExponent));
}

function classOf(value: number): number {
  return Math.min(PREFIX_SYMBOLS - 1, 31 - Math.clz32(value));
}

export function countPrefixReference(
  raw: Uint8Array,
  base: Uint8Array,
  lowBytes: number,
  firstExponent: number,
  counts: Uint32Array,
): void {
  const words = wordsOf(raw, base);
  counts.fill(0);
  for (let lane = 0; lane < raw.length / 4; lane++) {
    const value = (residualAt(words, lane) >>> (8 * lowBytes)) + 1;
    counts[contextAt(words, lane, firstExponent) * PREFIX_SYMBOLS + classOf(value)]++;
  }
}

export function encodePrefixReference(
  raw: Uint8Array,
  base: Uint8Array,
  model: PrefixModel,
  output: Uint8Array,
): number {
  const { lowBytes, firstExponent, lengths } = model;
  const words = wordsOf(raw, base);
  const lanes = raw.length / 4;
  const codes = prefixCodes(lengths);
  const tops: number[] = [];
  const streams = Array.from({ length: BIT_STREAMS }, () => new BitWriterReference());
  for (let lane = 0; lane < lanes; lane++) {
    const residual = residualAt(words, lane);
    for (let byte = 0; byte < lowBytes; byte++) {
      output[BIT_STREAMS_HEADER_BYTES + lane * lowBytes + byte] = residual >>> (8 * byte);
    }
    const value = (residual >>> (8 * lowBytes)) + 1;
    const symbol = classOf(value);
    const entry = contextAt(words, lane, firstExponent) * PREFIX_SYMBOLS + symbol;
    streams[lane % BIT_STREAMS].write(value & ((1 << symbol) - 1), symbol);
    streams[lane % BIT_STREAMS].write(codes[entry], lengths[entry]);
    if (symbol === PREFIX_SYMBOLS - 1) tops.push((value - 1) >>> 16);
  }
  const at = placeStreams(output, BIT_STREAMS_HEADER_BYTES + lanes * lowBytes, streams);
  output.set(tops, at);
  return at + tops.length;
}

export function decodePrefixReference(
  coded: Uint8Array,
  base: Uint8Array,
  model: PrefixModel,
  raw: Uint8Array,
): number {
  const { lowBytes } = model;
  const lanes = raw.length / 4;
  const streams = prefixStreams(coded, lanes, model);
  if (streams === undefined) return -1;
  const words = wordsOf(raw, base);
  const values = decodedValues(coded, words, streams.bits, lanes, model);
  if (values === undefined) return -1;
  let at = streams.end;
  for (let lane = 0; lane < lanes; lane++) {
    let upper = values[lane] - 1;
    if (values[lane] > 0xffff) {
      if (at >= coded.length) return -1;
      upper = ((values[lane] - 1) & 0xffff) | (coded[at++] << 16);
    }
    let residual = upper << (8 * lowBytes);
    const low = BIT_STREAMS_HEADER_BYTES + lane * lowBytes;
    for (let byte = 0; byte < lowBytes; byte++) residual |= coded[low + byte] << (8 * byte);
    const difference = (residual >>> 1) ^ -(residual & 1);
    words.raw.setInt32(
      4 * lane,
      ordered((difference + ordered(words.base.getInt32(4 * lane, true))) | 0),
      true,
    );
  }
  return at;
}

/** The value of each lane, 2^16 to 2^17 - 1 for symbol 16. */
function decodedValues(
  coded: Uint8Array,
  words: Words,
  streamBits: readonly number[],
  lanes: number,
  { lowBytes, firstExponent, lengths }: PrefixModel,
): Uint32Array | undefined {
  const table = decodeTable(lengths);
  const values = new Uint32Array(lanes);
  let start = BIT_STREAMS_HEADER_BYTES + lanes * lowBytes;
  for (let stream = 0; stream < BIT_STREAMS; stream++) {
    let left = streamBits[stream];
    const bit = (index: number) => (index < 0 ? 0 : (coded[start + (index >> 3)] >>> (index & 7)) & 1);
    const take = (count: number) => {
      let value = 0;
      for (let taken = 0; taken < count; taken++) value = 2 * value + bit(--left);
      return value;
    };
    const last = lanes - 1 - ((((lanes - 1 - stream) % BIT_STREAMS) + BIT_STREAMS) % BIT_STREAMS);
    for (let lane = last; lane >= 0; lane -= BIT_STREAMS) {
      const before = left;
      const entry = table[(contextAt(words, lane, firstExponent) << PREFIX_BITS_MAX) + take(PREFIX_BITS_MAX)];
      left = before - lengths[entry];
      const symbol = entry % PREFIX_SYMBOLS;
      values[lane] = 2 ** symbol + take(symbol);
    }
    if (left !== 0) return undefined;
    start += Math.ceil(streamBits[stream] / 8);
  }
  return values;
}

/** The index in `lengths` of the code that each 9 bits of each context begin with. */
function decodeTable(lengths: Uint8Array): Uint16Array {
  const table = new Uint16Array(PREFIX_CONTEXTS << PREFIX_BITS_MAX);
  prefixCodes(lengths).forEach((code, entry) => {
    const spare = PREFIX_BITS_MAX - lengths[entry];
    const start = (Math.floor(entry / PREFIX_SYMBOLS) << PREFIX_BITS_MAX) + (code << spare);
    table.fill(entry, start, start + (1 << spare));
  });
  return table;
}
