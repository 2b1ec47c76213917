/** One step of an optimizer in single precision, as training frameworks take it, with the predictions that fit. */
import type {
  AdamWeightsRule,
  GradientMomentRule,
  MomentumWeightsRule,
  Prediction,
} from '../../src/codec/index.js';
import { loadKernels } from '../../src/kernels/index.js';
import { randomNumbers } from '../kernels/kernel-inputs.js';

const f = Math.fround;

const ADAM_WEIGHTS: AdamWeightsRule = {
  kind: 'adam-weights',
  lr: 3e-4,
  beta1: 0.9,
  beta2: 0.95,
  eps: 1e-8,
  weightDecay: 0.1,
  decoupled: true,
  step: 40,
};

const MOMENTUM_WEIGHTS: MomentumWeightsRule = {
  kind: 'momentum-weights',
  lr: 0.05,
  momentum: 0.9,
  dampening: 0,
  nesterov: false,
};

/** A moment whose gradients are bf16 values as they are. */
export function gradientMoment(kept: number, added: number): GradientMomentRule {
  return { kind: 'gradient-moment', kept, added, gradients: 'bf16', scale: 1, weightDecay: 0 };
}

export const RULES = { adamWeights: ADAM_WEIGHTS, momentumWeights: MOMENTUM_WEIGHTS };

export function bytesOf(values: Float32Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

/** Numbers of several magnitudes around 0.02. */
export function spread(length: number, seed: number): Float32Array {
  const next = randomNumbers(seed);
  const uniform = () => next() / 2 ** 31 - 1;
  return Float32Array.from({ length }, () => 0.04 * uniform() * uniform() * uniform());
}

export function castOf(master: Uint8Array, dtype: 'bf16' | 'f16'): Uint8Array {
  const copy = new Uint8Array(master.length / 2);
  const kernels = loadKernels('typescript');
  for (let start = 0; start < master.length; start += 4096) {
    const part = master.subarray(start, start + 4096);
    const output = copy.subarray(start / 2, (start + part.length) / 2);
    kernels.predict(`narrow-${dtype}`, 0, new Float32Array(0), [part], output);
  }
  return copy;
}

/** Numbers with the precision of a type of 16 bits. */
export function shortened(values: Float32Array, dtype: 'bf16' | 'f16'): Float32Array {
  const halves = castOf(bytesOf(values), dtype);
  const wide = new Uint8Array(values.length * 4);
  const kernels = loadKernels('typescript');
  for (let at = 0; at < wide.length; at += 4096) {
    const output = wide.subarray(at, at + 4096);
    kernels.predict(
      `widen-${dtype}`,
      0,
      new Float32Array(0),
      [halves.subarray(at / 2, at / 2 + output.length / 2)],
      output,
    );
  }
  return new Float32Array(wide.buffer);
}

/** Adam or AdamW of torch 2 on a processor with fused multiply-add; the gradients are bf16 values, of this size if not their own. */
export function adamStep(length: number, seed: number, rule = ADAM_WEIGHTS, size = 1) {
  const { lr, beta1, beta2, eps, weightDecay, decoupled, step } = rule;
  const w0 = spread(length, seed);
  const [m0, root0, g0] = [1, 2, 3].map((index) => spread(length, seed + index).map((value) => value * size));
  const v0 = root0.map((value) => value * value);
  const short = shortened(g0, 'bf16');
  const g = decoupled ? short : short.map((value, lane) => f(f(weightDecay) * w0[lane]) + value);
  const m = m0.map((before, lane) => f(f(1 - beta1) * f(g[lane] - before) + before));
  const rest2 = f(1 - beta2);
  const v = v0.map((before, lane) => f(f(rest2 * g[lane]) * g[lane] + f(before * f(beta2))));
  const scale = f(-(lr / (1 - beta1 ** step)));
  const root = f(Math.sqrt(1 - beta2 ** step));
  const w = w0.map((before, lane) => {
    const denominator = f(f(f(Math.sqrt(v[lane])) / root) + f(eps));
    return f(f(before * f(1 - (decoupled ? lr * weightDecay : 0))) + f(f(scale * m[lane]) / denominator));
  });
  const [bm, bm0, bv, bv0, bw, bw0] = [m, m0, v, v0, w, w0].map(bytesOf);
  const predictions: Record<'m' | 'v' | 'w', Prediction> = {
    m: { rule: gradientMoment(beta1, 1 - beta1), inputs: [bm0] },
    v: { rule: { kind: 'adam-second-moment', beta1, beta2 }, inputs: [bv0, bm, bm0] },
    w: { rule, inputs: [bw0, bm, bv] },
  };
  return { w: bw, m: bm, v: bv, predictions };
}

/** SGD with momentum of torch; the gradients are of full precision. */
export function momentumStep(length: number, seed: number, nesterov: boolean) {
  const { lr, momentum } = MOMENTUM_WEIGHTS;
  const [w0, buffer0, g] = [0, 1, 2].map((index) => spread(length, seed + index));
  const buffer = buffer0.map((before, lane) => f(f(before * f(momentum)) + g[lane]));
  const w = w0.map((before, lane) => {
    const ahead = nesterov ? f(f(momentum) * buffer[lane] + g[lane]) : buffer[lane];
    return f(f(-lr) * ahead + before);
  });
  const inputs = nesterov ? [w0, buffer, buffer0] : [w0, buffer];
  const rule = { ...MOMENTUM_WEIGHTS, nesterov };
  return { w: bytesOf(w), prediction: { rule, inputs: inputs.map(bytesOf) } };
}
