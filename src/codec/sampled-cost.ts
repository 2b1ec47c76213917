/** Estimated size of a chunk for a prediction: the order-0 entropy of the planes of a sample of its residual. */
import type { Kernels } from '../kernels/index.js';
import { type DType, type DTypeInfo, dtypeInfo } from '../tensor/index.js';
import type { Predictor, TakeLanes } from './predictor.js';
import { scratchBytes } from './scratch.js';

/** Lanes and places that a cost is taken from; smaller chunks are taken whole. */
const SAMPLE_LANES = 2048;
const SAMPLE_PLACES = 4;

/** Lanes of a chunk at a few places, one after the other, and the same ones of what it may be predicted from. */
interface Sample {
  readonly lanes: number;
  readonly raw: Uint8Array;
  readonly take: TakeLanes;
}

/** What a chunk would cost, by samples that are taken once each: it and its inputs must stay as they are. */
export class SampledCost {
  readonly raw: Uint8Array;
  private readonly kernels: Kernels;
  private readonly info: DTypeInfo;
  private readonly samples = new Map<number, Sample>();

  constructor(kernels: Kernels, raw: Uint8Array, dtype: DType) {
    this.kernels = kernels;
    this.raw = raw;
    this.info = dtypeInfo(dtype);
  }

  /** Estimated bits of the chunk, predicted or not, from at most `sampleLanes` lanes at each place. */
  bits(predictor: Predictor | undefined, sampleLanes = SAMPLE_LANES): number {
    const { kernels, info } = this;
    const { lanes, raw, take } = this.sample(sampleLanes);
    if (lanes === 0) return 0;
    const sampled = predictor?.over(take);
    const side = sampled?.side;
    const sideLanes = side?.recover(raw, 0, (length) => scratchBytes(kernels, length));
    const sideBits = side && sideLanes ? kernels.planeBits(sideLanes, undefined, side.info, 0) : 0;
    const predicted = sampled?.block(0, raw.length, sideLanes);
    const bits = kernels.planeBits(raw, predicted, info, 0) + sideBits;
    return (bits * Math.floor(this.raw.length / info.laneBytes)) / lanes;
  }

  private sample(sampleLanes: number): Sample {
    const known = this.samples.get(sampleLanes);
    if (known !== undefined) return known;
    const lanes = Math.floor(this.raw.length / this.info.laneBytes);
    const isWhole = lanes <= sampleLanes * SAMPLE_PLACES;
    const taken = isWhole ? lanes : sampleLanes * SAMPLE_PLACES;
    const inputs = new Map<Uint8Array, Uint8Array>();
    const take: TakeLanes = (bytes, laneBytes = this.info.laneBytes) => {
      if (isWhole) return bytes.subarray(0, lanes * laneBytes);
      let together = inputs.get(bytes);
      if (together === undefined) {
        together = scratchBytes(this.kernels, taken * laneBytes);
        for (let place = 0; place < SAMPLE_PLACES; place++) {
          const lane = Math.floor(((lanes - sampleLanes) * place) / (SAMPLE_PLACES - 1));
          const piece = bytes.subarray(lane * laneBytes, (lane + sampleLanes) * laneBytes);
          together.set(piece, place * sampleLanes * laneBytes);
        }
        inputs.set(bytes, together);
      }
      return together;
    };
    const sample = { lanes: taken, raw: take(this.raw, this.info.laneBytes), take };
    this.samples.set(sampleLanes, sample);
    return sample;
  }
}
