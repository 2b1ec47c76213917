/** A worker thread of the pool: does one job after another. */
import { parentPort, workerData } from 'node:worker_threads';
import { createCodec } from '../codec/index.js';
import { loadHasher } from '../hash/index.js';
import { adoptKernels, loadKernels } from '../kernels/index.js';
import type { ChunkTools } from './chunk-jobs.js';
import { handedOver, perform } from './jobs.js';
import type { JobMessage, ResultMessage, WorkerData } from './messages.js';
import { toPlainError } from './plain-error.js';

const { kernels: compiled } = workerData as WorkerData;
if (compiled !== undefined) adoptKernels(compiled);
const kernels = loadKernels();
const codec = createCodec(kernels);
const ready = loadHasher(kernels).then(
  (hasher): ChunkTools => ({ kernels, codec, hasher, now: () => performance.now(), kept: new Map() }),
);

parentPort?.on('message', async ({ ticket, job }: JobMessage) => {
  try {
    const result = perform(await ready, job);
    answer({ ticket, result }, handedOver(result));
  } catch (error) {
    answer({ ticket, error: toPlainError(error) }, []);
  }
});

function answer(message: ResultMessage, transfer: ArrayBuffer[]): void {
  parentPort?.postMessage(message, transfer);
}
