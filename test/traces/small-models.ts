/**
 * Three small models, trained here: what other architectures and optimizers than those of the shared traces do to a
 * checkpoint. Gradients are those of real losses; optimizers round each operation to fp32, in the order in which torch does.
 */
import type { StateValue } from '../../src/index.js';

const f = Math.fround;

/** Numbers in [0, 1): mulberry32. */
export function randomSource(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Parameters by name, with their gradients; a gradient stays 0 where a step does not touch it. */
export interface Model {
  readonly weights: ReadonlyMap<string, Float32Array>;
  readonly gradients: ReadonlyMap<string, Float32Array>;
  /** Draws a batch and fills the gradients. */
  backward(): void;
}

function parameters(shapes: Record<string, number>, scale: number, random: () => number) {
  const weights = new Map<string, Float32Array>();
  const gradients = new Map<string, Float32Array>();
  for (const [name, length] of Object.entries(shapes)) {
    const values = Float32Array.from({ length }, () => scale * (random() + random() + random() - 1.5));
    weights.set(name, values);
    gradients.set(name, new Float32Array(length));
  }
  const weight = (name: string) => weights.get(name) ?? new Float32Array(0);
  const gradient = (name: string) => gradients.get(name) ?? new Float32Array(0);
  const reset = () => {
    for (const values of gradients.values()) values.fill(0);
  };
  return { weights, gradients, weight, gradient, reset };
}

/** `y = x W`, W by rows of inputs. */
function forward(x: ArrayLike<number>, w: Float32Array, outputs: number): Float64Array {
  const y = new Float64Array(outputs);
  for (let i = 0; i < x.length; i++) {
    if (x[i] !== 0) for (let o = 0; o < outputs; o++) y[o] += x[i] * w[i * outputs + o];
  }
  return y;
}

/** Adds to the gradient of W, and returns that of `x`. */
function backward(x: ArrayLike<number>, w: Float32Array, dw: Float32Array, dy: Float64Array): Float64Array {
  const dx = new Float64Array(x.length);
  for (let i = 0; i < x.length; i++) {
    for (let o = 0, at = i * dy.length; o < dy.length; o++, at++) {
      dx[i] += w[at] * dy[o];
      dw[at] += x[i] * dy[o];
    }
  }
  return dx;
}

/** Gradient of the cross entropy of one sample, divided by the size of the batch. */
function lossGradient(logits: Float64Array, label: number, batch: number): Float64Array {
  const top = Math.max(...logits);
  const shares = logits.map((logit) => Math.exp(logit - top));
  const sum = shares.reduce((total, share) => total + share, 0);
  return shares.map((share, index) => (share / sum - (index === label ? 1 : 0)) / batch);
}

/** A classifier of ten noisy patterns: two layers. */
export function classifier(seed: number): Model {
  const [inputs, hidden, classes, batch] = [128, 192, 10, 12];
  const random = randomSource(seed);
  const { weights, gradients, weight, gradient, reset } = parameters(
    { 'first.weight': inputs * hidden, 'second.weight': hidden * hidden, 'head.weight': hidden * classes },
    0.1,
    random,
  );
  const patterns = Array.from({ length: classes }, () =>
    Array.from({ length: inputs }, () => random() - 0.5),
  );
  const layers: [string, number][] = [
    ['first.weight', hidden],
    ['second.weight', hidden],
    ['head.weight', classes],
  ];
  const sample = () => {
    const label = Math.floor(random() * classes);
    const values: ArrayLike<number>[] = [patterns[label].map((value) => value + 3 * (random() - random()))];
    for (const [name, outputs] of layers) {
      const y = forward(values[values.length - 1], weight(name), outputs);
      values.push(outputs === classes ? y : y.map((value) => Math.max(value, 0)));
    }
    let dy = lossGradient(Float64Array.from(values[layers.length]), label, batch);
    for (let layer = layers.length - 1; layer >= 0; layer--) {
      const [name] = layers[layer];
      const x = values[layer];
      const dx = backward(x, weight(name), gradient(name), dy);
      dy = dx.map((value, index) => (x[index] > 0 ? value : 0));
    }
  };
  return {
    weights,
    gradients,
    backward() {
      reset();
      for (let at = 0; at < batch; at++) sample();
    },
  };
}

/** A recurrent network that learns the next symbol of a sequence: gradients through time. */
export function recurrent(seed: number): Model {
  const [symbols, width, length, batch] = [32, 160, 12, 2];
  const random = randomSource(seed);
  const { weights, gradients, weight, gradient, reset } = parameters(
    { 'embedding.weight': symbols * width, 'cell.weight': width * width, 'head.weight': width * symbols },
    0.08,
    random,
  );
  const following = Array.from({ length: symbols }, () => Math.floor(random() * symbols));
  const next = (symbol: number) => (random() < 0.7 ? following[symbol] : Math.floor(random() * symbols));
  const sequence = () => {
    const text = [Math.floor(random() * symbols)];
    while (text.length <= length) text.push(next(text[text.length - 1]));
    const states = [new Float64Array(width)];
    for (let at = 0; at < length; at++) {
      const inputs = weight('embedding.weight').subarray(text[at] * width, (text[at] + 1) * width);
      const sums = forward(states[at], weight('cell.weight'), width);
      states.push(sums.map((sum, index) => Math.tanh(sum + inputs[index])));
    }
    let later = new Float64Array(width);
    for (let at = length; at > 0; at--) {
      const logits = forward(states[at], weight('head.weight'), symbols);
      const dy = lossGradient(logits, text[at], batch * length);
      const own = backward(states[at], weight('head.weight'), gradient('head.weight'), dy);
      const dSums = own.map((value, index) => (value + later[index]) * (1 - states[at][index] ** 2));
      const row = text[at - 1] * width;
      for (let index = 0; index < width; index++) gradient('embedding.weight')[row + index] += dSums[index];
      later = Float64Array.from(
        backward(states[at - 1], weight('cell.weight'), gradient('cell.weight'), dSums),
      );
    }
  };
  return {
    weights,
    gradients,
    backward() {
      reset();
      for (let at = 0; at < batch; at++) sequence();
    },
  };
}

/** Two tables of factors, of which a step touches few rows: users and items of a recommender. */
export function factors(seed: number): Model {
  const [rows, width, batch] = [2_000, 32, 24];
  const random = randomSource(seed);
  const { weights, gradients, weight, gradient, reset } = parameters(
    { 'users.weight': rows * width, 'items.weight': rows * width },
    0.1,
    random,
  );
  return {
    weights,
    gradients,
    backward() {
      reset();
      for (let at = 0; at < batch; at++) {
        const places = ['users.weight', 'items.weight'].map((name) => {
          const row = Math.floor(random() * rows);
          const [start, end] = [row * width, (row + 1) * width];
          return { row, w: weight(name).subarray(start, end), dw: gradient(name).subarray(start, end) };
        });
        const [user, item] = places;
        const score = user.w.reduce((sum, value, index) => sum + value * item.w[index], 0);
        const error = score - ((user.row * 7 + item.row * 13) % 5 < 2 ? 1 : 0);
        for (let index = 0; index < width; index++) {
          user.dw[index] += error * item.w[index];
          item.dw[index] += error * user.w[index];
        }
      }
    },
  };
}

/** What an optimizer does to one parameter: `slots` are its arrays, `step` counts from 1. */
export interface Optimizer {
  readonly slots: readonly string[];
  readonly settings: { readonly [name: string]: StateValue };
  apply(w: Float32Array, g: Float32Array, slots: readonly Float32Array[], step: number): void;
}

const sum = (a: number, b: number) => f(a + b);
const product = (a: number, b: number) => f(a * b);
/** A fused multiply-add of floats; the product is exact. */
const fma = (a: number, b: number, c: number) => f(a * b + c);

/** torch's SGD: `buffer = buffer * momentum + g`, `w += -lr * buffer`. */
export function momentum(lr: number, factor: number): Optimizer {
  return {
    slots: ['momentum_buffer'],
    settings: { lr, momentum: factor, dampening: 0, nesterov: false, weight_decay: 0 },
    apply(w, g, [buffer]) {
      for (let at = 0; at < w.length; at++) {
        buffer[at] = sum(product(buffer[at], f(factor)), g[at]);
        w[at] = fma(f(-lr), buffer[at], w[at]);
      }
    },
  };
}

/** Lion: only the sign of the blended gradient counts. */
export function lion(lr: number, decay: number): Optimizer {
  const [beta1, beta2] = [0.9, 0.99];
  return {
    slots: ['exp_avg'],
    settings: { lr, betas: [beta1, beta2], weight_decay: decay },
    apply(w, g, [average]) {
      for (let at = 0; at < w.length; at++) {
        const blend = fma(f(1 - beta1), g[at], product(average[at], f(beta1)));
        w[at] = sum(product(w[at], f(1 - lr * decay)), product(f(-lr), Math.sign(blend)));
        average[at] = fma(f(1 - beta2), g[at], product(average[at], f(beta2)));
      }
    },
  };
}

/** AdamW with amsgrad: divides by the largest second moment so far. */
export function amsgrad(lr: number, decay: number): Optimizer {
  const [beta1, beta2, eps] = [0.9, 0.999, 1e-8];
  return {
    slots: ['exp_avg', 'exp_avg_sq', 'max_exp_avg_sq'],
    settings: { lr, betas: [beta1, beta2], eps, weight_decay: decay, amsgrad: true },
    apply(w, g, [m, v, most], step) {
      const scale = f(-(lr / (1 - beta1 ** step)));
      const root = f(Math.sqrt(1 - beta2 ** step));
      for (let at = 0; at < w.length; at++) {
        m[at] = fma(f(1 - beta1), f(g[at] - m[at]), m[at]);
        v[at] = fma(product(f(1 - beta2), g[at]), g[at], product(v[at], f(beta2)));
        most[at] = Math.max(most[at], v[at]);
        const denominator = sum(f(f(Math.sqrt(most[at])) / root), f(eps));
        w[at] = sum(product(w[at], f(1 - lr * decay)), f(product(scale, m[at]) / denominator));
      }
    },
  };
}

/** torch's SparseAdam: rows without a gradient stay as they are. */
export function lazyAdam(lr: number, width: number): Optimizer {
  const [beta1, beta2, eps] = [0.9, 0.999, 1e-8];
  return {
    slots: ['exp_avg', 'exp_avg_sq'],
    settings: { lr, betas: [beta1, beta2], eps },
    apply(w, g, [m, v], step) {
      const scale = f(-(lr * Math.sqrt(1 - beta2 ** step)) / (1 - beta1 ** step));
      for (let row = 0; row < w.length; row += width) {
        if (g[row] === 0 && g[row + 1] === 0) continue;
        for (let at = row; at < row + width; at++) {
          m[at] = sum(product(f(g[at] - m[at]), f(1 - beta1)), m[at]);
          v[at] = sum(product(f(product(g[at], g[at]) - v[at]), f(1 - beta2)), v[at]);
          w[at] = sum(w[at], product(scale, f(m[at] / sum(f(Math.sqrt(v[at])), f(eps)))));
        }
      }
    },
  };
}

/** Trains and returns the states after `steps` steps and one more, as torch lays out model and optimizer. */
export function train(model: Model, optimizer: Optimizer, steps: number): [StateValue, StateValue] {
  const names = [...model.weights.keys()];
  const slots = new Map(
    names.map((name) => {
      const length = model.weights.get(name)?.length ?? 0;
      return [name, optimizer.slots.map(() => new Float32Array(length))];
    }),
  );
  const stateAt = (step: number): StateValue => ({
    model: Object.fromEntries([...model.weights].map(([name, values]) => [name, values.slice()])),
    optimizer: {
      state: Object.fromEntries(
        names.map((name, index) => {
          const arrays = (slots.get(name) ?? []).map((array, at) => [optimizer.slots[at], array.slice()]);
          return [String(index), { step, ...Object.fromEntries(arrays) }];
        }),
      ),
      param_groups: [{ ...optimizer.settings, params: names.map((_, index) => index) }],
    },
    progress: { step },
  });
  let before: StateValue = null;
  for (let step = 1; step <= steps + 1; step++) {
    model.backward();
    for (const [name, w] of model.weights)
      optimizer.apply(w, model.gradients.get(name) ?? w, slots.get(name) ?? [], step);
    if (step === steps) before = stateAt(step);
  }
  return [before, stateAt(steps + 1)];
}
