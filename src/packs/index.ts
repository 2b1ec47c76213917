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
  type ChunkBuffer,
  type ChunkGroup,
  ChunkWriter,
  type ChunkWriterOptions,
  type EncodedGroup,
  type EncodingLog,
  type HeldChunk,
  type LoggedChunk,
  type NewChunk,
  type PlannedPrediction,
  type PredictionInput,
} from './chunk-writer.js';
export { type DecodeUnit, decodeUnits, findClusters } from './decode-units.js';
export { ObjectWriter } from './object-writer.js';
export { PACK_BYTES_TARGET, type PackedChunk, PackMemory, PackWriter } from './pack-writer.js';
export { encodingsToDecode, inDecodeOrder, readRecords } from './record-batches.js';
export { restoreCost } from './restore-cost.js';
export { SpareMemory } from './spare-memory.js';
