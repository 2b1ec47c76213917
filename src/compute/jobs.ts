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

/** What a job came to, and which of its buffers are handed over rather than copied. */
export interface Outcome {
  readonly result: Jobs[JobKind]['result'];
  readonly transfer: ArrayBuffer[];
}

/** Does a job on this thread. What it puts into the arena of the kernels is given back. */
export function perform(tools: ChunkTools, job: Job): Outcome {
  const { arena } = tools.kernels;
  const mark = arena.mark();
  try {
    return performKind(tools, job);
  } finally {
    arena.release(mark);
  }
}

function performKind(tools: ChunkTools, job: Job): Outcome {
  switch (job.kind) {
    case 'encode':
      return { result: encodeChunks(tools, job), transfer: [] };
    case 'reencode':
      return { result: reencodeChunks(tools, job), transfer: [] };
    case 'restore':
      restoreChunks(tools, job);
      return { result: undefined, transfer: [] };
    case 'hand-over': {
      const result = handOver(tools, job);
      return { result, transfer: ownBuffers(result.memory) };
    }
    case 'compare':
      return { result: compareChunks(tools, job), transfer: [] };
    case 'digest':
      return { result: digestFiles(tools.hasher, job), transfer: [] };
    case 'unpack':
      return { result: unpackFile(job), transfer: [] };
    case 'rebuild':
      return { result: rebuildFile(tools.hasher, job), transfer: [] };
  }
}

/** Returns the buffers that views fill from end to end, each once: nothing else can be using them. */
function ownBuffers(views: readonly Uint8Array[]): ArrayBuffer[] {
  const buffers = new Set<ArrayBuffer>();
  for (const { buffer, byteLength } of views) {
    if (buffer instanceof ArrayBuffer && buffer.byteLength === byteLength && byteLength > 0)
      buffers.add(buffer);
  }
  return [...buffers];
}
