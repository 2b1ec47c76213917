/** Records of tensor chunks: FORMAT.md, "Planes". A header, blocks of lanes, and the bytes that are no whole lane. */
import { type ByteReader, ByteWriter } from '../bytes/index.js';
import { type Arena, BLOCK_BYTES_MAX, type Kernels } from '../kernels/index.js';
import { type DType, type DTypeInfo, dtypeById, dtypeInfo } from '../tensor/index.js';
import type { ByteStreamCoder } from './byte-stream.js';
import type { CostModel } from './cost.js';
import type { StreamEffort } from './effort.js';
import { LaneBlocks } from './lane-blocks.js';
import { MarkedLanes } from './marked-lanes.js';
import { type Predictor, type PredictorRoom, predictorRoom, wholePrediction } from './predictor.js';
import { ENCODING, PREDICTOR } from './record-ids.js';
import { scratchBytes } from './scratch.js';
import { predictorInputs, readPredictor } from './stored-predictor.js';
import { TouchedLanes } from './touched-lanes.js';
import { unsupported } from './unsupported.js';

/** What a record may take beyond its chunk while it is made: the last block is only measured when it is there. */
export const RECORD_ROOM_BYTES = BLOCK_BYTES_MAX;

const PREDICTOR_OFFSET = 2;

export class PlanesCoder {
  /** What predictors of these records are made with. */
  readonly room: PredictorRoom;
  private readonly blocks: LaneBlocks;
  private readonly lanes: TouchedLanes;

  constructor(kernels: Kernels, streams: ByteStreamCoder, cost: CostModel) {
    this.room = predictorRoom(kernels);
    this.blocks = new LaneBlocks(kernels, streams, cost);
    this.lanes = new TouchedLanes(kernels, new MarkedLanes(kernels, this.blocks));
  }

  /** Returns the record of `raw`, predicted or not; at the start of `target`, if one is given and long enough: made there, if it is in the arena and has the room. */
  encode(
    raw: Uint8Array,
    dtype: DType,
    predictor: Predictor | undefined,
    effort: StreamEffort,
    target?: Uint8Array,
  ): Uint8Array {
    const { arena } = this.room.kernels;
    const mark = arena.mark();
    try {
      const room = raw.length + RECORD_ROOM_BYTES;
      const inPlace = target !== undefined && target.length >= room && arena.holds(target);
      const writer = new ByteWriter((inPlace ? target : arena.take(room)) ?? room);
      this.write(writer, resident(arena, raw), dtype, predictor, effort);
      const written = writer.written();
      return inPlace ? written : (placeRecord(written, target) ?? written.slice());
    } finally {
      arena.release(mark);
    }
  }

  private write(
    writer: ByteWriter,
    raw: Uint8Array,
    dtype: DType,
    predictor: Predictor | undefined,
    effort: StreamEffort,
  ): void {
    const info = dtypeInfo(dtype);
    writer.u8(ENCODING.planes);
    writer.u8(info.id);
    if (predictor === undefined) writer.u8(PREDICTOR.none);
    else predictor.writeHeader(writer);
    const scratch = (length: number) => scratchBytes(this.room.kernels, length);
    const side = predictor?.side;
    const sideLanes = side?.recover(raw, 0, scratch);
    if (side !== undefined && sideLanes !== undefined) {
      this.lanes.encode(writer, sideLanes, undefined, side.info, effort);
    }
    const base =
      predictor &&
      resident(this.room.kernels.arena, wholePrediction(predictor, raw.length, info, sideLanes, scratch));
    const laneEnd = raw.length - (raw.length % info.laneBytes);
    this.lanes.encode(writer, raw.subarray(0, laneEnd), base, info, effort);
    writer.bytes(raw.subarray(laneEnd));
  }

  /** Estimated bits of a chunk whose residual is coded in classes; infinite where that cannot be. */
  classBits(raw: Uint8Array, dtype: DType, predictor: Predictor): number {
    const { whole } = predictor;
    return whole === undefined
      ? Number.POSITIVE_INFINITY
      : this.blocks.classBits(raw, whole, dtypeInfo(dtype));
  }

  /** Decodes the rest of a record, after its encoding byte. */
  decode(
    reader: ByteReader,
    rawLength: number,
    inputs: readonly Uint8Array[],
    target: Uint8Array | undefined,
  ): Uint8Array {
    const { arena } = this.room.kernels;
    const mark = arena.mark();
    try {
      return this.read(reader, rawLength, inputs, target);
    } finally {
      arena.release(mark);
    }
  }

  private read(
    reader: ByteReader,
    rawLength: number,
    inputs: readonly Uint8Array[],
    target: Uint8Array | undefined,
  ): Uint8Array {
    const scratch = (length: number) => scratchBytes(this.room.kernels, length);
    const { info, predictor } = readHeader(this.room, reader, rawLength, inputs);
    const tail = rawLength % info.laneBytes;
    const side = predictor?.side;
    const lanes = (rawLength - tail) / info.laneBytes;
    const sideLanes = side && this.lanes.decode(reader, lanes, 0, undefined, side.info, scratch);
    const base = predictor && wholePrediction(predictor, rawLength, info, sideLanes, scratch);
    const raw = this.lanes.decode(
      reader,
      lanes,
      tail,
      base,
      info,
      (length) => target ?? new Uint8Array(length),
    );
    raw.set(reader.view8(tail), rawLength - tail);
    return raw;
  }
}

/** Puts a record at the start of `target` and returns it there, if there is one that is long enough. */
export function placeRecord(record: Uint8Array, target: Uint8Array | undefined): Uint8Array | undefined {
  if (target === undefined || target.length < record.length) return undefined;
  target.set(record);
  return target.subarray(0, record.length);
}

/** Returns the same bytes where kernels use them in place, if there is room. */
function resident(arena: Arena, bytes: Uint8Array): Uint8Array {
  const placed = arena.holds(bytes) ? undefined : arena.take(bytes.length);
  placed?.set(bytes);
  return placed ?? bytes;
}

/** Returns how many inputs a planes record was predicted from. */
export function planesInputs(record: Uint8Array): number {
  return predictorInputs(record[PREDICTOR_OFFSET]);
}

function readHeader(
  room: PredictorRoom,
  reader: ByteReader,
  rawLength: number,
  inputs: readonly Uint8Array[],
): { info: DTypeInfo; predictor: Predictor | undefined } {
  const start = reader.offset;
  const info = dtypeById(reader.u8());
  if (info === undefined) throw unsupported(reader, 'record-dtype', 'dtype', start);
  return { info, predictor: readPredictor(room, reader, info, rawLength, inputs) };
}
