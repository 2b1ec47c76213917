/**
 * Blocks of floats of which few lanes differ from the prediction: FORMAT.md, "Gaps". How often lanes of an exponent differ
 * follows from a sample of the chunk; what a block teaches is carried on to the next one.
 */
import type { ByteReader, ByteWriter } from '../bytes/index.js';
import {
  BLOCK_LANES,
  type ChangeCounts,
  type FloatLayout,
  freshGapModel,
  GAP_CONTEXTS_MAX,
  GAP_LOW_MAX,
  GAP_STREAM_BYTES_MAX,
  GAP_TILE,
  type GapModel,
  type Kernels,
} from '../kernels/index.js';
import { sumOf } from './change-sample.js';
import type { CostModel } from './cost.js';
import { BLOCK } from './record-ids.js';

const EXPONENTS = 256;

/** Of more lanes that differ than this, classes tell the same in fewer bytes. */
const SHARE_MAX = 1 / 20;

/** Lanes that differ are together, and not told one by one, where so many more are in one tile than chance would put there. */
const CLUSTER_FACTOR = 4;

/** Lanes of an exponent have flags where more than this differ, or where they are few: a flag takes as long as a gap. */
const DENSE_SHARE = 1 / 2;
const DENSE_LANES_SHARE = 1 / 256;
/** The highest exponents are not worth a level of their own where all of them together have fewer lanes. */
const TOP_LANES_SHARE = 1 / 64;

/** Bits that a level costs in each block: its last gap. */
const LEVEL_BITS = 8;
/** Bits that each level takes off the entropy of a sample: 1 / (2 ln 2), after G. Miller and W. Madow. */
const LEVEL_BIAS_BITS = 0.72;

/** The levels of a chunk, and what its blocks taught so far. */
export interface GapPlan {
  readonly model: GapModel;
  /** Whether a block was written, so that the next one goes on from it. */
  isKnown: boolean;
}

export class GapBlockCoder {
  private readonly kernels: Kernels;
  private readonly cost: CostModel;

  constructor(kernels: Kernels, cost: CostModel) {
    this.kernels = kernels;
    this.cost = cost;
  }

  /** Judges a chunk of so many lanes by a sample; undefined where gaps are not the way to tell its lanes. */
  plan(counts: ChangeCounts, chunkLanes: number): GapPlan | undefined {
    const lanes = sumOf(counts.lanes);
    const changed = sumOf(counts.changed);
    const expected = 1 + (changed * GAP_TILE) / lanes;
    if (changed > lanes * SHARE_MAX || changed > counts.touchedTiles * CLUSTER_FACTOR * expected)
      return undefined;
    const low = lowOf(counts, lanes);
    const levels = sparseLevels(counts, low);
    const isOne =
      (this.gain(levels) * chunkLanes) / lanes <
      (levels.length - 1) * LEVEL_BITS * Math.ceil(chunkLanes / BLOCK_LANES);
    return { model: freshGapModel(low, isOne ? 1 : levels.length), isKnown: false };
  }

  /** Bits of the sample that its levels save. */
  private gain(levels: readonly Level[]): number {
    const all = { lanes: 0, changed: 0 };
    let gain = -(levels.length - 1) * LEVEL_BIAS_BITS;
    for (const level of levels) {
      gain -= this.entropy(level);
      all.lanes += level.lanes;
      all.changed += level.changed;
    }
    return gain + this.entropy(all);
  }

  private entropy({ lanes, changed }: Level): number {
    if (changed === 0 || changed === lanes) return 0;
    const { cost } = this;
    const same = lanes - changed;
    return lanes * cost.log2(lanes) - changed * cost.log2(changed) - same * cost.log2(same);
  }

  /** Writes a block, kind and all; returns false, having written nothing, where it has other forms that are shorter. */
  write(writer: ByteWriter, plan: GapPlan, raw: Uint8Array, base: Uint8Array, layout: FloatLayout): boolean {
    const streams = this.kernels.encodeGaps(raw, base, layout, plan.model);
    if (streams === undefined) return false;
    writer.u8(plan.isKnown ? BLOCK.gapsAgain : BLOCK.gaps);
    if (!plan.isKnown) {
      writer.u8(plan.model.low);
      writer.u8(plan.model.contexts);
    }
    plan.isKnown = true;
    writer.varint(streams.coded.length);
    writer.bytes(streams.coded);
    writer.bytes(streams.bits);
    return true;
  }

  /** Reads the levels of a block, after its kind. */
  readModel(reader: ByteReader): GapModel {
    const offset = reader.offset;
    const low = reader.u8();
    const contexts = reader.u8();
    if (low > GAP_LOW_MAX || contexts < 1 || contexts > GAP_CONTEXTS_MAX) {
      reader.fail('record-gaps', `${contexts} levels from exponent ${low} on`, offset);
    }
    return freshGapModel(low, contexts);
  }

  /** Fills `raw` from the rest of a block. */
  read(reader: ByteReader, model: GapModel, raw: Uint8Array, base: Uint8Array, layout: FloatLayout): void {
    const start = reader.offset;
    const coded = reader.view8(reader.varint());
    const bits = reader.bytes.subarray(
      reader.offset,
      Math.min(reader.end, reader.offset + GAP_STREAM_BYTES_MAX),
    );
    const used = this.kernels.decodeGaps({ coded, bits }, base, layout, model, raw);
    if (used < 0) reader.fail('record-gaps', 'gaps do not end where they should', start);
    reader.view8(used);
  }
}

/** Returns the exponent below which lanes have flags. */
function lowOf({ lanes, changed }: ChangeCounts, total: number): number {
  let low = EXPONENTS;
  let left = total;
  while (low > 0 && total - left + lanes[low - 1] <= total * TOP_LANES_SHARE) left -= lanes[--low];
  const lowest = low - GAP_CONTEXTS_MAX;
  low = Math.min(low, GAP_LOW_MAX);
  while (
    low > 0 &&
    (low > lowest || left > total * DENSE_LANES_SHARE) &&
    changed[low - 1] <= lanes[low - 1] * DENSE_SHARE
  ) {
    left -= lanes[--low];
  }
  return low;
}

/** Lanes of one level, and those that differ. */
interface Level {
  lanes: number;
  changed: number;
}

/** The sparse levels up to the last one that has lanes; at least one. */
function sparseLevels({ lanes, changed }: ChangeCounts, low: number): Level[] {
  const levels: Level[] = [{ lanes: 0, changed: 0 }];
  for (let exponent = low; exponent < EXPONENTS; exponent++) {
    if (lanes[exponent] === 0) continue;
    const index = Math.min(GAP_CONTEXTS_MAX - 1, exponent - low);
    while (levels.length <= index) levels.push({ lanes: 0, changed: 0 });
    levels[index].lanes += lanes[exponent];
    levels[index].changed += changed[exponent];
  }
  return levels;
}
