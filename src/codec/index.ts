export { type Codec, createCodec, type EncodedChunk, type Level } from './codec.js';
export { CONTENT_CHUNK_MAX, CONTENT_CHUNK_MIN, nextContentChunk } from './content-chunks.js';
export { fitLearningRate } from './learning-rate.js';
export {
  type AdamFirstMomentRule,
  type AdamSecondMomentRule,
  type AdamWeightsRule,
  fromBase,
  type MomentumWeightsRule,
  type Prediction,
  type Rule,
} from './prediction.js';
export { orderOfRecord } from './stored-predictor.js';
