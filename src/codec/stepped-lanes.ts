/**
 * Lanes of 16-bit floats of which some differ from the prediction, by a few units in the last place: FORMAT.md, "Steps". Which
 * of them differ, and by how much, is told level by level, by marks with the exponent of the prediction as context.
 */
import type { ByteReader, ByteWriter } from '../bytes/index.js';
import {
  BLOCK_LANES,
  type ChangeCounts,
  type FloatLayout,
  type Kernels,
  MARK_CONTEXTS,
  MARK_STATE_MIN,
  MARK_TOTAL,
  markLowMax,
  STEP_COUNTS,
  STEP_LEVELS_MAX,
  STEP_STATES,
  STEP_TABLES_MAX,
  type StepBlock,
  type StepModel,
  stepBitBytesMax,
} from '../kernels/index.js';
import { BLOCK } from './record-ids.js';
import { scratchBytes } from './scratch.js';
import { EXPONENTS, fittedSteps } from './step-fitting.js';

const LANE_BYTES = 2;
const BLOCK_BYTES = BLOCK_LANES * LANE_BYTES;

/** Of a chunk of which more lanes differ other forms are smaller. */
const ROOM_SHARE = 1 / 2;

/** One byte of signs in so many is looked at. */
const SIGN_STRIDE = 4;

/** Signs that are as one-sided as this are told in fewer bits by classes. */
const SIGN_SHARE_MIN = 1 / 4;

export class SteppedLanes {
  private readonly kernels: Kernels;
  private readonly counts: Uint32Array;

  constructor(kernels: Kernels) {
    this.kernels = kernels;
    const counts = scratchBytes(kernels, 4 * EXPONENTS * STEP_COUNTS);
    this.counts = new Uint32Array(counts.buffer, counts.byteOffset, EXPONENTS * STEP_COUNTS);
  }

  /** Writes lanes of which some differ; returns false, having written nothing, where another form suits them. */
  encode(
    writer: ByteWriter,
    raw: Uint8Array,
    base: Uint8Array,
    layout: FloatLayout,
    sample: ChangeCounts,
  ): boolean {
    const blocks = this.split(raw, base, layout);
    if (blocks === undefined) return false;
    const model = fittedSteps(sample, this.counts, layout, raw.length / LANE_BYTES);
    if (model === undefined) return false;
    const { bits, keys } = blocks[blocks.length - 1];
    bits.subarray(0, carriedBytes(keys.length / LANE_BYTES)).forEach((byte, at) => {
      model.states[at] += byte;
    });
    const coded = scratchBytes(this.kernels, raw.length);
    let at = coded.length;
    const used: Uint8Array[] = [];
    for (const block of blocks.reverse()) {
      const piece = this.kernels.encodeSteps(block, layout, model);
      if (piece === undefined || piece.coded.length > at) return false;
      at -= piece.coded.length;
      coded.set(piece.coded, at);
      used.push(block.bits.subarray(0, Math.ceil(piece.bits / 8)));
    }
    used[0] = used[0].subarray(carriedBytes(blocks[0].keys.length / LANE_BYTES));
    writer.u8(BLOCK.steps);
    writer.u8(model.low);
    writer.u8(model.levels);
    writer.bytes(model.probabilities);
    writer.varint(coded.length - at);
    for (const state of model.states) writer.u16(state);
    writer.bytes(coded.subarray(at));
    for (const piece of used.reverse()) writer.bytes(piece);
    return true;
  }

  /** Returns all blocks, of which `counts` tells the levels; undefined where signs are one-sided. */
  private split(raw: Uint8Array, base: Uint8Array, layout: FloatLayout): StepBlock[] | undefined {
    const room = raw.length * ROOM_SHARE + BLOCK_BYTES;
    const [keys, sizes] = [raw, base].map(() => scratchBytes(this.kernels, room));
    const changed = scratchBytes(this.kernels, raw.length / LANE_BYTES);
    const bits = scratchBytes(this.kernels, stepBitBytesMax(room / LANE_BYTES));
    this.counts.fill(0);
    const blocks: StepBlock[] = [];
    let at = 0;
    let bitsAt = 0;
    let nearer = 0;
    for (let start = 0; start < raw.length; start += BLOCK_BYTES) {
      if (at > room - BLOCK_BYTES) return undefined;
      const end = Math.min(raw.length, start + BLOCK_BYTES);
      const before = base.subarray(start, end);
      const streams = {
        changed: changed.subarray(start / LANE_BYTES, end / LANE_BYTES),
        keys: keys.subarray(at),
        sizes: sizes.subarray(at),
        signs: bits.subarray(bitsAt),
        counts: this.counts,
      };
      const count = this.kernels.splitSteps(raw.subarray(start, end), before, layout, streams);
      nearer += onesOf(streams.signs, count >>> 3);
      const length = count * LANE_BYTES;
      const bytes = stepBitBytesMax(count);
      blocks.push({
        base: before,
        changed: streams.changed,
        keys: streams.keys.subarray(0, length),
        sizes: streams.sizes.subarray(0, length),
        bits: streams.signs.subarray(0, bytes),
      });
      at += length;
      bitsAt += bytes;
    }
    const share = (nearer * SIGN_STRIDE * LANE_BYTES) / at;
    return share >= SIGN_SHARE_MIN && share <= 1 - SIGN_SHARE_MIN ? blocks : undefined;
  }

  /** Reads lanes, after the kind of the block, into `raw`. */
  decode(reader: ByteReader, base: Uint8Array, layout: FloatLayout, raw: Uint8Array): void {
    const start = reader.offset - 1;
    const model = readModel(reader, layout);
    const length = reader.varint();
    for (let at = 0; at < STEP_STATES; at++) model.states[at] = reader.u16();
    const coded = reader.view8(length);
    let at = model.states.every((state) => state >= MARK_STATE_MIN) ? 0 : -1;
    let carried = 0;
    for (let block = 0; at >= 0 && block < raw.length; block += BLOCK_BYTES) {
      const isLast = block + BLOCK_BYTES >= raw.length;
      const bitsOf = (bits: number, lanes: number) => {
        if (isLast) carried = carriedBytes(lanes);
        return readBits(reader, bits, model.states.subarray(0, carried));
      };
      const before = base.subarray(block, block + BLOCK_BYTES);
      const after = raw.subarray(block, block + BLOCK_BYTES);
      const used = this.kernels.decodeSteps(coded.subarray(at), bitsOf, before, layout, model, after);
      at = used === undefined ? -1 : at + used.bytes;
    }
    if (at !== length || model.states.some((state, index) => state >= stateEnd(index < carried)))
      reader.fail('record-steps', 'steps do not end where they should', start);
  }
}

/** Where the states of the coder end: they carry a byte, or none. */
function stateEnd(carries: boolean): number {
  return carries ? 2 * MARK_STATE_MIN : MARK_STATE_MIN + 1;
}

/** Bytes of the signs of the last block that the states carry. */
function carriedBytes(lanes: number): number {
  return Math.min(STEP_STATES, lanes >>> 3);
}

/** Reads so many bits of a block, of which states carry the first bytes. */
function readBits(reader: ByteReader, bits: number, states: Uint16Array): Uint8Array {
  const bytes = new Uint8Array(Math.ceil(bits / 8));
  states.forEach((state, at) => {
    bytes[at] = state - MARK_STATE_MIN;
  });
  bytes.set(reader.view8(bytes.length - states.length), states.length);
  if (bits % 8 !== 0 && bytes[bytes.length - 1] >>> (bits % 8) !== 0)
    reader.fail('record-steps', 'bits that fill the last byte are not 0');
  return bytes;
}

/** Returns the ones in some of so many bytes. */
function onesOf(signs: Uint8Array, length: number): number {
  let ones = 0;
  for (let at = 0; at < length; at += SIGN_STRIDE) {
    for (let rest = signs[at]; rest !== 0; rest &= rest - 1) ones++;
  }
  return ones;
}

/** Reads what comes before the coder's states. */
function readModel(reader: ByteReader, { exponentBits }: FloatLayout): StepModel {
  const start = reader.offset;
  const low = reader.u8();
  const levels = reader.u8();
  if (low > markLowMax(exponentBits) || levels < 1 || levels > STEP_LEVELS_MAX)
    reader.fail('record-steps', `${levels} levels from exponent ${low} on`, start);
  const probabilities = reader.view8(MARK_CONTEXTS * Math.min(levels, STEP_TABLES_MAX));
  if (!probabilities.every((p) => p > 0 && p < MARK_TOTAL))
    reader.fail('record-steps', 'a probability is out of range', start);
  return { low, levels, probabilities, states: new Uint16Array(STEP_STATES) };
}
