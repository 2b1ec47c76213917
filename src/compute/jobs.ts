/** The kinds of work that the pool does, and which function does each. */

import type { Unpacked } from '../recode/index.js';
import type { ChunkTools } from './chunk-jobs.js';
import { type CompareJob, type CompareResult, compareChunks } from './compare-jobs.js';
import { type EncodeJob, type EncodeResult, encodeChunks } from './encode-jobs.js';
import { type DigestJob, type DigestResult, digestFiles } from './file-parts.js';
import { type RebuildJob, type RebuildResult, rebuildFile, type UnpackJob, unpackFile } from './form-jobs.js';
import { type ReencodeJob, type ReencodeResult, reencodeChunks } from './reencode-job.js';
import {
  type HandOverJob,
  type HandOverResult,
  handOver,
  type RestoreJob,
  restoreChunks,
} from './restore-jobs.js';

/** Every kind of job with its result. */
export interface Jobs {
  reencode: { job: ReencodeJob; result: ReencodeResult };
  compare: { job: CompareJob; result: CompareResult };
  encode: { job: EncodeJob; result: EncodeResult };
  digest: { job: DigestJob; result: DigestResult };
  restore: { job: RestoreJob; result: undefined };
  'hand-over': { job: HandOverJob; result: HandOverResult };
  unpack: { job: UnpackJob; result: Unpacked };
  rebuild: { job: RebuildJob; result: RebuildResult };
}

export type JobKind = keyof Jobs;
export type Job = Jobs[JobKind]['job'];
export type ResultOf<J extends Job> = Jobs[J['kind']]['result'];

/** What any job comes to. */
export type Result = Jobs[JobKind]['result'];

/** Does a job on this thread. What it puts into the arena of the kernels is given back. */
export function perform(tools: ChunkTools, job: Job): Result {
  const { arena } = tools.kernels;
  const mark = arena.mark();
  try {
    return performKind(tools, job);
  } finally {
    arena.release(mark);
  }
}

function performKind(tools: ChunkTools, job: Job): Result {
  switch (job.kind) {
    case 'encode':
      return encodeChunks(tools, job);
    case 'reencode':
      return reencodeChunks(tools, job);
    case 'restore':
      restoreChunks(tools, job);
      return undefined;
    case 'hand-over':
      return handOver(tools, job);
    case 'compare':
      return compareChunks(tools, job);
    case 'digest':
      return digestFiles(tools.hasher, job);
    case 'unpack':
      return unpackFile(job);
    case 'rebuild':
      return rebuildFile(tools.hasher, job);
  }
}

/** Returns the buffers of a result that are handed over rather than copied: memory that the thread has kept. */
export function handedOver(result: Result): ArrayBuffer[] {
  return result !== undefined && 'memory' in result ? result.memory.map(({ buffer }) => buffer) : [];
}
