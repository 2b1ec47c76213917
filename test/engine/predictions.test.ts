/** Optimizers in states: what a save computes from their rules instead of storing it, and that every step comes back. */
import { describe, expect, it } from 'vitest';
import { createStore, MemoryStorage, type StateValue } from '../../src/index.js';

const COUNT = 40_000;
const { fround, sqrt } = Math;

/** Deterministic numbers in [-0.5, 0.5). */
function noise(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32 - 0.5;
  };
}

/** One torch-like AdamW step, each operation rounded to fp32. */
function adamStep(
  w: Float32Array,
  m: Float32Array,
  v: Float32Array,
  step: number,
  lr: number,
  next: () => number,
): void {
  const [beta1, beta2, eps, decay] = [0.9, 0.999, 1e-8, 0.1];
  const size = fround(-lr / (1 - beta1 ** step));
  const root = fround(sqrt(1 - beta2 ** step));
  for (let at = 0; at < w.length; at++) {
    const gradient = fround((next() + next() + next()) * 1e-2);
    m[at] = fround(m[at] + fround(fround(1 - beta1) * fround(gradient - m[at])));
    v[at] = fround(fround(v[at] * fround(beta2)) + fround(fround(fround(1 - beta2) * gradient) * gradient));
    const denominator = fround(fround(fround(sqrt(v[at])) / root) + fround(eps));
    w[at] = fround(fround(w[at] * fround(1 - lr * decay)) + fround(size * fround(m[at] / denominator)));
  }
}

function copyOf(state: StateValue): StateValue {
  return structuredClone(state);
}

/** Saves the states one after another; returns what each save says of its bytes and checks that all of them come back. */
async function savesOf(states: readonly StateValue[]): Promise<{ ratio: number; storedBytes: number }[]> {
  const store = await createStore(new MemoryStorage());
  const run = store.run('r');
  const saves: { ratio: number; storedBytes: number }[] = [];
  const ids: string[] = [];
  for (const state of states) {
    const { id, logicalBytes, storedBytes } = await (await run.save(state)).committed;
    saves.push({ ratio: logicalBytes / storedBytes, storedBytes });
    ids.push(id);
  }
  for (const [index, id] of ids.entries()) expect(await run.restore(id)).toEqual(states[index]);
  expect((await store.check({ readData: 100 })).damaged).toEqual([]);
  return saves;
}

async function ratiosOf(states: readonly StateValue[]): Promise<number[]> {
  return (await savesOf(states)).map(({ ratio }) => ratio);
}

describe('update rules in the engine', () => {
  it('store little more than the first moments of AdamW one step apart, over a chain longer than the height cap', async () => {
    const next = noise(1);
    const w = Float32Array.from({ length: COUNT }, () => next() * 0.1);
    const [m, v] = [new Float32Array(COUNT), new Float32Array(COUNT)];
    const states: StateValue[] = [];
    for (let step = 1; step <= 13; step++) {
      const lr = 1e-3 / step;
      adamStep(w, m, v, step, lr, next);
      const group = { lr, betas: [0.9, 0.999], eps: 1e-8, weight_decay: 0.1, params: [0] };
      const optimizer = { state: { 0: { step, exp_avg: m, exp_avg_sq: v } }, param_groups: [group] };
      states.push(copyOf({ model: { w }, optimizer, progress: { step } }));
    }
    const ratios = await ratiosOf(states);
    expect(Math.min(...ratios.slice(1, 9))).toBeGreaterThan(3);
    expect(states.length / ratios.reduce((sum, ratio) => sum + 1 / ratio, 0)).toBeGreaterThan(2.4);
  });

  it('store little more than the buffers of SGD with momentum', async () => {
    const next = noise(2);
    const w = Float32Array.from({ length: COUNT }, () => next() * 0.1);
    const buffer = new Float32Array(COUNT);
    const states: StateValue[] = [];
    for (let step = 1; step <= 3; step++) {
      for (let at = 0; at < COUNT; at++) {
        buffer[at] = fround(fround(buffer[at] * fround(0.9)) + fround(next() * 1e-2));
        w[at] = fround(w[at] + fround(fround(-0.05) * buffer[at]));
      }
      const group = { lr: 0.05, momentum: 0.9, dampening: 0, nesterov: false, weight_decay: 0, params: [0] };
      const optimizer = { state: { 0: { momentum_buffer: buffer } }, param_groups: [group] };
      states.push(copyOf({ model: { w }, optimizer, progress: { step } }));
    }
    const [, second, third] = await ratiosOf(states);
    expect(Math.min(second, third)).toBeGreaterThan(2);
  });

  it('cost a few bytes where the settings are wrong', async () => {
    const next = noise(3);
    const w = Float32Array.from({ length: COUNT }, () => next() * 0.1);
    const [m, v] = [new Float32Array(COUNT), new Float32Array(COUNT)];
    const group = { lr: 0.7, betas: [0.1, 2], eps: -1, weight_decay: 5, params: [0] };
    const take = (step: number): [misled: StateValue, plain: StateValue] => [
      copyOf({
        model: { w },
        optimizer: { state: { 0: { step, exp_avg: m, exp_avg_sq: v } }, param_groups: [group] },
      }),
      copyOf({ model: { w }, extra: { m, v } }),
    ];
    adamStep(w, m, v, 1, 1e-3, next);
    const before = take(1);
    adamStep(w, m, v, 2, 1e-3, next);
    const after = take(2);
    const [, misled] = await ratiosOf([before[0], after[0]]);
    const [, plain] = await ratiosOf([before[1], after[1]]);
    expect(misled).toBeGreaterThan(plain * 0.98);
  });

  it('store almost nothing of a bf16 copy of the fp32 masters, large and small, and of their average', async () => {
    const next = noise(4);
    const shapes = { big: COUNT, small: 500 };
    const states: StateValue[] = [];
    const mastersAlone: StateValue[] = [];
    const masters = Object.fromEntries(
      Object.entries(shapes).map(([name, length]) => [
        name,
        Float32Array.from({ length }, () => next() * 0.1),
      ]),
    );
    const average = Object.fromEntries(Object.entries(masters).map(([name, w]) => [name, w.slice()]));
    for (let step = 1; step <= 2; step++) {
      const model: Record<string, StateValue> = {};
      for (const [name, w] of Object.entries(masters)) {
        for (let at = 0; at < w.length; at++) {
          w[at] = fround(w[at] + next() * 1e-3);
          average[name][at] = fround(
            fround(fround(1 - 0.999) * fround(w[at] - average[name][at])) + average[name][at],
          );
        }
        const bits = new Uint32Array(w.buffer);
        const halves = Uint16Array.from(bits, (word) => (word + 0x7fff + ((word >>> 16) & 1)) >>> 16);
        model[name] = { dtype: 'bf16', shape: [w.length], data: halves };
      }
      states.push(copyOf({ model, masters, ema: average }));
      mastersAlone.push(copyOf({ masters }));
    }
    const [, all] = await savesOf(states);
    const [, alone] = await savesOf(mastersAlone);
    const copied = (2 + 4) * (COUNT + 500);
    expect(copied / (all.storedBytes - alone.storedBytes)).toBeGreaterThan(100);
  });
});
