export {
  type ChunkTools,
  DecodedChunks,
  type DecodeJob,
  type DecodeResult,
  decodeChunks,
  type KnownChunk,
  type StoredRecord,
} from './chunk-jobs.js';
export { type InOrderOptions, inOrder } from './in-order.js';
export type { Job, JobKind, Jobs, Outcome, ResultOf } from './jobs.js';
export { ComputePool, type RunOptions } from './pool.js';
export type { RestoreJob, RestoreOutcome, RestorePart, RestoreTarget } from './restore-jobs.js';
export { notAFile, targetError } from './target-error.js';
