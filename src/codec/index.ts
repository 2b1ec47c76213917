export { type Codec, createCodec, type EncodedChunk, type Level } from './codec.js';
export { CONTENT_CHUNK_MAX, CONTENT_CHUNK_MIN, nextContentChunk } from './content-chunks.js';
export { RECORD_ROOM_BYTES } from './planes-record.js';
export {
  type AdamSecondMomentRule,
  type AdamWeightsRule,
  type AverageRule,
  type FadedMomentRule,
  fromBase,
  type GradientMomentRule,
  type LionWeightsRule,
  type MomentumWeightsRule,
  type NadamWeightsRule,
  type Prediction,
  type Rule,
  type StepSquareRule,
} from './prediction.js';
export { orderOfRecord } from './stored-predictor.js';
