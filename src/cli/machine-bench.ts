/** Quick figures of this machine: saves and restores of a state like that of a training run, against copying and writing it. */
import { mkdtemp, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createStore, openStore, type Store } from '../index.js';

export interface BenchFigures {
  /** Bytes of the state. */
  bytes: number;
  /** Bytes a second. */
  memcpy: number;
  write: number;
  firstSave: number;
  nextSave: number;
  restore: number;
  /** Stored bytes of the first save, and of the next one a step later. */
  firstStoredBytes: number;
  nextStoredBytes: number;
}

/** Weights with both moments of AdamW in fp32. */
type Layer = Record<'weight' | 'exp_avg' | 'exp_avg_sq', Float32Array>;

const FP32_BYTES = 4;
const ARRAYS_PER_LAYER = 3;
const LAYER_ELEMENTS = 2 ** 20;
const COPIES = 5;
const ADAM = { lr: 1e-3, betas: [0.9, 0.999], eps: 1e-8, weight_decay: 0.01 };
const STEPS_BEFORE = 3;

/** Measures in a folder of its own below `folder`, which goes away whatever happens. */
export async function benchMachine(
  folder: string,
  bytes: number,
  signal: AbortSignal,
): Promise<BenchFigures> {
  const place = await mkdtemp(join(folder, 'thetalog-bench-'));
  try {
    const layers = makeLayers(Math.max(1, Math.round(bytes / (ARRAYS_PER_LAYER * FP32_BYTES))));
    const arrays = layers.flatMap((layer) => Object.values(layer));
    const total = arrays.reduce((sum, { byteLength }) => sum + byteLength, 0);
    for (let step = 1; step <= STEPS_BEFORE; step++) trainStep(layers, step);
    const memcpy = total / bestCopy(arrays);
    signal.throwIfAborted();
    const write = total / (await writeSynced(join(place, 'raw'), arrays));
    signal.throwIfAborted();
    const { first, next } = await timedSaves(join(place, 'store'), layers, signal);
    const restore = total / (await timedRestore(join(place, 'store')));
    return {
      bytes: total,
      memcpy,
      write,
      firstSave: total / first.seconds,
      nextSave: total / next.seconds,
      restore,
      firstStoredBytes: first.storedBytes,
      nextStoredBytes: next.storedBytes,
    };
  } finally {
    await rm(place, { recursive: true, force: true });
  }
}

function makeLayers(elements: number): Layer[] {
  const layers: Layer[] = [];
  const random = randomNumbers(1);
  for (let left = elements; left > 0; left -= LAYER_ELEMENTS) {
    const length = Math.min(left, LAYER_ELEMENTS);
    const weight = Float32Array.from({ length }, () => 0.05 * random());
    layers.push({ weight, exp_avg: new Float32Array(length), exp_avg_sq: new Float32Array(length) });
  }
  return layers;
}

/** One step of AdamW on random gradients, rounded after each operation as torch does. */
function trainStep(layers: readonly Layer[], step: number): void {
  const random = randomNumbers(1000 + step);
  const { lr, betas, eps, weight_decay: decay } = ADAM;
  const [beta1, beta2] = betas;
  const f = Math.fround;
  const stepSize = f(lr / (1 - beta1 ** step));
  const correction = f(Math.sqrt(1 - beta2 ** step));
  for (const { weight, exp_avg: average, exp_avg_sq: square } of layers) {
    for (let at = 0; at < weight.length; at++) {
      const gradient = f(0.01 * random());
      average[at] = f(average[at] + f(f(1 - beta1) * f(gradient - average[at])));
      square[at] = f(f(square[at] * f(beta2)) + f(f(f(1 - beta2) * gradient) * gradient));
      const root = f(f(f(Math.sqrt(square[at])) / correction) + f(eps));
      weight[at] = f(f(weight[at] * f(1 - lr * decay)) - f(f(stepSize * average[at]) / root));
    }
  }
}

/** Returns pseudo-random numbers in [-1, 1), more of them small than large, the same for the same seed. */
function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const uniform = state / 2 ** 31 - 1;
    return uniform * uniform * uniform;
  };
}

/** Returns the seconds of the fastest copy; the target has been written to before. */
function bestCopy(arrays: readonly Float32Array[]): number {
  const targets = arrays.map((array) => array.slice());
  let best = Number.POSITIVE_INFINITY;
  for (let copy = 0; copy < COPIES; copy++) {
    const started = performance.now();
    for (const [at, array] of arrays.entries()) targets[at].set(array);
    best = Math.min(best, performance.now() - started);
  }
  return best / 1000;
}

async function writeSynced(path: string, arrays: readonly Float32Array[]): Promise<number> {
  const started = performance.now();
  const file = await open(path, 'wx');
  try {
    for (const { buffer, byteOffset, byteLength } of arrays)
      await file.writeFile(new Uint8Array(buffer, byteOffset, byteLength));
    await file.sync();
  } finally {
    await file.close();
  }
  const seconds = (performance.now() - started) / 1000;
  await rm(path);
  return seconds;
}

interface TimedSave {
  seconds: number;
  storedBytes: number;
}

async function timedSaves(
  location: string,
  layers: readonly Layer[],
  signal: AbortSignal,
): Promise<{ first: TimedSave; next: TimedSave }> {
  const store = await createStore(location);
  try {
    const first = await timedSave(store, layers, STEPS_BEFORE, signal);
    trainStep(layers, STEPS_BEFORE + 1);
    return { first, next: await timedSave(store, layers, STEPS_BEFORE + 1, signal) };
  } finally {
    await store.close();
  }
}

async function timedSave(
  store: Store,
  layers: readonly Layer[],
  step: number,
  signal: AbortSignal,
): Promise<TimedSave> {
  const model = Object.fromEntries(layers.map(({ weight }, at) => [`layer${at}.weight`, weight]));
  const moments = layers.map(({ exp_avg, exp_avg_sq }) => ({ step, exp_avg, exp_avg_sq }));
  const groups = [{ ...ADAM, params: layers.map((_, at) => at) }];
  const optimizer = { state: { ...moments }, param_groups: groups };
  const started = performance.now();
  const handle = await store.run('bench').save({ model, optimizer, progress: { step } }, { signal });
  const { storedBytes } = await handle.committed;
  return { seconds: (performance.now() - started) / 1000, storedBytes };
}

/** As another program would: nothing of the saves is in memory, but the system may still have the files. */
async function timedRestore(location: string): Promise<number> {
  const store = await openStore(location);
  try {
    const started = performance.now();
    await store.run('bench').restore();
    return (performance.now() - started) / 1000;
  } finally {
    await store.close();
  }
}
