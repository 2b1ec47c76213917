/** The kinds of work that the pool does, and which function does each. */
import { type ChunkTools, type DecodeJob, type DecodeResult, decodeChunks } from './chunk-jobs.js';
import { type RestoreJob, type RestoreOutcome, restoreChunks } from './restore-jobs.js';

/** Every kind of job with its result. */
export interface Jobs {
  decode: { job: DecodeJob; result: DecodeResult };
  restore: { job: RestoreJob; result: RestoreOutcome };
}

export type JobKind = keyof Jobs;
export type Job = Jobs[JobKind]['job'];
export type ResultOf<J extends Job> = Extract<Jobs[JobKind], { job: J }>['result'];

/** What a job came to, and which of its buffers are handed back rather than copied. */
export interface Outcome {
  readonly result: Jobs[JobKind]['result'];
  readonly transfer: ArrayBuffer[];
}

/** Does a job on this thread. */
export function perform(tools: ChunkTools, job: Job): Outcome {
  if (job.kind === 'restore') {
    const result = restoreChunks(tools, job);
    return { result, transfer: wholeBuffers(result.buffers) };
  }
  const result = decodeChunks(tools, job);
  return { result, transfer: wholeBuffers(result.chunks) };
}

/** Returns the buffers that the views fill from end to end, each once: nothing else can be using them. */
function wholeBuffers(views: readonly Uint8Array[]): ArrayBuffer[] {
  const buffers = new Set<ArrayBuffer>();
  for (const { buffer, byteLength } of views)
    if (buffer instanceof ArrayBuffer && buffer.byteLength === byteLength && byteLength > 0)
      buffers.add(buffer);
  return [...buffers];
}
