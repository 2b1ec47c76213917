/**
 * Lanes of 16-bit floats of which some differ from the prediction, and most do not: FORMAT.md, "Marked lanes". Which of them
 * differ is told by a mark for each, with the exponent of the prediction as context; those are put together and coded as if
 * they were all there are.
 */
import { ByteReader, ByteWriter } from '../bytes/index.js';
import {
  BLOCK_LANES,
  type ChangeCounts,
  type FloatLayout,
  type Kernels,
  MARK_CONTEXTS,
  MARK_STATE_MIN,
  MARK_STATES,
  MARK_TOTAL,
  type MarkModel,
  markBytes,
  markLowMax,
} from '../kernels/index.js';
import type { DTypeInfo } from '../tensor/index.js';
import { sampledChanges, sumOf } from './change-sample.js';
import { floatLayout } from './class-block.js';
import type { StreamEffort } from './effort.js';
import type { LaneBlocks } from './lane-blocks.js';
import { BLOCK } from './record-ids.js';
import { scratchBytes } from './scratch.js';
import { SteppedLanes } from './stepped-lanes.js';

const LANE_BYTES = 2;
const BLOCK_BYTES = BLOCK_LANES * LANE_BYTES;

/** Chunks of fewer lanes are not worth the states. */
const LANES_MIN = 65_536;

/** Of fewer lanes that differ gaps tell the same in fewer bytes; of more, classes that have a symbol for the others. */
const SHARE_MIN = 1 / 20;
const SHARE_MAX = 1 / 4;

export class MarkedLanes {
  private readonly kernels: Kernels;
  private readonly blocks: LaneBlocks;
  private readonly steps: SteppedLanes;

  constructor(kernels: Kernels, blocks: LaneBlocks) {
    this.kernels = kernels;
    this.steps = new SteppedLanes(kernels);
    this.blocks = blocks;
  }

  /** Writes whole lanes; `predicted` may go on with a tail. */
  encode(
    writer: ByteWriter,
    raw: Uint8Array,
    predicted: Uint8Array | undefined,
    info: DTypeInfo,
    effort: StreamEffort,
  ): void {
    const base = predicted?.subarray(0, raw.length);
    const layout = floatLayout(info);
    const isFit = layout?.laneBytes === LANE_BYTES && raw.length >= LANES_MIN * LANE_BYTES;
    if (!isFit || base === undefined || this.kernels.isSame(raw, base)) {
      this.blocks.encode(writer, raw, base, info, effort);
      return;
    }
    const changes = sampledChanges(this.kernels, raw, base, layout, BLOCK_BYTES);
    const share = sumOf(changes.changed) / sumOf(changes.lanes);
    if (share <= SHARE_MIN || share > SHARE_MAX) {
      this.blocks.encode(writer, raw, base, info, effort, changes);
      return;
    }
    const { arena } = this.kernels;
    const mark = arena.mark();
    if (this.steps.encode(writer, raw, base, layout, changes)) {
      arena.release(mark);
      return;
    }
    const marks = scratchBytes(this.kernels, markBytes(raw.length / LANE_BYTES));
    for (let block = 0; block * BLOCK_BYTES < raw.length; block++)
      this.kernels.markLanes(blockOf(raw, block), blockOf(base, block), marksOf(marks, block));
    const [values, before] = [raw, base].map((lanes) => this.gathered(lanes, marks));
    const blocks = new ByteWriter(before.length);
    this.blocks.encodeChanged(blocks, values, before, info, effort);
    const bytes = blocks.written();
    this.writeMarks(writer, raw, base, layout, modelOf(changes, layout, bytes));
    writer.bytes(bytes.subarray(MARK_STATES));
    arena.release(mark);
  }

  /** Writes the marks of all blocks, of which the last one is coded first. */
  private writeMarks(
    writer: ByteWriter,
    raw: Uint8Array,
    base: Uint8Array,
    layout: FloatLayout,
    model: MarkModel,
  ): void {
    const coded = scratchBytes(this.kernels, raw.length);
    let at = coded.length;
    for (let block = Math.ceil(raw.length / BLOCK_BYTES) - 1; block >= 0; block--) {
      const piece = this.kernels.encodeMarks(blockOf(raw, block), blockOf(base, block), layout, model);
      at -= piece.length;
      coded.set(piece, at);
    }
    writer.u8(BLOCK.marked);
    writer.u8(model.low);
    writer.bytes(model.probabilities);
    writer.varint(coded.length - at);
    for (const state of model.states) writer.u16(state);
    writer.bytes(coded.subarray(at));
  }

  /** Returns the marked lanes, one after the other. */
  private gathered(lanes: Uint8Array, marks: Uint8Array): Uint8Array {
    const together = scratchBytes(this.kernels, lanes.length);
    let at = 0;
    for (let block = 0; block * BLOCK_BYTES < lanes.length; block++) {
      at += this.kernels.gatherMarked(blockOf(lanes, block), marksOf(marks, block), together.subarray(at));
    }
    return together.subarray(0, at);
  }

  /** Reads lanes into `memory`, which has room for a tail. */
  decode(
    reader: ByteReader,
    lanes: number,
    tail: number,
    base: Uint8Array | undefined,
    info: DTypeInfo,
    memory: (length: number) => Uint8Array,
  ): Uint8Array {
    const kind = lanes === 0 || reader.remaining === 0 ? undefined : reader.bytes[reader.offset];
    if (kind !== BLOCK.marked && kind !== BLOCK.steps) {
      return this.blocks.decode(reader, lanes, tail, base, info, memory);
    }
    const start = reader.offset;
    reader.u8();
    const layout = floatLayout(info);
    if (layout?.laneBytes !== LANE_BYTES || base === undefined)
      return reader.fail('record-block', 'marks of lanes that have none', start);
    const before = base.subarray(0, lanes * LANE_BYTES);
    if (kind === BLOCK.steps) {
      const stepped = memory(before.length + tail);
      this.steps.decode(reader, before, layout, stepped.subarray(0, before.length));
      return stepped;
    }
    const { marks, states } = this.readMarks(reader, before, layout);
    const old = this.gathered(before, marks);
    if (old.length === 0) reader.fail('record-marks', 'no lane is marked', start);
    const scratch = (length: number) => scratchBytes(this.kernels, length);
    const blocks = carriedReader(reader, states);
    const values = this.blocks.decode(blocks, old.length / LANE_BYTES, 0, old, info, scratch);
    if (blocks.bytes.subarray(blocks.offset, MARK_STATES).some((byte) => byte !== 0))
      reader.fail('record-marks', 'the states carry more than blocks', start);
    reader.view8(Math.max(0, blocks.offset - MARK_STATES));
    const raw = memory(before.length + tail);
    this.scatter(values, marks, before, raw.subarray(0, before.length));
    return raw;
  }

  /** Reads the marks of all blocks; returns them and the states that are left. */
  private readMarks(
    reader: ByteReader,
    base: Uint8Array,
    layout: FloatLayout,
  ): { marks: Uint8Array; states: Uint16Array } {
    const start = reader.offset;
    const low = reader.u8();
    const probabilities = reader.view8(MARK_CONTEXTS);
    if (low > markLowMax(layout.exponentBits) || !probabilities.every((p) => p > 0 && p < MARK_TOTAL))
      reader.fail('record-marks', `contexts from exponent ${low} on`, start);
    const length = reader.varint();
    const states = Uint16Array.from({ length: MARK_STATES }, () => reader.u16());
    const coded = reader.view8(length);
    const model = { low, probabilities, states };
    const marks = scratchBytes(this.kernels, markBytes(base.length / LANE_BYTES));
    let at = states.every((state) => state >= MARK_STATE_MIN) ? 0 : -1;
    for (let block = 0; at >= 0 && block * BLOCK_BYTES < base.length; block++) {
      const piece = coded.subarray(at);
      const used = this.kernels.decodeMarks(
        piece,
        blockOf(base, block),
        layout,
        model,
        marksOf(marks, block),
      );
      at = used < 0 ? -1 : at + used;
    }
    if (at !== length || states.some((state) => state >= 2 * MARK_STATE_MIN))
      reader.fail('record-marks', 'marks do not end where they should', start);
    return { marks, states };
  }

  private scatter(values: Uint8Array, marks: Uint8Array, base: Uint8Array, raw: Uint8Array): void {
    let at = 0;
    for (let block = 0; block * BLOCK_BYTES < base.length; block++) {
      const piece = marksOf(marks, block);
      at += this.kernels.scatterMarked(values.subarray(at), piece, blockOf(base, block), blockOf(raw, block));
    }
  }
}

function blockOf(lanes: Uint8Array, block: number): Uint8Array {
  return lanes.subarray(block * BLOCK_BYTES, (block + 1) * BLOCK_BYTES);
}

function marksOf(marks: Uint8Array, block: number): Uint8Array {
  const bytes = markBytes(BLOCK_LANES);
  return marks.subarray(block * bytes, (block + 1) * bytes);
}

/** What follows the marks, after the bytes that their states carry. */
function carriedReader(reader: ByteReader, states: Uint16Array): ByteReader {
  const bytes = new Uint8Array(MARK_STATES + reader.remaining);
  states.forEach((state, at) => {
    bytes[at] = state - MARK_STATE_MIN;
  });
  bytes.set(reader.bytes.subarray(reader.offset, reader.end), MARK_STATES);
  return new ByteReader(bytes, reader.object, 0, bytes.length, reader.offset - MARK_STATES);
}

/** Contexts up to the highest exponent that changed, and how often each did; states that carry the first of `bytes`. */
function modelOf(
  { lanes, changed }: ChangeCounts,
  { exponentBits }: FloatLayout,
  bytes: Uint8Array,
): MarkModel {
  let top = changed.length - 1;
  while (top > 0 && changed[top] === 0) top--;
  const low = Math.min(markLowMax(exponentBits), Math.max(0, top - MARK_CONTEXTS + 2));
  const sampled = new Float64Array(MARK_CONTEXTS);
  const marked = new Float64Array(MARK_CONTEXTS);
  for (let exponent = 0; exponent < lanes.length; exponent++) {
    const context = Math.min(MARK_CONTEXTS - 1, Math.max(0, exponent - low));
    sampled[context] += lanes[exponent];
    marked[context] += changed[exponent];
  }
  const probabilities = Uint8Array.from(sampled, (count, context) => {
    const probability = Math.round((MARK_TOTAL * (2 * marked[context] + 1)) / (2 * count + 2));
    return Math.min(MARK_TOTAL - 1, Math.max(1, probability));
  });
  const states = Uint16Array.from({ length: MARK_STATES }, (_, at) => MARK_STATE_MIN + (bytes[at] ?? 0));
  return { low, probabilities, states };
}
