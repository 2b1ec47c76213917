/**
 * Training states without training: weights, first and second moments that move as those of a network under AdamW do.
 * Gradients are noise whose size differs from tensor to tensor and from element to element and is what the second moments
 * say, so residuals have the entropy of real ones (fixtures/README.md and the traces are what that was compared with).
 */
import { randomNumbers } from './harness.mjs';

const f = Math.fround;

/** Settings of the optimizer, as torch calls them. */
export const SETTINGS = { lr: 3e-4, beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay: 0.1, amsgrad: false };

/** Settings of SGD with momentum. */
export const SGD_SETTINGS = { lr: 0.02, momentum: 0.9, dampening: 0, weight_decay: 0, nesterov: false };

/** Normal deviates at 65,536 even quantiles: one look-up for each 16 random bits. */
const NORMAL = normalTable();
/** How much larger or smaller the gradient of one element is than that of another. */
const SIZES = NORMAL.map((deviate) => Math.exp(0.7 * deviate));

function normalTable() {
  const table = new Float32Array(65_536);
  for (let index = 0; index < table.length; index++) table[index] = quantile((index + 0.5) / table.length);
  return table;
}

/** Inverse of the normal distribution function: P. Acklam's rational approximation, relative error below 1.2e-9. */
function quantile(p) {
  if (p > 0.5) return -quantile(1 - p);
  const ratio = (x, top, bottom) =>
    top.reduce((sum, c) => sum * x + c, 0) / bottom.reduce((sum, c) => sum * x + c, 0);
  if (p < 0.02425) {
    const q = Math.sqrt(-2 * Math.log(p));
    return ratio(
      q,
      [
        -7.784894002430293e-3, -0.3223964580411365, -2.400758277161838, -2.549732539343734, 4.374664141464968,
        2.938163982698783,
      ],
      [7.784695709041462e-3, 0.3224671290700398, 2.445134137142996, 3.754408661907416, 1],
    );
  }
  const q = p - 0.5;
  return (
    q *
    ratio(
      q * q,
      [
        -39.69683028665376, 220.9460984245205, -275.9285104469687, 138.357751867269, -30.66479806614716,
        2.506628277459239,
      ],
      [-54.47609879822406, 161.5858368580409, -155.6989798598866, 66.80131188771972, -13.28068155288572, 1],
    )
  );
}

/** A source of normal deviates. */
export class Noise {
  constructor(seed) {
    this.state = (randomNumbers(seed)() | 1) >>> 0;
  }

  /** Fills an array with deviates. */
  fill(target) {
    let state = this.state;
    for (let at = 0; at < target.length; at++) {
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      target[at] = NORMAL[(state >>> 8) & 0xffff];
    }
    this.state = state >>> 0;
    return target;
  }
}

/** Elements that are worked on at once, so that scratch arrays stay in the cache. */
const PIECE = 16_384;
const scratch = [0, 1, 2].map(() => new Float32Array(PIECE));

/** Calls `work(from, to, deviates)` piece by piece, with one to three arrays of deviates. */
function inPieces(length, noise, arrays, work) {
  for (let from = 0; from < length; from += PIECE) {
    const to = Math.min(length, from + PIECE);
    for (let index = 0; index < arrays; index++) noise.fill(scratch[index]);
    work(from, to, scratch);
  }
}

/** Fills one parameter as it is in the middle of training. */
export function initialise({ w, m, v }, noise, scale) {
  inPieces(w.length, noise, 3, (from, to, [a, b, c]) => {
    for (let at = from; at < to; at++) {
      const size = scale * 1e-3 * SIZES[((c[at - from] * 1e4) | 0) & 0xffff];
      w[at] = scale * a[at - from];
      m[at] = 0.23 * size * b[at - from];
      v[at] = size * size * (1 + 0.02 * a[at - from] * b[at - from]);
    }
  });
}

/**
 * One step of AdamW in single precision, in torch's order of operations, on noise as gradients; with `bf16` these have
 * 16 bits.
 */
export function adamwStep({ w, m, v }, noise, step, { bf16 = false, settings = SETTINGS } = {}) {
  const { lr, beta1, beta2, eps, weight_decay } = settings;
  const rest1 = f(1 - beta1);
  const [keep2, rest2] = [f(beta2), f(1 - beta2)];
  const scale = f(-(lr / (1 - beta1 ** step)));
  const root = f(Math.sqrt(1 - beta2 ** step));
  const kept = f(1 - lr * weight_decay);
  const small = f(eps);
  inPieces(w.length, noise, 1, (from, to, [deviates]) => {
    for (let at = from; at < to; at++) deviates[at - from] *= Math.sqrt(v[at]);
    if (bf16) shorten(deviates);
    for (let at = from; at < to; at++) {
      const gradient = deviates[at - from];
      const first = f(f(rest1 * f(gradient - m[at])) + m[at]);
      const second = f(f(f(rest2 * gradient) * gradient) + f(v[at] * keep2));
      m[at] = first;
      v[at] = second;
      const denominator = f(f(f(Math.sqrt(second)) / root) + small);
      w[at] = f(f(w[at] * kept) + f(f(scale * first) / denominator));
    }
  });
}

/** Settings of torch's SparseAdam, which has no weight decay. */
export const SPARSE_SETTINGS = { lr: 3e-4, beta1: 0.9, beta2: 0.999, eps: 1e-8 };

/** One step of SparseAdam on rows that have a gradient, in its order of operations. */
export function sparseAdamStep({ w, m, v }, noise, step) {
  const { lr, beta1, beta2, eps } = SPARSE_SETTINGS;
  const [rest1, rest2] = [f(1 - beta1), f(1 - beta2)];
  const scale = f((-lr * Math.sqrt(1 - beta2 ** step)) / (1 - beta1 ** step));
  const small = f(eps);
  inPieces(w.length, noise, 1, (from, to, [deviates]) => {
    for (let at = from; at < to; at++) {
      const gradient = f(Math.sqrt(v[at]) * deviates[at - from]);
      m[at] = f(f(f(gradient - m[at]) * rest1) + m[at]);
      v[at] = f(f(f(f(gradient * gradient) - v[at]) * rest2) + v[at]);
      w[at] = f(w[at] + f(scale * f(m[at] / f(f(Math.sqrt(v[at])) + small))));
    }
  });
}

/** One step of SGD with momentum as torch takes it; `v` are the mean squares of the gradients' noise. */
export function momentumStep({ w, buffer, v }, noise) {
  const { lr, momentum } = SGD_SETTINGS;
  inPieces(w.length, noise, 1, (from, to, [deviates]) => {
    for (let at = from; at < to; at++) {
      const gradient = f(0.1 * buffer[at] + 0.15 * Math.sqrt(v[at]) * deviates[at - from]);
      buffer[at] = f(f(buffer[at] * f(momentum)) + gradient);
      w[at] = f(w[at] + f(f(-lr) * buffer[at]));
    }
  });
}

function shorten(values) {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  for (let at = 0; at < bits.length; at++)
    bits[at] = (bits[at] + 0x7fff + ((bits[at] >>> 16) & 1)) & 0xffff0000;
}

/** As `steps` steps at once, by their sums: not bit for bit what single steps give, but as far away and as random. */
export function adamwFar({ w, m, v }, noise, steps) {
  const { lr, beta1, beta2, weight_decay } = SETTINGS;
  const kept = beta1 ** steps;
  const fresh = (1 - beta1) * Math.sqrt((1 - kept * kept) / (1 - beta1 * beta1));
  const turnover = Math.sqrt((2 * (1 - beta2 ** (2 * steps))) / (1 - beta2 * beta2)) * (1 - beta2);
  const walk = lr * Math.min(steps, Math.sqrt(steps * 10)) * 0.23;
  inPieces(w.length, noise, 3, (from, to, [a, b, c]) => {
    for (let at = from; at < to; at++) {
      const size = Math.sqrt(v[at]);
      m[at] = kept * m[at] + fresh * size * a[at - from];
      w[at] = w[at] * (1 - lr * weight_decay * steps) - walk * (0.7 * a[at - from] + 0.7 * c[at - from]);
      v[at] *= 1 + turnover * b[at - from];
    }
  });
}

/** Rounds fp32 to bf16, to nearest even. */
export function toBf16(values) {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const halves = new Uint16Array(bits.length);
  for (let at = 0; at < bits.length; at++) halves[at] = (bits[at] + 0x7fff + ((bits[at] >>> 16) & 1)) >>> 16;
  return halves;
}

/** The parameters of a transformer of four blocks: names and shapes, 52 of them, about `elements` in all. */
export function transformerShapes(elements) {
  const width = Math.max(8, Math.round(Math.sqrt(elements / 58) / 8) * 8);
  const block = (index) =>
    Object.entries({
      'ln1.weight': [width],
      'ln1.bias': [width],
      'qkv.weight': [3 * width, width],
      'qkv.bias': [3 * width],
      'out.weight': [width, width],
      'out.bias': [width],
      'ln2.weight': [width],
      'ln2.bias': [width],
      'up.weight': [4 * width, width],
      'up.bias': [4 * width],
      'down.weight': [width, 4 * width],
      'down.bias': [width],
    }).map(([name, shape]) => [`blocks.${index}.${name}`, shape]);
  return [
    ['tok.weight', [9 * width, width]],
    ['pos.weight', [width, width]],
    ...[0, 1, 2, 3].flatMap(block),
    ['ln.weight', [width]],
    ['ln.bias', [width]],
  ];
}

export function elementsOf(shape) {
  return shape.reduce((product, length) => product * length, 1);
}
