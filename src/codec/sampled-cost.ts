/** Estimated size of a chunk for a prediction: the order-0 entropy of the planes of a sample of its residual. */
import { type Kernels, LANE_BYTES_MAX } from '../kernels/index.js';
import { type DType, type DTypeInfo, dtypeInfo } from '../tensor/index.js';
import type { CostModel } from './cost.js';
import type { Predictor } from './predictor.js';
import { scratchBytes } from './scratch.js';

/** Lanes and places that a cost is taken from; smaller chunks are taken whole. */
const SAMPLE_LANES = 2048;
const SAMPLE_PLACES = 4;

export class SampledCost {
  private readonly kernels: Kernels;
  private readonly cost: CostModel;
  /** The sample and its prediction side by side, and their planes. */
  private readonly raw: Uint8Array;
  private readonly predicted: Uint8Array;
  private readonly planes: Uint8Array;
  private readonly counts = new Uint32Array(256 * LANE_BYTES_MAX);

  constructor(kernels: Kernels, cost: CostModel) {
    this.kernels = kernels;
    this.cost = cost;
    const length = SAMPLE_LANES * SAMPLE_PLACES * LANE_BYTES_MAX;
    this.raw = scratchBytes(kernels, length);
    this.predicted = scratchBytes(kernels, length);
    this.planes = scratchBytes(kernels, length);
  }

  /** Estimated bits of a chunk, predicted or not, from at most `sampleLanes` lanes at each place. */
  bits(raw: Uint8Array, dtype: DType, predictor: Predictor | undefined, sampleLanes = SAMPLE_LANES): number {
    const info = dtypeInfo(dtype);
    const lanes = Math.floor(raw.length / info.laneBytes);
    const isWhole = lanes <= sampleLanes * SAMPLE_PLACES;
    const places = isWhole ? 1 : SAMPLE_PLACES;
    const taken = isWhole ? lanes : sampleLanes;
    const side = predictor?.side;
    const sideCounts = new Uint32Array(256 * (side?.info.laneBytes ?? 0));
    for (let place = 0; place < places; place++) {
      const lane = isWhole ? 0 : Math.floor(((lanes - taken) * place) / (places - 1));
      const start = lane * info.laneBytes;
      const block = raw.subarray(start, start + taken * info.laneBytes);
      const sideLanes = side?.recover(block, start);
      if (side !== undefined && sideLanes !== undefined) {
        this.addCounts(sideLanes, undefined, side.info, sideCounts);
      }
      const predicted = predictor?.block(start, start + block.length, sideLanes);
      this.raw.set(block, place * block.length);
      if (predicted !== undefined) this.predicted.set(predicted, place * block.length);
    }
    const length = taken * places * info.laneBytes;
    const predicted = predictor && this.predicted.subarray(0, length);
    this.split(this.raw.subarray(0, length), predicted, info);
    const bits =
      this.planeBits(this.counts, info.laneBytes) + this.planeBits(sideCounts, side?.info.laneBytes ?? 0);
    return taken === 0 ? 0 : (bits * lanes) / (taken * places);
  }

  /** Adds the histograms of the planes of a block's residual. */
  private addCounts(
    block: Uint8Array,
    predicted: Uint8Array | undefined,
    info: DTypeInfo,
    counts: Uint32Array,
  ): void {
    this.split(block, predicted, info);
    for (let index = 0; index < counts.length; index++) counts[index] += this.counts[index];
  }

  /** Counts the bytes of the planes of a residual. */
  private split(block: Uint8Array, predicted: Uint8Array | undefined, info: DTypeInfo): void {
    this.kernels.splitPlanes(block, predicted, info, this.planes.subarray(0, block.length), this.counts);
  }

  private planeBits(counts: Uint32Array, planes: number): number {
    let bits = 0;
    for (let start = 0; start < 256 * planes; start += 256) bits += this.cost.entropyBits(counts, start);
    return bits;
  }
}
