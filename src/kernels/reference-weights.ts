/** What update rules say of weights, the plain twin of assembly/predict-weights.ts. */

import { gradient, keepLanes, lanewise, type Predict, sameBits } from './reference-arithmetic.js';

const f = Math.fround;

export const adamWeights: Predict = lanewise((order, [decay, scale, bias1, bias2, eps], w, m, v) => {
  const d = denominator(v, bias2, eps, (order >> 2) & 3);
  const kind = (order >> 4) & 7;
  const k = { decay, scale, bias1 };
  if (order < 128) return updated(decayed(w, decay, order & 3), w, m, d, k, kind);
  const isJoint = (order & 3) === 0;
  const next = isJoint
    ? updated(w, w, m, f(bias1 * d), { ...k, bias1: 1 }, kind)
    : updated(w, w, m, d, k, kind);
  return decayed(next, decay, order & 3);
});

/** The weights stay where the first moment stayed: the row had no gradient. */
export const lazyAdamWeights: Predict = (order, constants, [w, m, v, m0], output) => {
  adamWeights(order, constants, [w, m, v], output);
  keepLanes(output, w, (first, last) => sameBits(m, m0, first, last));
};

function decayed(w: number, decay: number, kind: number): number {
  if (kind === 0) return w;
  if (kind === 1) return f(w * decay);
  return kind === 2 ? f(w - f(decay * w)) : f(-decay * w + w);
}

function denominator(v: number, bias: number, eps: number, kind: number): number {
  if (kind === 2) return f(f(Math.sqrt(f(v / bias))) + eps);
  const root = f(Math.sqrt(v));
  if (kind === 3) return f(root * bias + eps);
  return f(f(kind === 0 ? root / bias : root * bias) + eps);
}

function updated(
  p: number,
  w: number,
  m: number,
  d: number,
  { decay, scale, bias1 }: { decay: number; scale: number; bias1: number },
  kind: number,
): number {
  const unbiased = f(f(m / bias1) / d);
  switch (kind) {
    case 0:
      return f(p + f(f(scale * m) / d));
    case 1:
      return f(p + f(scale * f(m / d)));
    case 2:
      return f(scale * f(m / d) + p);
    case 3:
      return f(p + f(scale * unbiased));
    case 4:
      return f(scale * unbiased + p);
    case 5:
      return f(p + f(scale * f(unbiased + f(decay * w))));
    case 6:
      return f(scale * f(decay * w + unbiased) + p);
    default:
      return f(p + f(m / d));
  }
}

export const nadamWeights: Predict = lanewise((order, k, w, m, v, m0) => {
  const [decay, ahead, scale, bias2, eps, beta1, rest1] = k;
  const g = gradient(m, m0, beta1, 1 / rest1, false);
  const d = denominator(v, bias2, eps, (order >> 2) & 3);
  const isQuotientFirst = order >> 4 !== 0;
  const added = (p: number, by: number, x: number) =>
    f(p + (isQuotientFirst ? f(by * f(x / d)) : f(f(by * x) / d)));
  return added(added(decayed(w, decay, order & 3), ahead, g), scale, m);
});

export const momentumWeights: Predict = lanewise((order, [scale], w, buffer) =>
  stepped(w, buffer, scale, order),
);

export const nesterovWeights: Predict = lanewise((order, [scale, momentum, rest], w, buffer, buffer0) => {
  const g = gradient(buffer, buffer0, momentum, 1 / rest, true);
  const ahead = order === 1 ? f(momentum * buffer + g) : f(g + f(momentum * buffer));
  return stepped(w, ahead, scale, order);
});

function stepped(w: number, direction: number, scale: number, order: number): number {
  return order === 1 ? f(scale * direction + w) : f(w + f(scale * direction));
}

export const lionWeights: Predict = lanewise((order, [decay, scale, ratio], w, m, m0) => {
  const direction = f(m0 + ratio * (m - m0));
  const sign = direction > 0 ? 1 : direction < 0 ? -1 : direction;
  if (order === 4) return f(w + f(scale * f(sign + f(decay * w))));
  return f(decayed(w, decay, order) + f(scale * sign));
});
