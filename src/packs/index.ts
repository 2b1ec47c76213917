export {
  CHAIN_LIMITS,
  type ChainChoice,
  type ChainLimits,
  ChainPolicy,
  chainLimits,
} from './chain-policy.js';
export { ChunkIndex } from './chunk-index.js';
export { ChunkReader, readRecord } from './chunk-reader.js';
export {
  ChunkWriter,
  type EncodingLog,
  type PlannedPrediction,
  type PredictionInput,
} from './chunk-writer.js';
export { type DecodeUnit, decodeUnits } from './decode-units.js';
export { ObjectWriter } from './object-writer.js';
export { type EncodedRecord, PACK_BYTES_TARGET, PackWriter } from './pack-writer.js';
export { encodingsToDecode, readRecords } from './record-batches.js';
export { recordCost, restoreCost } from './restore-cost.js';
