/** What update rules say of moments, the plain twin of assembly/predict-moments.ts. */

import {
  floats,
  gradient,
  keepLanes,
  lanewise,
  mixed,
  type Predict,
  sameBits,
  shortened,
  store,
} from './reference-arithmetic.js';
import {
  narrowToBf16Reference,
  narrowToF16Reference,
  widenBf16Reference,
  widenF16Reference,
} from './reference-cast.js';

const f = Math.fround;

const denseSecondMoment = lanewise((order, [beta1, rest1, beta2, rest2], v0, m, m0) => {
  const drop = [0, 16, 13][(order >> 1) & 3];
  const recovered = gradient(m, m0, beta1, 1 / rest1, (order & 1) === 1);
  const g = drop === 0 ? recovered : shortened(recovered, drop);
  return squareAdded(v0, g, beta2, rest2, (order >> 3) & 7);
});

export const secondMoments: Predict = (order, constants, inputs, output) => {
  denseSecondMoment(order, constants, inputs, output);
  const [before, m, m0] = inputs;
  if (order >> 6 !== 0) keepLanes(output, before, (first, last) => sameBits(m, m0, first, last));
};

function squareAdded(v0: number, g: number, beta: number, rest: number, sum: number): number {
  const square = sum % 2 === 0 ? f(f(rest * g) * g) : f(rest * f(g * g));
  if (sum === 0) return f(f(rest * g) * g + f(v0 * beta));
  if (sum === 1) return f(rest * f(g * g) + f(v0 * beta));
  if (sum < 4) return f(f(v0 * beta) + square);
  if (sum < 6) return f(v0 * beta + square);
  const apart = f(f(g * g) - v0);
  return sum === 6 ? f(v0 + f(rest * apart)) : f(rest * apart + v0);
}

/**
 * With u the step, the root r of the new mean solves r * r = beta * s0 + rest * u * u * (r + eps) * (r + eps); the mean itself solves
 * s = beta * s0 + rest * u * u * (s + eps) where eps is under the root.
 */
export const stepSquares: Predict = lanewise((order, [kept, rest1, beta, rest, eps], s0, x, x0) => {
  const u = (x - kept * x0) * (1 / rest1);
  const c = rest * (u * u);
  const left = 1 - c;
  if ((order & 8) !== 0)
    return squareAdded(s0, f(u * Math.sqrt((beta * s0 + eps) / left)), beta, rest, order & 7);
  const lost = c * eps;
  const root = Math.sqrt(lost * lost + left * (lost * eps + beta * s0));
  return squareAdded(s0, f(u * ((lost + root) / left + eps)), beta, rest, order);
});

export const fadedMoments: Predict = lanewise((order, [beta, rest], m0) => mixed(m0, 0, beta, rest, order));

export const firstMoments: Predict = (order, [beta, rest], [before, gradients], output) => {
  const [m0, g] = [floats(before), widened(gradients, false)];
  store(output, m0.length, (lane) => mixed(m0[lane], g[lane], beta, rest, order));
};

export const scaledMoments: Predict = (order, [beta, rest, scale], [before, gradients], output) => {
  const [m0, g] = [floats(before), widened(gradients, (order & 8) !== 0)];
  store(output, m0.length, (lane) => mixed(m0[lane], f(scale * g[lane]), beta, rest, order & 7));
};

export const decayedMoments: Predict = (order, constants, [before, weights, gradients], output) => {
  const [beta, rest, scale, decay] = constants;
  const [m0, w0, g16] = [floats(before), floats(weights), widened(gradients, (order & 8) !== 0)];
  store(output, m0.length, (lane) => {
    const own = f(scale * g16[lane]);
    const g = order < 16 ? f(decay * w0[lane] + own) : f(own + f(decay * w0[lane]));
    return mixed(m0[lane], g, beta, rest, order & 7);
  });
};

function widened(halves: Uint8Array, isF16: boolean): Float32Array {
  const wide = new Uint8Array(halves.length * 2);
  (isF16 ? widenF16Reference : widenBf16Reference)(halves, wide);
  return new Float32Array(wide.buffer);
}

/** The bf16 gradients that led from m0 to m, for the encoder. */
export const recoveredGradients: Predict = (order, [beta, rest], inputs, output) => {
  const [m, m0] = inputs.map(floats);
  const wide = new Uint8Array(m.length * 4);
  store(wide, m.length, (lane) => gradient(m[lane], m0[lane], beta, 1 / rest, order >= 2));
  narrowToBf16Reference(wide, output);
};

/** The same for the gradients of scaled moments and, with the weights before, of decayed ones. */
export const recoveredScaled: Predict = (order, constants, inputs, output) => {
  const [beta, rest, scale, decay = 0] = constants;
  const [m, m0, w0 = new Float32Array(m.length)] = inputs.map(floats);
  const wide = new Uint8Array(m.length * 4);
  store(wide, m.length, (lane) => {
    const g = (m[lane] - beta * m0[lane]) * (1 / rest);
    return (g - decay * w0[lane]) * (1 / scale);
  });
  ((order & 8) !== 0 ? narrowToF16Reference : narrowToBf16Reference)(wide, output);
};
