import { ByteReader } from '../bytes/index.js';
import type { Kernels } from '../kernels/index.js';
import { type DType, dtypeInfo } from '../tensor/index.js';
import { ByteStreamCoder } from './byte-stream.js';
import { CostModel } from './cost.js';
import { type DeflateLevel, decodeDeflate, encodeDeflate, smallerIfRepeated } from './deflate-record.js';
import type { StreamEffort } from './effort.js';
import { PlanesCoder, placeRecord, planesInputs } from './planes-record.js';
import type { Prediction } from './prediction.js';
import { bitsAlone, cheapestPrediction, fittingPredictions } from './prediction-choice.js';
import { basePredictor } from './predictor.js';
import { ENCODING } from './record-ids.js';
import { SampledCost } from './sampled-cost.js';
import { unsupported } from './unsupported.js';

/** How hard to try: `fast` on the save path, `max` in the background. The level changes the size, never the meaning. */
export type Level = 'fast' | 'max';

export interface EncodedChunk {
  record: Uint8Array;
  /** The prediction whose inputs decoding the record needs, all of them and in order. */
  prediction: Prediction | undefined;
}

export interface Codec {
  /**
   * Encodes the bytes of a chunk by the cheapest of the predictions, or by none where none saves 1 %; at level `fast` a rule must
   * leave 1.6 % less than a base. Predictions that do not fit `dtype` or the length of `raw` are passed over; the base of
   * `bytes` may have any length. The record is never more than one byte longer than `raw` and depends on nothing but the arguments. It is put at the start of `target`, if
   * one is given that is long enough.
   */
  encode(
    raw: Uint8Array,
    dtype: DType,
    predictions: readonly Prediction[],
    level: Level,
    target?: Uint8Array,
  ): EncodedChunk;

  /**
   * Returns the `rawLength` bytes that a record stands for; `inputs` are those of the prediction it was encoded with. Throws
   * `corrupt` for a damaged record or inputs that do not fit, and `unsupported` for an unknown encoding, naming `object`
   * and the offset in the record. Damage that still decodes gives other bytes: the caller compares the content hash. The
   * bytes are put into `target` and returned there, if one of that length is given.
   */
  decode(
    record: Uint8Array,
    rawLength: number,
    inputs: readonly Uint8Array[],
    object: string,
    target?: Uint8Array,
  ): Uint8Array;

  /** Returns how many inputs decoding a record needs. */
  inputsOf(record: Uint8Array): number;
}

/**
 * A delta must be this much smaller than the chunk on its own: a chunk that needs no base is restored without one, and
 * keeps nothing else alive.
 */
const DELTA_SHARE_MAX = 0.99;

/** How much smaller the slower forms of a stream must be: time counts on the save path, and only bytes behind it. */
const EFFORTS: Record<Level, StreamEffort> = {
  fast: {
    entropyShareMax: 1 - 1 / 64,
    huffmanLossMax: 1 / 32,
    sparseShareMax: 1 + 1 / 32,
    prefixShareMax: 1 + 1 / 96,
    classGainMin: 1 / 30,
  },
  max: {
    entropyShareMax: 1 - 1 / 256,
    huffmanLossMax: 1 / 100,
    sparseShareMax: 1,
    prefixShareMax: 0,
    classGainMin: 0,
  },
};

/** Opaque bytes up to this length get the best DEFLATE level in any case: skeletons and manifests are small. */
const DEFLATE_BEST_BYTES_MAX = 64 * 1024;

/** Opaque bytes of which a sample has more bits per byte than this are not worth deflating. */
const DEFLATE_BITS_MAX = 7.9;

/** A delta of opaque bytes below this share of them is taken at once: DEFLATE is slow and hardly ever gets there. */
const OPAQUE_DELTA_SHARE = 1 / 256;

/** Returns the codec over the given kernels. */
export function createCodec(kernels: Kernels): Codec {
  const cost = new CostModel(kernels);
  const planes = new PlanesCoder(kernels, new ByteStreamCoder(kernels, cost), cost);
  return {
    encode(raw, dtype, predictions, level, target) {
      const { arena } = kernels;
      const mark = arena.mark();
      try {
        const samples = new SampledCost(kernels, raw, dtype);
        const candidates =
          dtype === 'bytes'
            ? opaqueCandidates(planes, samples, predictions, level)
            : tensorCandidates(planes, samples, dtype, predictions, level, target);
        return placed(smallest(raw, candidates), target);
      } finally {
        arena.release(mark);
      }
    },
    decode(record, rawLength, inputs, object, target) {
      return decodeRecord(planes, new ByteReader(record, object), rawLength, inputs, target);
    },
    inputsOf,
  };
}

/** Records without and with a prediction; either may be missing. */
interface Candidates {
  readonly standalone?: Uint8Array;
  readonly delta?: { readonly record: Uint8Array; readonly prediction: Prediction };
}

function smallest(raw: Uint8Array, { standalone, delta }: Candidates): EncodedChunk {
  const alone = standalone !== undefined && standalone.length <= raw.length ? standalone : undefined;
  const aloneLength = alone?.length ?? raw.length + 1;
  if (delta !== undefined && delta.record.length <= aloneLength * DELTA_SHARE_MAX) return delta;
  return { record: alone ?? rawRecord(raw), prediction: undefined };
}

function placed(chunk: EncodedChunk, target: Uint8Array | undefined): EncodedChunk {
  if (chunk.record.buffer === target?.buffer) return chunk;
  return { ...chunk, record: placeRecord(chunk.record, target) ?? chunk.record };
}

function rawRecord(raw: Uint8Array): Uint8Array {
  const record = new Uint8Array(raw.length + 1);
  record[0] = ENCODING.raw;
  record.set(raw, 1);
  return record;
}

function tensorCandidates(
  planes: PlanesCoder,
  samples: SampledCost,
  dtype: DType,
  predictions: readonly Prediction[],
  level: Level,
  target: Uint8Array | undefined,
): Candidates {
  const { raw } = samples;
  const effort = EFFORTS[level];
  const alone = (to?: Uint8Array) => {
    const record = planes.encode(raw, dtype, undefined, effort, to);
    return dtypeInfo(dtype).lane === 'integer' ? smallerIfRepeated(raw, record) : record;
  };
  if (level === 'max') {
    const deltas = fittingPredictions(planes.room, samples, dtype, predictions).map(
      ({ prediction, predictor }) => ({
        record: planes.encode(raw, dtype, predictor, effort),
        prediction,
      }),
    );
    deltas.sort((a, b) => a.record.length - b.record.length);
    return { standalone: alone(), delta: deltas.at(0) };
  }
  const chosen = cheapestPrediction(planes.room, samples, dtype, predictions);
  const standalone = () => ({ standalone: alone(target) });
  if (chosen === undefined) return standalone();
  const delta = () => ({
    record: planes.encode(raw, dtype, chosen.predictor, effort, target),
    prediction: chosen.prediction,
  });
  const limit = bitsAlone(samples, chosen) * DELTA_SHARE_MAX;
  const isDelta = chosen.bits < limit || planes.classBits(raw, dtype, chosen.predictor) < limit;
  return isDelta ? { delta: delta() } : standalone();
}

function opaqueCandidates(
  planes: PlanesCoder,
  samples: SampledCost,
  predictions: readonly Prediction[],
  level: Level,
): Candidates {
  const { raw } = samples;
  if (raw.length === 0) return {};
  const prediction = predictions.find(({ rule, inputs }) => rule.kind === 'base' && inputs.length === 1);
  const base = prediction?.inputs[0];
  const effort = EFFORTS[level];
  const delta =
    base?.length === raw.length ? planes.encode(raw, 'bytes', basePredictor(base), effort) : undefined;
  if (prediction !== undefined && delta !== undefined && delta.length <= raw.length * OPAQUE_DELTA_SHARE) {
    return { delta: { record: delta, prediction } };
  }
  const deflateLevel: DeflateLevel = level === 'max' || raw.length <= DEFLATE_BEST_BYTES_MAX ? 9 : 6;
  const bits = samples.bits(undefined);
  const standalone =
    bits <= raw.length * DEFLATE_BITS_MAX ? encodeDeflate(raw, undefined, deflateLevel) : undefined;
  if (prediction === undefined || base === undefined || base.length === 0) return { standalone };
  const deflated = encodeDeflate(raw, base, deflateLevel);
  const record = delta !== undefined && delta.length < deflated.length ? delta : deflated;
  return { standalone, delta: { record, prediction } };
}

function inputsOf(record: Uint8Array): number {
  if (record[0] === ENCODING.planes) return planesInputs(record);
  return record[0] === ENCODING.deflateWithDictionary ? 1 : 0;
}

function decodeRecord(
  planes: PlanesCoder,
  reader: ByteReader,
  rawLength: number,
  inputs: readonly Uint8Array[],
  target: Uint8Array | undefined,
): Uint8Array {
  const raw = decodeBody(planes, reader, rawLength, inputs, target);
  if (reader.remaining !== 0) reader.fail('record-length', `${reader.remaining} bytes follow the record`);
  if (target === undefined || raw === target) return raw;
  target.set(raw);
  return target;
}

function decodeBody(
  planes: PlanesCoder,
  reader: ByteReader,
  rawLength: number,
  inputs: readonly Uint8Array[],
  target: Uint8Array | undefined,
): Uint8Array {
  const encoding = reader.u8();
  switch (encoding) {
    case ENCODING.raw:
      return target === undefined ? reader.view8(rawLength).slice() : reader.view8(rawLength);
    case ENCODING.deflate:
      return decodeDeflate(reader, rawLength, undefined);
    case ENCODING.deflateWithDictionary:
      if (inputs.length === 0) return reader.fail('record-base', 'needs a base and got none');
      return decodeDeflate(reader, rawLength, inputs[0]);
    case ENCODING.planes:
      return planes.decode(reader, rawLength, inputs, target);
    default:
      throw unsupported(reader, 'record-encoding', 'encoding', reader.offset - 1);
  }
}
