/** One step of optimizers beyond SGD and Adam, in single precision as training frameworks take it, and the predictions that fit. */

import type { Prediction, Rule } from '../../src/codec/index.js';
import type { DType } from '../../src/tensor/index.js';
import { bytesOf, RULES, shortened, spread } from './optimizer-steps.js';

const f = Math.fround;

export interface KinStep {
  readonly what: string;
  readonly raw: Uint8Array;
  readonly dtype: DType;
  readonly prediction: Prediction;
  /** Bits for each element that may be left; the gradients, where the record holds them. */
  readonly bits: number;
}

function step(
  what: string,
  raw: Float32Array,
  rule: Rule,
  inputs: readonly Float32Array[],
  bits: number,
): KinStep {
  return { what, raw: bytesOf(raw), dtype: 'f32', prediction: { rule, inputs: inputs.map(bytesOf) }, bits };
}

/** All steps over `length` lanes. */
export function kinSteps(length: number): KinStep[] {
  const [w0, m0, g, root0] = [11, 12, 13, 14].map((seed) => spread(length, seed));
  const v0 = root0.map((value) => value * value);
  return [
    ...lion(w0, m0, g),
    ...sparseAdam(w0, m0, v0, g),
    ...nadam(w0, m0, v0, g),
    ...averages(w0, m0, v0, g),
    ...gradientsOf16Bits(w0, m0, g),
    ...squares(w0, v0, g),
  ];
}

type Lanes = Float32Array;

function lion(w0: Lanes, m0: Lanes, g: Lanes): KinStep[] {
  const rule = { kind: 'lion-weights', lr: 1e-4, beta1: 0.9, beta2: 0.99, weightDecay: 0.1 } as const;
  const m = m0.map((before, lane) => f(f(before * f(0.99)) + f(f(0.01) * g[lane])));
  const w = w0.map((before, lane) => {
    const sign = Math.sign(f(f(m0[lane] * f(0.9)) + f(f(0.1) * g[lane])));
    return f(f(before * f(1 - 1e-5)) + f(f(-1e-4) * sign));
  });
  return [step('Lion weights', w, rule, [w0, m, m0], 0.1)];
}

/** SparseAdam: one row in eight of 32 lanes has a gradient. */
function sparseAdam(w0: Lanes, m0: Lanes, v0: Lanes, g: Lanes): KinStep[] {
  const rule = { ...RULES.adamWeights, kind: 'lazy-adam-weights', weightDecay: 0, lr: 1e-3 } as const;
  const { beta1, beta2, eps, lr } = rule;
  const isTouched = (lane: number) => (lane >> 5) % 8 === 0;
  const size = f(-(lr * Math.sqrt(1 - beta2 ** rule.step)) / (1 - beta1 ** rule.step));
  const rest1 = f(1 - beta1);
  const rest2 = f(1 - beta2);
  const m = m0.map((before, lane) => (isTouched(lane) ? f(before + f(f(g[lane] - before) * rest1)) : before));
  const v = v0.map((before, lane) =>
    isTouched(lane) ? f(before + f(f(f(g[lane] * g[lane]) - before) * rest2)) : before,
  );
  const w = w0.map((before, lane) =>
    isTouched(lane) ? f(before + f(size * f(m[lane] / f(f(Math.sqrt(v[lane])) + f(eps))))) : before,
  );
  return [
    step('second moment of rows', v, { kind: 'adam-second-moment', beta1, beta2 }, [v0, m, m0], 0.6),
    step('weights of rows', w, rule, [w0, m, v, m0], 0.2),
  ];
}

function nadam(w0: Lanes, m0: Lanes, v0: Lanes, g: Lanes): KinStep[] {
  const rule: Rule = { ...RULES.adamWeights, kind: 'nadam-weights', momentumDecay: 0.004, weightDecay: 0 };
  const { lr, beta1, beta2, eps, momentumDecay, step: t } = rule;
  const momentum = (at: number) => beta1 * (1 - 0.5 * 0.96 ** (at * momentumDecay));
  let product = 1;
  for (let at = 1; at <= t; at++) product *= momentum(at);
  const ahead = f((-lr * (1 - momentum(t))) / (1 - product));
  const scale = f((-lr * momentum(t + 1)) / (1 - product * momentum(t + 1)));
  const m = m0.map((before, lane) => f(f(1 - beta1) * f(g[lane] - before) + before));
  const v = v0.map((before, lane) => f(f(f(1 - beta2) * g[lane]) * g[lane] + f(before * f(beta2))));
  const w = w0.map((before, lane) => {
    const d = f(f(Math.sqrt(f(v[lane] / f(1 - beta2 ** t)))) + f(eps));
    return f(f(before + f(f(ahead * g[lane]) / d)) + f(f(scale * m[lane]) / d));
  });
  return [step('NAdam weights', w, rule, [w0, m, v, m0], 2)];
}

function averages(w: Lanes, average0: Lanes, v0: Lanes, v: Lanes): KinStep[] {
  const average = average0.map((before, lane) => f(f(before * f(0.995)) + f(f(1 - 0.995) * w[lane])));
  const faded = average0.map((before, lane) => f(before * f(0.9)) + (lane % 100 === 0 ? 1e-3 : 0));
  const largest = v0.map((before, lane) => Math.max(before, v[lane]));
  return [
    step('average, its decay on record', average, { kind: 'average', decay: 0.995 }, [average0, w], 0.1),
    step('average, its decay unknown', average, { kind: 'average', decay: 0.9 }, [average0, w], 0.1),
    step('faded moment', faded, { kind: 'faded-moment', kept: 0.9, added: 0.1 }, [average0], 1),
    step('maximum', largest, { kind: 'maximum' }, [v0, v], 0.1),
  ];
}

function gradientsOf16Bits(w0: Lanes, m0: Lanes, g: Lanes): KinStep[] {
  const rule = {
    kind: 'gradient-moment',
    kept: 0.9,
    added: 1,
    gradients: 'bf16',
    scale: 1,
    weightDecay: 0,
  } as const;
  const adam = { ...rule, added: 1 - 0.9 };
  const bf16 = shortened(g, 'bf16');
  const clip = f(0.7312345);
  const lerp = (gradients: Lanes) =>
    m0.map((before, lane) => f(f(1 - 0.9) * f(gradients[lane] - before) + before));
  const buffer = (gradients: Lanes) => m0.map((before, lane) => f(f(before * f(0.9)) + gradients[lane]));
  const decayed = bf16.map((gradient, lane) => f(f(1e-3) * w0[lane] + gradient));
  // A loss scaled by 4096: small gradients have the precision that f16 leaves them.
  const f16 = shortened(
    g.map((gradient) => gradient * 4096),
    'f16',
  ).map((gradient) => gradient / 4096);
  return [
    step('buffer of bf16 gradients', buffer(bf16), rule, [m0], 13),
    step('buffer of bf16 gradients and decay', buffer(decayed), { ...rule, weightDecay: 1e-3 }, [m0, w0], 13),
    step('moment of clipped bf16 gradients', lerp(bf16.map((gradient) => gradient * clip)), adam, [m0], 13),
    step('moment of unscaled f16 gradients', lerp(f16), adam, [m0], 15.5),
  ];
}

function squares(w0: Lanes, s0: Lanes, g: Lanes): KinStep[] {
  const shared = { kind: 'step-square', kept: 1, added: -1e-3 } as const;
  const moved = (s: Lanes, eps: number) =>
    w0.map((before, lane) => f(before + f(f(f(-1e-3) * g[lane]) / f(f(Math.sqrt(s[lane])) + f(eps)))));
  const rms = s0.map((before, lane) => f(f(f(0.01) * g[lane]) * g[lane] + f(before * f(0.99))));
  const sum = s0.map((before, lane) => f(before + f(g[lane] * g[lane])));
  const rmsRule = { ...shared, squareKept: 0.99, squareAdded: 0.01, eps: 1e-8 };
  // TensorFlow has eps under the root, and the rate in the buffer.
  const mean = s0.map((before, lane) => f(f(before * f(0.9)) + f(f(g[lane] * g[lane]) * f(1 - 0.9))));
  const taken = mean.map((s, lane) => f(f(g[lane] * f(1e-3)) / f(Math.sqrt(f(s + f(1e-7))))));
  const meanRule = { ...shared, kept: 0, added: 1e-3, squareKept: 0.9, squareAdded: 1 - 0.9, eps: 1e-7 };
  const sumRule = { ...shared, squareKept: 1, squareAdded: 1, eps: 1e-10 };
  return [
    step('mean of squares of RMSprop', rms, rmsRule, [s0, moved(rms, 1e-8), w0], 9),
    step('mean of squares of RMSprop in TensorFlow', mean, meanRule, [s0, taken, w0], 4),
    step('sum of squares of Adagrad', sum, sumRule, [s0, moved(sum, 1e-10), w0], 9),
  ];
}
