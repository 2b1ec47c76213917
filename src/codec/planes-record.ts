/**
 * Records of tensor chunks: FORMAT.md, "Planes". Lanes are cut into blocks, each block into the byte planes of its
 * residual, each plane is a stream.
 */
import { type ByteReader, ByteWriter } from '../bytes/index.js';
import { ThetalogError } from '../errors.js';
import { BLOCK_BYTES_MAX, BLOCK_LANES, type Kernels, LANE_BYTES_MAX } from '../kernels/index.js';
import { type DType, type DTypeInfo, dtypeById, dtypeInfo } from '../tensor/index.js';
import type { ByteStreamCoder, StreamEffort } from './byte-stream.js';
import type { CostModel } from './cost.js';
import { BLOCK, ENCODING, PREDICTOR } from './record-ids.js';

/** Encoding, dtype, predictor. */
const HEADER_BYTES = 3;
const PREDICTOR_OFFSET = 2;

/** Lanes and places that a sampled cost is taken from; smaller chunks are taken whole. */
const SAMPLE_LANES = 4096;
const SAMPLE_PLACES = 4;

export class PlanesCoder {
  private readonly kernels: Kernels;
  private readonly streams: ByteStreamCoder;
  private readonly cost: CostModel;
  private readonly planes = new Uint8Array(BLOCK_BYTES_MAX);
  private readonly counts = new Uint32Array(256 * LANE_BYTES_MAX);

  constructor(kernels: Kernels, streams: ByteStreamCoder, cost: CostModel) {
    this.kernels = kernels;
    this.streams = streams;
    this.cost = cost;
  }

  /** Returns the record of `raw` predicted from `base`, which is as long, or from nothing. */
  encode(raw: Uint8Array, dtype: DType, base: Uint8Array | undefined, effort: StreamEffort): Uint8Array {
    const info = dtypeInfo(dtype);
    const writer = new ByteWriter(HEADER_BYTES + (raw.length >>> 1) + 64);
    writer.u8(ENCODING.planes);
    writer.u8(info.id);
    writer.u8(base === undefined ? PREDICTOR.none : PREDICTOR.base);
    const laneEnd = raw.length - (raw.length % info.laneBytes);
    const blockBytes = BLOCK_LANES * info.laneBytes;
    for (let start = 0; start < laneEnd; start += blockBytes) {
      const end = Math.min(laneEnd, start + blockBytes);
      this.encodeBlock(writer, raw.subarray(start, end), base?.subarray(start, end), info, effort);
    }
    writer.bytes(raw.subarray(laneEnd));
    return writer.finish();
  }

  private encodeBlock(
    writer: ByteWriter,
    raw: Uint8Array,
    base: Uint8Array | undefined,
    info: DTypeInfo,
    effort: StreamEffort,
  ): void {
    const planes = this.planes.subarray(0, raw.length);
    const lanes = raw.length / info.laneBytes;
    this.kernels.splitPlanes(raw, base, info, planes, this.counts);
    const histograms = Array.from({ length: info.laneBytes }, (_, plane) =>
      this.counts.subarray(plane * 256, plane * 256 + 256),
    );
    if (histograms.every((counts) => counts[0] === lanes)) {
      writer.u8(BLOCK.zero);
      return;
    }
    writer.u8(BLOCK.planes);
    histograms.forEach((counts, plane) => {
      this.streams.write(writer, planes.subarray(plane * lanes, (plane + 1) * lanes), counts, effort);
    });
  }

  /** Estimated bits of a chunk predicted from `base` or nothing: the order-0 entropy of the planes of a sample. */
  sampledBits(raw: Uint8Array, dtype: DType, base: Uint8Array | undefined): number {
    const info = dtypeInfo(dtype);
    const lanes = Math.floor(raw.length / info.laneBytes);
    const isWhole = lanes <= SAMPLE_LANES * SAMPLE_PLACES;
    const places = isWhole ? 1 : SAMPLE_PLACES;
    const taken = isWhole ? lanes : SAMPLE_LANES;
    const counts = new Uint32Array(256 * info.laneBytes);
    const planes = this.planes.subarray(0, taken * info.laneBytes);
    for (let place = 0; place < places; place++) {
      const lane = isWhole ? 0 : Math.floor(((lanes - taken) * place) / (places - 1));
      const start = lane * info.laneBytes;
      const end = start + taken * info.laneBytes;
      this.kernels.splitPlanes(
        raw.subarray(start, end),
        base?.subarray(start, end),
        info,
        planes,
        this.counts,
      );
      for (let index = 0; index < counts.length; index++) counts[index] += this.counts[index];
    }
    let bits = 0;
    for (let plane = 0; plane < info.laneBytes; plane++) bits += this.cost.entropyBits(counts, plane * 256);
    return taken === 0 ? 0 : (bits * lanes) / (taken * places);
  }

  /** Decodes the rest of a record, after its encoding byte. */
  decode(reader: ByteReader, rawLength: number, base: Uint8Array | undefined): Uint8Array {
    const { info, usesBase } = readHeader(reader);
    if (usesBase && base?.length !== rawLength) {
      const given = base === undefined ? 'none' : `${base.length} bytes`;
      reader.fail('record-base', `needs a base of ${rawLength} bytes and got ${given}`);
    }
    const from = usesBase ? base : undefined;
    const laneEnd = rawLength - (rawLength % info.laneBytes);
    const blockBytes = BLOCK_LANES * info.laneBytes;
    const blocks = Math.ceil(laneEnd / blockBytes);
    if (reader.remaining < blocks + rawLength - laneEnd) {
      reader.fail('record-truncated', `too short for ${rawLength} bytes`);
    }
    const raw = new Uint8Array(rawLength);
    for (let start = 0; start < laneEnd; start += blockBytes) {
      const end = Math.min(laneEnd, start + blockBytes);
      this.decodeBlock(reader, raw.subarray(start, end), from?.subarray(start, end), info);
    }
    raw.set(reader.view8(rawLength - laneEnd), laneEnd);
    return raw;
  }

  private decodeBlock(
    reader: ByteReader,
    raw: Uint8Array,
    base: Uint8Array | undefined,
    info: DTypeInfo,
  ): void {
    const start = reader.offset;
    const kind = reader.u8();
    if (kind === BLOCK.zero) {
      if (base !== undefined) raw.set(base);
      return;
    }
    if (kind !== BLOCK.planes) reader.fail('record-block', `unknown block kind ${kind}`, start);
    const planes = this.planes.subarray(0, raw.length);
    const lanes = raw.length / info.laneBytes;
    for (let plane = 0; plane < info.laneBytes; plane++) {
      this.streams.read(reader, planes.subarray(plane * lanes, (plane + 1) * lanes));
    }
    this.kernels.mergePlanes(planes, base, info, raw);
  }
}

/** Returns whether a planes record was predicted from a base. */
export function planesUseBase(record: Uint8Array): boolean {
  return record[PREDICTOR_OFFSET] === PREDICTOR.base;
}

function readHeader(reader: ByteReader): { info: DTypeInfo; usesBase: boolean } {
  const start = reader.offset;
  const info = dtypeById(reader.u8());
  const predictor = reader.u8();
  if (info === undefined) throw unsupported(reader, 'record-dtype', 'dtype', start);
  if (predictor !== PREDICTOR.none && predictor !== PREDICTOR.base) {
    throw unsupported(reader, 'record-predictor', 'predictor', start + 1);
  }
  return { info, usesBase: predictor === PREDICTOR.base };
}

/** The error for an id that a newer version may know. */
export function unsupported(reader: ByteReader, code: string, what: string, offset: number): ThetalogError {
  const message = `${reader.object}: unknown ${what} ${reader.bytes[offset]} of a record`;
  return new ThetalogError('unsupported', code, message, {
    object: reader.object,
    offset,
    hint: 'A newer version of thetalog may read it.',
  });
}
