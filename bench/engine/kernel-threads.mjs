/** What threads get done that do nothing but encode, each with memory of its own: no program scales better on this machine. */
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { createCodec } from '../../dist/codec/index.js';
import { loadKernels } from '../../dist/kernels/index.js';
import { adamwFar, initialise, Noise } from '../training-law.mjs';

const CHUNK_ELEMENTS = 262_144;

/** Bytes that encoding for some milliseconds takes in. */
function encodeFor(milliseconds) {
  const kernels = loadKernels();
  const codec = createCodec(kernels);
  const noise = new Noise(1);
  const [w, m, v] = [0, 1, 2].map(() => new Float32Array(CHUNK_ELEMENTS));
  initialise({ w, m, v }, noise, 0.02);
  const bytes = new Uint8Array(w.buffer);
  const base = bytes.slice();
  adamwFar({ w, m, v }, noise, 10);
  const predictions = [{ rule: { kind: 'base' }, inputs: [base] }];
  const encode = (until) => {
    let done = 0;
    for (; performance.now() < until; done += bytes.length) codec.encode(bytes, 'f32', predictions, 'fast');
    return done;
  };
  encode(performance.now() + milliseconds / 2);
  return encode(performance.now() + milliseconds);
}

/** GB/s of so many threads together. */
export async function threadSpeed(threads, milliseconds = 1000) {
  const workers = Array.from(
    { length: threads },
    () => new Worker(new URL(import.meta.url), { workerData: milliseconds }),
  );
  const results = workers.map(
    (worker) => new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject)),
  );
  const bytes = await Promise.all(results);
  return bytes.reduce((sum, one) => sum + one, 0) / milliseconds / 1e6;
}

if (!isMainThread) parentPort.postMessage(encodeFor(workerData));
