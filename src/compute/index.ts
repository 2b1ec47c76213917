export { CAST_DTYPES, type Cast, type CastDType, castElements, castLength } from './cast-elements.js';
export {
  type ChunkTools,
  DecodedChunks,
  type KnownChunk,
  type StoredRecord,
} from './chunk-jobs.js';
export type { ComparedPart, CompareJob } from './compare-jobs.js';
export { copyBytes } from './copy-bytes.js';
export { addSums, ElementComparer, type ElementSums, noSums } from './element-comparison.js';
export {
  type BaseChunk,
  type EncodedMember,
  type EncodedRecord,
  type EncodeInput,
  type EncodeJob,
  type EncodeMember,
  type EncodeResult,
  encodeChunks,
  type PossiblePrediction,
} from './encode-jobs.js';
export {
  type DigestJob,
  type DigestResult,
  type FilePart,
  fileChanged,
  fileError,
  type RawBytes,
} from './file-parts.js';
export { type InOrderOptions, inOrder } from './in-order.js';
export type { Job, JobKind, Jobs, ResultOf } from './jobs.js';
export { fromPlainError } from './plain-error.js';
export { ComputePool, type Lane, type RunOptions } from './pool.js';
export type { ChunkToEncode, NewRecord, ReencodeJob } from './reencode-job.js';
export type { HandOverJob, RestoreJob, RestorePart, RestoreTarget } from './restore-jobs.js';
export { notAFile, targetError } from './target-error.js';
