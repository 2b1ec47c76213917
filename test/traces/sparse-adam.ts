/** An embedding and its optimizer's state around one step of torch.optim.SparseAdam, in its order of operations. */
import { normals, randomSource } from './laws.js';

const LR = 1e-3;
const BETAS = [0.9, 0.999] as const;
const EPS = 1e-8;
const STEP = 500;
/** Rows that a batch names. */
const TOUCHED_SHARE = 0.025;

const { fround } = Math;

interface Moments {
  w: Float32Array;
  m: Float32Array;
  v: Float32Array;
}

/** A state as torch lays it out: parameters by number, each with its moments, and groups with settings. */
function stateOf({ w, m, v }: Moments, rows: number, step: number) {
  const shape = [rows, w.length / rows];
  const tensor = (data: Float32Array) => ({ dtype: 'f32' as const, shape, data });
  return {
    model: { 'embedding.weight': tensor(w) },
    optimizer: {
      state: { 0: { step, exp_avg: tensor(m), exp_avg_sq: tensor(v) } },
      param_groups: [{ lr: LR, betas: [...BETAS], eps: EPS, params: [0] }],
    },
  };
}

export function sparseAdamStep(rows: number, width: number) {
  const count = rows * width;
  const before: Moments = {
    w: normals(count, 0.02, 3),
    m: normals(count, 1e-3, 4),
    v: normals(count, 1e-3, 5).map((value) => value * value),
  };
  const after: Moments = { w: before.w.slice(), m: before.m.slice(), v: before.v.slice() };
  const random = randomSource(6);
  const gradients = normals(count, 1e-3, 7);
  for (let row = 0; row < rows; row++) {
    if (random() >= TOUCHED_SHARE) continue;
    for (let at = row * width; at < (row + 1) * width; at++) touch(after, at, gradients[at]);
  }
  return {
    base: stateOf(before, rows, STEP),
    next: stateOf(after, rows, STEP + 1),
    bytes: 3 * 4 * count,
  };
}

/** As torch/optim/_functional.py, sparse_adam: each operation rounds to single precision; scalars have double. */
function touch({ w, m, v }: Moments, at: number, gradient: number): void {
  const mStep = fround(fround(gradient - m[at]) * fround(1 - BETAS[0]));
  const vStep = fround(fround(fround(gradient * gradient) - v[at]) * fround(1 - BETAS[1]));
  const numerator = fround(mStep + m[at]);
  const vSum = fround(vStep + v[at]);
  m[at] = fround(m[at] + mStep);
  v[at] = fround(v[at] + vStep);
  const denominator = fround(fround(Math.sqrt(vSum)) + fround(EPS));
  const bias1 = 1 - BETAS[0] ** (STEP + 1);
  const bias2 = 1 - BETAS[1] ** (STEP + 1);
  const stepSize = (LR * Math.sqrt(bias2)) / bias1;
  w[at] = fround(w[at] + fround(fround(-stepSize) * fround(numerator / denominator)));
}
